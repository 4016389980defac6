"""The HTTP endpoint that Firehose delivers to: `POST /firehose/v1`.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
Only 200 is success. After any other status Firehose retries for as long as the delivery stream is configured
to, and then writes the request to the backup bucket. It does not retry after 413, so 413 is never sent. A
response has exactly the members that `_response` writes, a Content-Length, and no Content-Encoding.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from monitor.lib.byte_budget import ByteBudgetExceededError, Reservation
from monitor.lib.errors import HeadroomError
from monitor.stream.envelope import MAX_BODY_BYTES, EnvelopeError
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import FirehoseRequest, Ingest
from monitor.stream.interner import TooManyNamesError

log = logging.getLogger(__name__)

FIREHOSE_PATH = "/firehose/v1"
PROTOCOL_VERSION = "1.0"
BODY_TIMEOUT = 60.0  # seconds for the body to arrive; Firehose gives up after 180 in total
MAX_MESSAGE_LENGTH = 8192  # characters of an error message; the maximum of Firehose
MAX_ID_LENGTH = 1024  # characters of a request id; Firehose's have 36
METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
IS_GZIP: Final[Mapping[str, bool]] = {"": False, "identity": False, "gzip": True}  # by Content-Encoding


class RequestRejectedError(HeadroomError):
    """A request is answered with `status`; the text is a sentence with the reason."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def firehose_router(
    ingest: Ingest, access: Callable[[], FirehoseAccess], body_timeout: float = BODY_TIMEOUT
) -> APIRouter:
    """Return the router of the endpoint.

    access: called for each request, as the configuration may be reloaded. body_timeout: seconds.
    """
    router = APIRouter(include_in_schema=False)

    @router.api_route(FIREHOSE_PATH, methods=METHODS)
    async def deliver(request: Request) -> Response:
        """Ingest one request. Each response has the format that Firehose expects."""
        status, sentence = HTTPStatus.OK, ""
        try:
            await _ingest(request, ingest, access(), body_timeout)
        except RequestRejectedError as rejected:
            status, sentence = rejected.status, str(rejected)
        except EnvelopeError as error:
            status, sentence = HTTPStatus.BAD_REQUEST, str(error)
        except (ByteBudgetExceededError, TooManyNamesError):
            status, sentence = HTTPStatus.SERVICE_UNAVAILABLE, "busy; send it again"
        except (TimeoutError, ClientDisconnect):
            status, sentence = HTTPStatus.REQUEST_TIMEOUT, f"expected the body within {body_timeout:.0f} s"
        except Exception:
            log.exception("a delivery of Firehose failed")
            status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log has the details"
        ingest.telemetry.requests.labels(str(status.value)).inc()
        return _response(request, status, sentence)

    return router


def _response(request: Request, status: HTTPStatus, sentence: str) -> Response:
    members = {"requestId": _request_id(request)[:MAX_ID_LENGTH], "timestamp": int(time.time() * 1000)}
    if sentence:
        members["errorMessage"] = sentence[:MAX_MESSAGE_LENGTH]
    headers = {"Allow": "POST"} if status is HTTPStatus.METHOD_NOT_ALLOWED else None
    return Response(orjson.dumps(members), status, headers, media_type="application/json")


def _request_id(request: Request) -> str:
    return request.headers.get("x-amz-firehose-request-id", "")


async def _ingest(request: Request, ingest: Ingest, access: FirehoseAccess, body_timeout: float) -> None:
    """Check the headers, then read and ingest the body."""
    headers = request.headers
    source = headers.get("x-amz-firehose-source-arn", "")
    encoding = headers.get("content-encoding", "").lower()
    if request.method != "POST":
        raise RequestRejectedError(HTTPStatus.METHOD_NOT_ALLOWED, f"expected POST, found {request.method}")
    if not access.accepts_key(headers.get("x-amz-firehose-access-key", "")):
        raise RequestRejectedError(HTTPStatus.UNAUTHORIZED, "the access key is missing or wrong")
    if not access.accepts_source(source):
        raise RequestRejectedError(HTTPStatus.FORBIDDEN, "this delivery stream is not allowed")
    if headers.get("x-amz-firehose-protocol-version") != PROTOCOL_VERSION:
        sentence = f"expected version {PROTOCOL_VERSION} of the protocol"
        raise RequestRejectedError(HTTPStatus.BAD_REQUEST, sentence)
    if not 0 < len(_request_id(request)) <= MAX_ID_LENGTH:
        sentence = f"expected the header X-Amz-Firehose-Request-Id, of at most {MAX_ID_LENGTH} characters"
        raise RequestRejectedError(HTTPStatus.BAD_REQUEST, sentence)
    if encoding not in IS_GZIP:
        raise RequestRejectedError(HTTPStatus.BAD_REQUEST, "expected gzip or no Content-Encoding")
    with ingest.budget.reserve() as reservation:
        body = await _read_body(request, reservation, body_timeout)
        await ingest.ingest(FirehoseRequest(_request_id(request), source, body, IS_GZIP[encoding]))


async def _read_body(request: Request, reservation: Reservation, body_timeout: float) -> bytes:
    """Read the body within the budget.

    Raises RequestRejectedError when the body is too large; ByteBudgetExceededError, TimeoutError and
    ClientDisconnect.
    """
    body = bytearray()
    content_length = request.headers.get("content-length", "0")  # the server rejects anything but a number
    _reserve(reservation, int(content_length))
    async with asyncio.timeout(body_timeout):
        async for chunk in request.stream():
            _reserve(reservation, len(body) + len(chunk))
            body += chunk
    return bytes(body)


def _reserve(reservation: Reservation, size: int) -> None:
    if size > MAX_BODY_BYTES:
        sentence = f"expected at most {MAX_BODY_BYTES} bytes, found more"
        raise RequestRejectedError(HTTPStatus.BAD_REQUEST, sentence)
    reservation.grow_to(size)
