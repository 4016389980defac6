"""A receiver of webhooks, built into the demo, and the page that shows the notifications."""

import hashlib
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web
from jinja2 import Environment

from monitor.notifiers.webhook_body import WebhookBody, WebhookData

MAX_NOTIFICATIONS = 200  # the newest are stored, older notifications are dropped
MAX_BODY = 4 * 1024**2  # bytes
SHUTDOWN_TIMEOUT = 0.2  # seconds for requests that are still running
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ReceivedNotification:
    """A received notification. at: its arrival, in epoch seconds. data: `data` of the webhook's body."""

    at: float
    data: WebhookData

    @property
    def time(self) -> str:
        """The time of arrival, as text in UTC."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%H:%M:%S")


@dataclass
class DemoReceiver:
    """Receives webhooks and stores the newest notifications. clock: returns epoch seconds.

    address: the URL of the page; empty until the receiver listens. style, template: the CSS and the Jinja
    template of the page. received: the stored notifications, the newest first.
    """

    clock: Callable[[], float]
    address: str = ""
    style: str = field(default_factory=(FOLDER / "received.css").read_text)
    template: str = field(default_factory=(FOLDER / "received.html").read_text)
    received: deque[ReceivedNotification] = field(default_factory=lambda: deque(maxlen=MAX_NOTIFICATIONS))

    @classmethod
    @asynccontextmanager
    async def started(cls, clock: Callable[[], float], port: int = 0) -> AsyncIterator["DemoReceiver"]:
        """Listen on a port of loopback; 0 picks a free one. Raises OSError if the port is in use."""
        receiver = cls(clock)
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes([web.get("/", receiver.page), web.post("/webhook", receiver.receive)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            receiver.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield receiver
        finally:
            await runner.cleanup()

    async def receive(self, request: web.Request) -> web.Response:
        """Store the notification of a webhook in Headroom's own format."""
        try:
            body = msgspec.json.decode(await request.read(), type=WebhookBody)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise web.HTTPBadRequest(text="no notification of Headroom") from None
        self.received.appendleft(ReceivedNotification(self.clock(), body.data))
        return web.Response(text="received")

    async def page(self, _: web.Request) -> web.Response:
        """Return the page with the notifications, the newest first."""
        template = Environment(autoescape=True).from_string(self.template)
        text = template.render(received=self.received, style=self.style)
        return web.Response(text=text, content_type="text/html", headers=_headers(self.style))


def _headers(style: str) -> dict[str, str]:
    """Return the headers of the page, which allow its style sheet and no other content."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
