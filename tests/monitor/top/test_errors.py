"""Errors: no connection, and unexpected responses."""

import json
from typing import Any

import pytest

from monitor.aws.status import MonitorStatus
from rules.band import Zone
from tests.monitor.top.harness import FAST_REFRESH, Headroom, run_top, serve_on_loopback


def app_that_responds(status: int, body: object) -> Any:
    """Return an ASGI application that gives the same response to every request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    return app


async def test_rows_stay_on_the_screen_while_the_server_is_stopped(headroom: Headroom) -> None:
    await headroom.publish_streams(("clicks", Zone.SATURATED, 0.5))
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.wait_for("clicks")
        assert not user.app.screen.has_class("outdated")
        await headroom.stop()
        screen = await user.wait_for("Connection refused; data is ", " old. Retrying ...")
        assert "saturated" in screen and user.rows == ["clicks"]
        assert user.app.screen.has_class("outdated")
        await user.press("enter")
        await user.wait_for("Loading kinesis.stream_write_bytes of clicks ...", "Connection refused")
        await headroom.publish_streams(("clicks", Zone.ABOVE, 0.8))
        await headroom.start()
        await user.wait_for("newest sample", "above for over 3 h: 80 %")
        await user.press("escape")
        await user.wait_for("newest sample", "above ")
        assert not user.app.screen.has_class("outdated")


async def test_top_retries_until_a_server_listens(headroom: Headroom) -> None:
    await headroom.stop()
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.wait_for(f"{headroom.address}: ", "Connection refused. Retrying ...")
        await user.press("enter", "a", "m", "j", "s", "e", "escape")
        await headroom.publish_streams(("clicks", Zone.SATURATED, 0.5))
        await headroom.start()
        await user.wait_for("clicks", "by utilization")


RESPONSES = {
    "no token": (
        401,
        {"error": "a token is needed"},
        "a token is needed; set $HEADROOM_TOKEN to a valid token.",
    ),
    "forbidden": (403, {"error": "you may not"}, "you may not. Retrying"),
    "an older version": (200, {"info": {"version": "0.0.9"}}, "the server is Headroom 0.0.9"),
    "not a response of Headroom": (200, ["hi"], "the response (status 200) is not one of Headroom's"),
    "control characters": (500, {"error": "a\x1b[2Jb"}, r"a\x1b[2Jb"),
}


@pytest.mark.parametrize(("status", "body", "shown"), RESPONSES.values(), ids=RESPONSES)
async def test_an_unexpected_response_is_reported_in_one_sentence(
    status: int, body: object, shown: str
) -> None:
    async with (
        serve_on_loopback(app_that_responds(status, body)) as port,
        run_top(f"127.0.0.1:{port}") as user,
    ):
        assert shown in " ".join((await user.wait_for("Retrying")).split())


async def test_an_empty_list_of_series_shows_why_it_is_empty(headroom: Headroom) -> None:
    headroom.server.status = MonitorStatus(pending=["demo, eu-west-1"])
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.wait_for("No series yet; not read yet: demo, eu-west-1", "no sample yet")
        headroom.server.status = MonitorStatus()
        await user.wait_for("No series yet; see /status for the state of each account")


async def test_the_detail_screen_of_a_dropped_series_stays_and_shows_an_error(headroom: Headroom) -> None:
    (series,) = await headroom.publish_streams(("clicks", Zone.SATURATED, 0.5))
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.press("enter")
        await user.wait_for("Target band")
        headroom.server.fleet.drop(series.key)
        await headroom.server.publish()
        await user.wait_for("no series has the id", "Target band")
        await user.press("escape")
        await user.wait_for("No series yet")
