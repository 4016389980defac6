"""Apprise: the arguments that it gets, and the error when it is not installed."""

import logging
import sys

import pytest
from aiohttp import web

from monitor.notifiers.apprise import Apprise
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.loopback import build_receiver, http_server, notification, resolved_notice

# Apprise imports the module imghdr in versions of Python that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, DeliveryOutcome.DELIVERED), (400, DeliveryOutcome.RETRY), (500, DeliveryOutcome.RETRY)],
)
async def test_the_http_status_decides_the_outcome(
    client: OutboundClient, status: int, outcome: DeliveryOutcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(web.Response(status=status)) as server:
        receiver = build_receiver(Apprise, url=f"json://127.0.0.1:{server.port}/hunter2hunter2")
        result = await receiver.send(notification(), client)
    assert result.outcome is outcome
    [body] = server.bodies
    assert body["title"] == "[1 firing] prod eu-west-1 kinesis"
    assert body["message"].startswith("Firing, warning: Kinesis stream clicks")
    assert body["type"] == "warning"
    assert "hunter2" not in "".join(
        record.getMessage() for record in caplog.records if record.name == "apprise"
    )
    assert "hunter2" not in repr(result) + repr(receiver)


async def test_a_resolution_has_the_type_success(client: OutboundClient) -> None:
    async with http_server() as server:
        await build_receiver(Apprise, url=f"json://127.0.0.1:{server.port}").send(
            notification(resolved_notice()), client
        )
    assert server.bodies[0]["type"] == "success"


async def test_an_unsupported_url_is_refused(client: OutboundClient) -> None:
    result = await build_receiver(Apprise, url="nonsense://hunter2").send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "address")
    assert "hunter2" not in result.sentence


async def test_a_delivery_is_refused_while_apprise_is_not_installed(
    client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    result = await build_receiver(Apprise, url="json://localhost").send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "missing")
    assert result.sentence == "Apprise is not installed: pip install 'aws-headroom[apprise]'"
