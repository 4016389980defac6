"""Classes of failures: AWS's services have different codes for the same error."""

import builtins
import re
from enum import StrEnum
from functools import lru_cache

from botocore import exceptions


class FailureClass(StrEnum):
    """The class of a failed read, independent of the service's error code."""

    DENIED = "denied"  # a policy of the account denies the call, or none allows it
    ORGANIZATION = "organization"  # a policy of the organization denies the call
    EXPIRED = "expired"  # the credentials have expired
    CREDENTIALS = "credentials"  # there are no credentials, or AWS does not know them
    THROTTLED = "throttled"  # too many calls by Headroom or by other tools in the account
    UNREACHABLE = "unreachable"  # no response from AWS: time-outs, connections, host names, HTTP status 5xx
    DISABLED = "disabled"  # the region or the service is not enabled in the account
    CLOCK = "clock"  # this machine's clock differs from AWS's
    LATE = "late"  # no run has ended for too long, with or without a failure


DENIAL_CLASSES = frozenset({FailureClass.DENIED, FailureClass.ORGANIZATION})
PERMANENT_CLASSES = DENIAL_CLASSES | {FailureClass.EXPIRED, FailureClass.CREDENTIALS}

# Words in AWS's message about a denied call. DENYING_POLICY: the message names a policy. ORGANIZATION_POLICY:
# the policy belongs to the organization, so that nobody within the account can allow the call.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
DENYING_POLICY = re.compile(r"\b(because no|explicit deny in) .*(policy|boundary)\b")
ORGANIZATION_POLICY = re.compile(r"\b(service|resource) control policy\b")

# Words in AWS's message about a signature whose keys are right, but whose time is wrong. The error code does
# not tell: AWS returns SignatureDoesNotMatch for wrong keys, too.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
SKEWED_SIGNATURE = re.compile(r"Signature (expired: \S+ is now earlier|not yet current: \S+ is still later)")

# Parts of error codes; the first part that a code contains decides the class. Sources: the common errors in
# the services' API references, as in
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html, and botocore's exceptions.
CODE_PARTS: tuple[tuple[str, FailureClass], ...] = (
    ("ClockSkew", FailureClass.CLOCK),
    ("TooSkewed", FailureClass.CLOCK),
    ("RequestInTheFuture", FailureClass.CLOCK),
    ("ExpiredToken", FailureClass.EXPIRED),
    ("TokenRefreshRequired", FailureClass.EXPIRED),
    ("RequestExpired", FailureClass.EXPIRED),
    ("SSOToken", FailureClass.EXPIRED),
    ("TokenRetrieval", FailureClass.EXPIRED),
    ("OptInRequired", FailureClass.DISABLED),
    ("RegionDisabled", FailureClass.DISABLED),
    ("SubscriptionRequired", FailureClass.DISABLED),
    ("AccessDenied", FailureClass.DENIED),
    ("Unauthorized", FailureClass.DENIED),
    ("NotAuthorized", FailureClass.DENIED),
    ("AuthorizationError", FailureClass.DENIED),
    ("AllAccessDisabled", FailureClass.DENIED),
    ("Forbidden", FailureClass.DENIED),
    ("InvalidClientTokenId", FailureClass.CREDENTIALS),
    ("UnrecognizedClient", FailureClass.CREDENTIALS),
    ("InvalidAccessKeyId", FailureClass.CREDENTIALS),
    ("InvalidToken", FailureClass.CREDENTIALS),
    ("SignatureDoesNotMatch", FailureClass.CREDENTIALS),
    ("InvalidSignature", FailureClass.CREDENTIALS),
    ("IncompleteSignature", FailureClass.CREDENTIALS),
    ("MissingAuthenticationToken", FailureClass.CREDENTIALS),
    ("AuthFailure", FailureClass.CREDENTIALS),
    ("Credential", FailureClass.CREDENTIALS),
    ("ProfileNotFound", FailureClass.CREDENTIALS),
    ("Throttl", FailureClass.THROTTLED),
    ("ThroughputExceeded", FailureClass.THROTTLED),
    ("TooManyRequests", FailureClass.THROTTLED),
    ("SlowDown", FailureClass.THROTTLED),
    ("RequestLimitExceeded", FailureClass.THROTTLED),
    ("LimitExceeded", FailureClass.THROTTLED),
    ("PriorRequestNotComplete", FailureClass.THROTTLED),
    ("ServiceUnavailable", FailureClass.UNREACHABLE),
    ("ServiceFailure", FailureClass.UNREACHABLE),
    ("InternalFailure", FailureClass.UNREACHABLE),
    ("InternalError", FailureClass.UNREACHABLE),
    ("InternalService", FailureClass.UNREACHABLE),
    ("InternalServer", FailureClass.UNREACHABLE),
    ("RequestTimeout", FailureClass.UNREACHABLE),
    ("gaierror", FailureClass.UNREACHABLE),
    ("ForeignResponse", FailureClass.UNREACHABLE),
    ("ResponseParser", FailureClass.UNREACHABLE),
)
STATUS_CLASSES = {  # for an error response without a body: its code is the HTTP status
    "401": FailureClass.CREDENTIALS,
    "403": FailureClass.DENIED,
    "429": FailureClass.THROTTLED,
    "500": FailureClass.UNREACHABLE,
    "502": FailureClass.UNREACHABLE,
    "503": FailureClass.UNREACHABLE,
    "504": FailureClass.UNREACHABLE,
}
CONNECTION_ERRORS = (OSError, exceptions.ConnectionError, exceptions.HTTPClientError)


def classify(code: str, message: str = "") -> str:
    """Return the class of an error code; the code itself if it belongs to no class.

    message: AWS's message. It says whether a policy of the organization denies a call, and whether the keys
    or the time of a rejected signature are wrong.
    """
    failure_class = _class_of(code)
    if failure_class is FailureClass.CREDENTIALS and SKEWED_SIGNATURE.search(message):
        return FailureClass.CLOCK
    is_of_organization = failure_class is FailureClass.DENIED and ORGANIZATION_POLICY.search(message)
    return FailureClass.ORGANIZATION if is_of_organization else failure_class


@lru_cache(1024)
def _class_of(code: str) -> str:
    if code in STATUS_CLASSES:
        return STATUS_CLASSES[code]
    failure_class = next((candidate for part, candidate in CODE_PARTS if part in code), None)
    return failure_class or (FailureClass.UNREACHABLE if _is_connection_error(code) else code)


def _is_connection_error(name: str) -> bool:
    """Return whether a name is that of an exception that is raised if a request gets no response."""
    exception_classes = (getattr(module, name, None) for module in (exceptions, builtins))
    return any(
        isinstance(exception_class, type) and issubclass(exception_class, CONNECTION_ERRORS)
        for exception_class in exception_classes
    )
