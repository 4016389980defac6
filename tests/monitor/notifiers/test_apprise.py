"""Apprise: the arguments it gets, and the error when it is not installed."""

import logging
import sys

import pytest
from aiohttp import web

from monitor.notifiers.apprise import Apprise
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.loopback import build_receiver, http_server, notification, resolved

# Apprise imports it where it still exists.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, DeliveryOutcome.DELIVERED), (400, DeliveryOutcome.RETRY), (500, DeliveryOutcome.RETRY)],
)
async def test_the_response_decides_the_outcome(
    client: OutboundClient, status: int, outcome: DeliveryOutcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(web.Response(status=status)) as server:
        receiver = build_receiver(Apprise, url=f"json://127.0.0.1:{server.port}/hunter2hunter2")
        answer = await receiver.send(notification(), client)
    assert answer.outcome is outcome
    [body] = server.bodies
    assert body["title"] == "[1 firing] prod eu-west-1 kinesis"
    assert body["message"].startswith("Firing, warning: Kinesis stream clicks")
    assert body["type"] == "warning"
    assert "hunter2" not in "".join(one.getMessage() for one in caplog.records if one.name == "apprise")
    assert "hunter2" not in repr(answer) + repr(receiver)


async def test_a_resolution_has_the_type_success(client: OutboundClient) -> None:
    async with http_server() as server:
        await build_receiver(Apprise, url=f"json://127.0.0.1:{server.port}").send(
            notification(resolved()), client
        )
    assert server.bodies[0]["type"] == "success"


async def test_no_url_of_apprise(client: OutboundClient) -> None:
    answer = await build_receiver(Apprise, url="nonsense://hunter2").send(notification(), client)
    assert (answer.outcome, answer.reason) == (DeliveryOutcome.REFUSED, "address")
    assert "hunter2" not in answer.sentence


async def test_not_installed(client: OutboundClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    answer = await build_receiver(Apprise, url="json://localhost").send(notification(), client)
    assert (answer.outcome, answer.reason) == (DeliveryOutcome.REFUSED, "missing")
    assert answer.sentence == "Apprise is not installed: pip install 'aws-headroom[apprise]'"
