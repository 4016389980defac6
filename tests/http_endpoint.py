"""An HTTP server on loopback that hands every request to one handler."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

MAX_BODY_BYTES = 2**24
# Turns of the event loop until an accepted connection has its transport. A server that closes sooner loses
# the connection.
ACCEPT_TURNS = 5


@asynccontextmanager
async def serve_http(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[int]:
    """Serve until the context exits; yield the port. Requests that are open then have a second to end."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        await runner.cleanup()
