"""Failed calls to AWS: the errors that a call may raise, and the record of a failed call."""

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from collectors.base import ACCOUNT, Resource
from monitor.aws.failure_class import FailureClass, classify
from monitor.lib.errors import HeadroomError
from monitor.lib.text import replace_surrogates

log = logging.getLogger(__name__)

TOO_MANY_ACCOUNTS = "TooManyAccounts"  # the code of a failure: more accounts than are watched
CALL_TIMEOUT = 90.0  # seconds, for all attempts at one call
RETRYABLE_CLASSES = frozenset({FailureClass.THROTTLED, FailureClass.UNREACHABLE})
CREDENTIALS_CLASSES = frozenset({FailureClass.EXPIRED, FailureClass.CREDENTIALS})
# AWS's sentence on a denied call, and the encoded text that EC2 appends to it.
DENIED_ACTION = re.compile(r"not authorized to perform:? *([a-z0-9-]+:[A-Za-z0-9]+)")
ENCODED_DENIAL = re.compile(r"\s*Encoded authorization failure message: \S+")
# What botocore's parsers append to the first line of their message: advice to retry, and all of the response.
PARSER_ADVICE = re.compile(r"\s*Further retries may succeed:?\s*$")
AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError, TimeoutError, OSError)


class ForeignResponseError(HeadroomError, HTTPClientError):
    """The response is not from an AWS service, but from a proxy or a load balancer before the service."""

    fmt = "a page or text instead of a response of AWS, with HTTP status {status}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A call to AWS that failed.

    operation: as AWS names it. resource: the display name of the resource that the call was about; empty when
    it was about the whole account or region. code, message: of the error. resource_path: the path of the
    resource.
    """

    operation: str
    resource: str
    code: str
    message: str
    resource_path: tuple[str, ...] = ()

    @property
    def failure_class(self) -> str:
        """The FailureClass of the failure; the code itself if it belongs to no class."""
        return classify(self.code, self.message)

    @property
    def denied_action(self) -> str:
        """The IAM action that AWS's message names as denied; empty if it names none."""
        match = DENIED_ACTION.search(self.message)
        return match[1] if match else ""

    @property
    def sentence(self) -> str:
        """One line for people: `ListShards of orders: not authorized (AccessDenied)`."""
        subject = " of ".join(filter(None, (self.operation, self.resource)))
        return f"{subject}: {self.message} ({self.code})".removeprefix(": ")


def error_code(error: BaseException) -> str:
    """Return the code of an error response (`AccessDenied`); without a response, the exception's name."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def error_message(error: BaseException) -> str:
    """Return the message of an error in one line; for an error response, AWS's message."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CALL_TIMEOUT:.0f} s"
    if isinstance(error, ResponseParserError):
        first, *_ = str(error).splitlines() or [""]
        return PARSER_ADVICE.sub("", first) or type(error).__name__
    message = error.response.get("Error", {}).get("Message") if isinstance(error, ClientError) else None
    readable = ENCODED_DENIAL.sub("", str(message or error))
    return " ".join(readable.split()) or type(error).__name__


def is_retryable(error: Exception) -> bool:
    """Return true if the same call may succeed later: it was throttled, or AWS could not be reached."""
    response = error.response if isinstance(error, ClientError) else {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or classify(error_code(error)) in RETRYABLE_CLASSES


def is_unknown_host(error: BaseException | None) -> bool:
    """Return true if an error was caused by a host name without an address."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        error = error.__cause__ or error.__context__
    return False


def is_credentials_error(error: Exception) -> bool:
    """Return true if AWS rejected the credentials as unknown or expired."""
    return isinstance(error, ClientError) and classify(error_code(error)) in CREDENTIALS_CLASSES


@contextmanager
def with_operation_name(operation: str) -> Iterator[None]:
    """Set `operation_name` on errors that lack it, such as time-outs; botocore's ClientError has it."""
    try:
        yield
    except Exception as error:
        vars(error).setdefault("operation_name", operation)
        raise


@contextmanager
def with_role_position(position: str) -> Iterator[None]:
    """Set `role_position` on errors that lack it: `role 2 of 3` and its ARN; empty without a chain."""
    try:
        yield
    except Exception as error:
        vars(error).setdefault("role_position", position)
        raise


def failure_from(error: Exception, operation: str = "", resource: Resource = ACCOUNT) -> Failure:
    """Return the record of an error; log an unexpected error with its traceback."""
    if not isinstance(error, (*AWS_ERRORS, HeadroomError)):
        log.error("unexpected response to %s %s", operation, resource.display_name, exc_info=error)
    operation = operation or getattr(error, "operation_name", "")
    message_text = ": ".join(filter(None, (getattr(error, "role_position", ""), error_message(error))))
    code, message = replace_surrogates(error_code(error)), replace_surrogates(message_text)
    utf8_resource = resource.utf8_safe
    return Failure(operation, utf8_resource.display_name, code, message, utf8_resource.path)
