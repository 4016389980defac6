"""Apprise: told what it needs to know, and missed politely."""

import logging
import sys

import pytest
from aiohttp import web

from monitor.notifiers.answer import Outcome
from monitor.notifiers.apprise import Apprise
from monitor.outbound import Outbound
from tests.monitor.notifiers.loopback import made, notification, resolved, serving

# Apprise imports it where it still exists.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, Outcome.DELIVERED), (400, Outcome.RETRY), (500, Outcome.RETRY)]
)
async def test_answers(
    client: Outbound, status: int, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(web.Response(status=status)) as server:
        receiver = made(Apprise, url=f"json://127.0.0.1:{server.port}/hunter2hunter2")
        answer = await receiver.send(notification(), client)
    assert answer.outcome is outcome
    [body] = server.bodies
    assert body["title"] == "[1 firing] prod eu-west-1 kinesis"
    assert body["message"].startswith("Firing, warning: Kinesis stream clicks")
    assert body["type"] == "warning"
    assert "hunter2" not in "".join(one.getMessage() for one in caplog.records if one.name == "apprise")
    assert "hunter2" not in repr(answer) + repr(receiver)


async def test_what_is_resolved_is_a_success(client: Outbound) -> None:
    async with serving() as server:
        await made(Apprise, url=f"json://127.0.0.1:{server.port}").send(notification(resolved()), client)
    assert server.bodies[0]["type"] == "success"


async def test_no_url_of_apprise(client: Outbound) -> None:
    answer = await made(Apprise, url="nonsense://hunter2").send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "address")
    assert "hunter2" not in answer.sentence


async def test_not_installed(client: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    answer = await made(Apprise, url="json://localhost").send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "missing")
    assert answer.sentence == "Apprise is not installed: pip install 'aws-headroom[apprise]'"
