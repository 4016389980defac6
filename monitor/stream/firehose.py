"""The HTTP endpoint that Firehose delivers to: `POST /firehose/v1`.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
Only 200 is success. Whatever else is answered is sent again for as long as the delivery stream is configured
to, then to its backup bucket; but 413 would be final, and is therefore never answered. A reply has exactly
these members, a Content-Length, and no Content-Encoding.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from monitor.stream.envelope import LARGEST, Refused
from monitor.stream.ingest import Delivery, Ingest
from monitor.stream.room import Full, Share

log = logging.getLogger(__name__)

PATH = "/firehose/v1"
VERSION = "1.0"
READING = 60.0  # seconds that a body may take to come; Firehose gives up after 180 in all
MOST_SAID = 8192  # characters of an error message, the most that Firehose takes
LONGEST_ID = 1024  # characters of a request id that are repeated
METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ENCODINGS: Final[Mapping[str, bool]] = {"": False, "identity": False, "gzip": True}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may deliver.

    keys: access keys, any of which opens; without one, nobody gets in. sources: accounts, or ARNs of delivery
    streams; empty: all of them. The ARN is what a sender says of itself: no proof, but it keeps strays out.
    """

    keys: Sequence[str] = field(default=(), repr=False)
    sources: Sequence[str] = ()

    def opens(self, key: str) -> bool:
        """Whether an access key is one of ours, in a time that does not tell which."""
        offered = key.encode("utf-8", "replace")
        right = [hmac.compare_digest(ours.encode(), offered) for ours in self.keys if ours]
        return any(right)

    def includes(self, arn: str) -> bool:
        account = ":".join(arn.split(":")[4:5])
        return not self.sources or arn in self.sources or account in self.sources


class Rejected(Exception):
    """A request that is answered with a status other than 200, and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def always() -> bool:
    return True


def create_router(
    ingest: Ingest, allowed: Callable[[], Allowed], ready: Callable[[], bool] = always
) -> APIRouter:
    """The endpoint. `allowed` is asked at each request, so that a reload of the configuration counts.

    ready: whether it is known which series there are; a point that came before would belong to none.
    """
    router = APIRouter(include_in_schema=False)

    @router.api_route(PATH, methods=METHODS)
    async def deliver(request: Request) -> Response:
        """Take in one request; whatever happens, the answer is one that Firehose understands."""
        status, sentence = HTTPStatus.OK, ""
        try:
            await _take(request, ingest, allowed(), ready)
        except Rejected as rejected:
            status, sentence = rejected.status, str(rejected)
        except Refused as refused:
            status, sentence = HTTPStatus.BAD_REQUEST, str(refused)
        except Full:
            status, sentence = HTTPStatus.SERVICE_UNAVAILABLE, "busy; send it again"
        except (TimeoutError, ClientDisconnect):
            status, sentence = HTTPStatus.REQUEST_TIMEOUT, f"expected the body within {READING:.0f} s"
        except Exception:
            log.exception("a delivery failed")
            status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, "something unexpected went wrong"
        ingest.telemetry.requests.labels(str(status.value)).inc()
        return _reply(request, status, sentence)

    return router


def _reply(request: Request, status: HTTPStatus, sentence: str) -> Response:
    told = {"requestId": _id(request)[:LONGEST_ID], "timestamp": int(time.time() * 1000)}
    if sentence:
        told["errorMessage"] = sentence[:MOST_SAID]
    headers = {"Allow": "POST"} if status is HTTPStatus.METHOD_NOT_ALLOWED else None
    return Response(orjson.dumps(told), status, headers, media_type="application/json")


def _id(request: Request) -> str:
    return request.headers.get("x-amz-firehose-request-id", "")


async def _take(request: Request, ingest: Ingest, allowed: Allowed, ready: Callable[[], bool]) -> None:
    """Check the headers before any byte of the body, then have its points in the fleet."""
    headers = request.headers
    source = headers.get("x-amz-firehose-source-arn", "")
    encoding = headers.get("content-encoding", "").lower()
    if request.method != "POST":
        raise Rejected(HTTPStatus.METHOD_NOT_ALLOWED, f"expected POST, found {request.method}")
    if not allowed.opens(headers.get("x-amz-firehose-access-key", "")):
        raise Rejected(HTTPStatus.UNAUTHORIZED, "the access key is missing or wrong")
    if not allowed.includes(source):
        raise Rejected(HTTPStatus.FORBIDDEN, "this delivery stream is not allowed")
    if headers.get("x-amz-firehose-protocol-version") != VERSION:
        raise Rejected(HTTPStatus.BAD_REQUEST, f"expected version {VERSION} of the protocol")
    if not _id(request):
        raise Rejected(HTTPStatus.BAD_REQUEST, "expected the header X-Amz-Firehose-Request-Id")
    if encoding not in ENCODINGS:
        raise Rejected(HTTPStatus.BAD_REQUEST, "expected gzip or no Content-Encoding")
    if not ready():
        raise Rejected(HTTPStatus.SERVICE_UNAVAILABLE, "starting; send it again")
    with ingest.room.share() as share:
        body = await _body(request, share)
        await ingest.take(Delivery(_id(request), source, body, ENCODINGS[encoding]))


async def _body(request: Request, share: Share) -> bytes:
    """The body, while there is room for it. Raises Full, TimeoutError, ClientDisconnect or Rejected."""
    body = bytearray()
    told = request.headers.get("content-length", "0")  # the server saw to it that it is a number
    _reserve(share, int(told))
    async with asyncio.timeout(READING):
        async for chunk in request.stream():
            _reserve(share, len(body) + len(chunk))
            body += chunk
    return bytes(body)


def _reserve(share: Share, size: int) -> None:
    if size > LARGEST:
        raise Rejected(HTTPStatus.BAD_REQUEST, f"expected at most {LARGEST} bytes, found more")
    share.hold(size)
