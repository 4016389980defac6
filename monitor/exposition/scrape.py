"""The response to a scrape: the rendered fleet, then the families of the process, sent in parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.types import Receive, Scope, Send

from monitor.exposition.body import ExpositionBody
from monitor.exposition.process_families import process_families
from monitor.http.negotiation import (
    OPENMETRICS,
    PROMETHEUS_TEXT,
    ExpositionFormat,
    accepts_gzip,
    exposition_format,
)

MIN_SENT = 2**16  # bytes sent at once, except at the end
READ_TIMEOUT = 60  # seconds in which a client must read the whole response

GENERATE: Mapping[ExpositionFormat, Callable[[CollectorRegistry], bytes]] = {
    PROMETHEUS_TEXT: process_families,
    OPENMETRICS: partial(openmetrics.generate_latest, version=OPENMETRICS.version),
}
NO_FAMILIES = CollectorRegistry()


class TimedStreamingResponse(StreamingResponse):
    """A response that closes the connection when the client does not read it within READ_TIMEOUT."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return


async def scrape(request: Request, body: ExpositionBody, registry: CollectorRegistry | None) -> Response:
    """Return all families in the format that the request's headers prefer.

    registry: the families of the process; None to leave them out.
    """
    preferred = exposition_format(request.headers.get("accept", ""))
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    process_families = await asyncio.to_thread(GENERATE[preferred], registry or NO_FAMILIES)
    length, parts = body.gzipped(process_families) if gzip else body.plain(process_families)
    headers = {
        "content-type": preferred.content_type,
        "content-length": str(length),
        "vary": "Accept, Accept-Encoding",
        **({"content-encoding": "gzip"} if gzip else {}),
    }
    if length <= MIN_SENT:
        return Response(b"".join(parts), headers=headers)  # in one part, which needs no tasks
    return TimedStreamingResponse(_with_yields(parts), headers=headers)


async def _with_yields(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Join small parts, and let other tasks run after each joined part, so that no other request waits."""
    joined = bytearray()
    for part in parts:
        joined += part
        if len(joined) >= MIN_SENT:
            yield bytes(joined)
            joined.clear()
            await asyncio.sleep(0)
    if joined:
        yield bytes(joined)
