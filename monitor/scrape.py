"""The answer to a scrape: what was rendered, then the process's own families, sent part by part."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.types import Receive, Scope, Send

from monitor.body import Body
from monitor.negotiation import OPENMETRICS, TEXT, Format, accepts_gzip, exposition_format

PATIENCE = 60  # seconds that a client may take to read it all

GENERATE: Mapping[Format, Callable[[CollectorRegistry], bytes]] = {
    TEXT: generate_latest,
    OPENMETRICS: partial(openmetrics.generate_latest, version=OPENMETRICS.version),
}


class Patient(StreamingResponse):
    """A response that ends unfinished, and the connection with it, when the client does not read it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return


async def scrape(request: Request, body: Body, registry: CollectorRegistry) -> Patient:
    """All families in the form that the request's headers prefer."""
    wanted = exposition_format(request.headers.get("accept", ""))
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    own = await asyncio.to_thread(GENERATE[wanted], registry)
    length, parts = body.gzipped(own) if gzip else body.plain(own)
    headers = {
        "content-type": wanted.content_type,
        "content-length": str(length),
        "vary": "Accept, Accept-Encoding",
        **({"content-encoding": "gzip"} if gzip else {}),
    }
    return Patient(_in_turns(parts), headers=headers)


async def _in_turns(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Other requests get their turn after each part, however fast the client reads."""
    for part in parts:
        yield part
        await asyncio.sleep(0)
