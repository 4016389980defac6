"""The built-in receiver of the demo, over HTTP."""

import re
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from monitor.demo.receiver import DemoReceiver
from monitor.notifiers.webhook_body import WebhookBody
from tests.monitor.demo.notifications import notification

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
async def receiver() -> AsyncIterator[DemoReceiver]:
    async with DemoReceiver.started(lambda: 0.0) as receiver:
        yield receiver


def body(summary: str) -> bytes:
    webhook_body = WebhookBody(type="alerts.firing", timestamp="", data=notification(summary))
    return msgspec.json.encode(webhook_body)


async def test_the_page_shows_notifications_and_escapes_their_markup(receiver: DemoReceiver) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=receiver.address) as client:
        assert "Nothing came yet" in (await client.get("/")).text
        response = await client.post("/webhook", content=body(f"It is throttled {MARKUP}"))
        page = await client.get("/")
    assert response.status_code == 200
    assert len(receiver.received) == 1
    assert "It is throttled" in page.text
    assert MARKUP not in page.text
    assert re.search(r"default-src 'none'; style-src 'sha256-", page.headers["content-security-policy"])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"data": {}}', b'{"data": 5}', b"\xff", b'{"data": {"alerts": [5]}}']
)
async def test_a_body_that_is_no_notification_is_rejected(receiver: DemoReceiver, content: bytes) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=receiver.address) as client:
        assert (await client.post("/webhook", content=content)).status_code == 400
    assert not receiver.received
