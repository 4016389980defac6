"""The failure classes of AWS's error codes and messages, and of exceptions."""

import pytest
from botocore import exceptions

from monitor.aws.failure import error_code
from monitor.aws.failure_class import FailureClass, classify

CODES = {
    FailureClass.DENIED: [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "NotAuthorizedException",
        "403",
    ],
    FailureClass.EXPIRED: ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"],
    FailureClass.CREDENTIALS: [
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "AuthFailure",
    ],
    FailureClass.CLOCK: ["RequestTimeTooSkewed", "RequestInTheFuture"],
    FailureClass.THROTTLED: ["Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"],
    FailureClass.UNREACHABLE: ["InternalFailure", "ServiceUnavailable", "503", "gaierror", "RequestTimeout"],
    FailureClass.DISABLED: ["OptInRequired", "RegionDisabledException"],
}
EXCEPTIONS = [
    (TimeoutError(), FailureClass.UNREACHABLE),
    (ConnectionResetError(), FailureClass.UNREACHABLE),
    (exceptions.ConnectTimeoutError(endpoint_url="https://x"), FailureClass.UNREACHABLE),
    (exceptions.EndpointConnectionError(endpoint_url="https://x"), FailureClass.UNREACHABLE),
    (exceptions.SSLError(endpoint_url="https://x", error=OSError("no")), FailureClass.UNREACHABLE),
    (exceptions.ProxyConnectionError(proxy_url="http://x"), FailureClass.UNREACHABLE),
    (exceptions.NoCredentialsError(), FailureClass.CREDENTIALS),
    (exceptions.CredentialRetrievalError(provider="x", error_msg="no"), FailureClass.CREDENTIALS),
    (exceptions.UnauthorizedSSOTokenError(), FailureClass.EXPIRED),
]


@pytest.mark.parametrize(
    ("failure_class", "code"),
    [(failure_class, code) for failure_class, codes in CODES.items() for code in codes],
)
def test_error_codes_of_services_are_classified(failure_class: FailureClass, code: str) -> None:
    assert classify(code) == failure_class


# The begin of the message of a denial, and its possible ends.
DENIAL = "User: arn:aws:iam::123456789012:user/a is not authorized to perform: kinesis:ListStreams "
WORDINGS = [
    ("with an explicit deny in a service control policy", FailureClass.ORGANIZATION),
    ("because no service control policy allows the kinesis:ListStreams action", FailureClass.ORGANIZATION),
    (
        "with an explicit deny in a service control policy: "
        "arn:aws:organizations::123456789012:policy/o-a/service_control_policy/p-a",
        FailureClass.ORGANIZATION,
    ),
    ("on resource: x with an explicit deny in a resource control policy", FailureClass.ORGANIZATION),
    ("because no identity-based policy allows the kinesis:ListStreams action", FailureClass.DENIED),
    ("with an explicit deny in a permissions boundary", FailureClass.DENIED),
    ("", FailureClass.DENIED),
]


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"])
@pytest.mark.parametrize(("wording", "failure_class"), WORDINGS)
def test_the_message_of_a_denial_decides_its_class(
    code: str, wording: str, failure_class: FailureClass
) -> None:
    assert classify(code, DENIAL + wording) == failure_class


CLOCK_AHEAD = "Signature not yet current: 20261130T071200Z is still later than 20261130T070700Z (...)"
CLOCK_BEHIND = "Signature expired: 20261130T070000Z is now earlier than 20261130T070500Z (... - 5 min.)"
WRONG_KEY = "The request signature we calculated does not match the signature you provided."


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidSignatureException"])
def test_a_signature_with_a_wrong_time_has_another_class_than_a_signature_with_a_wrong_key(code: str) -> None:
    assert [classify(code, message) for message in (CLOCK_AHEAD, CLOCK_BEHIND)] == [FailureClass.CLOCK] * 2
    assert classify(code, WRONG_KEY) == classify(code) == FailureClass.CREDENTIALS


def test_only_a_denial_can_have_the_class_organization() -> None:
    assert classify("ThrottlingException", "service control policy") == FailureClass.THROTTLED
    assert classify("PolicyTypeNotEnabledException", "service control policy") != FailureClass.ORGANIZATION


@pytest.mark.parametrize(("error", "failure_class"), EXCEPTIONS)
def test_an_exception_without_a_response_has_a_class(error: Exception, failure_class: FailureClass) -> None:
    assert classify(error_code(error)) == failure_class


@pytest.mark.parametrize("code", ["", "Repeated", "NoSuchBucket", "ValidationException", "x" * 5000])
def test_an_unknown_code_is_its_own_class(code: str) -> None:
    assert classify(code) == code
