"""When Headroom does not answer, or not with what was asked for."""

import json
from typing import Any

import pytest

from monitor.status import Told
from rules.band import Zone
from tests.monitor.top.stage import OFTEN, Headroom, at, listening


def saying(status: int, told: object) -> Any:
    """An application that says the same to everything."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    return app


async def test_the_old_rows_stay_and_it_recovers_by_itself(headroom: Headroom) -> None:
    await headroom.stand(("clicks", Zone.SATURATED, 0.5))
    async with at(headroom.address, OFTEN) as user:
        await user.sees("clicks")
        assert not user.app.screen.has_class("old")
        await headroom.stop()
        screen = await user.sees("Connection refused; this is ", " old. Asking again ...")
        assert "saturated" in screen and user.rows == ["clicks"]
        assert user.app.screen.has_class("old")
        await user.press("enter")
        await user.sees("Asking for kinesis.stream_write_bytes of clicks ...", "Connection refused")
        await headroom.stand(("clicks", Zone.ABOVE, 0.8))
        await headroom.start()
        await user.sees("newest sample", "above for over 3 h: 80 %")
        await user.press("escape")
        await user.sees("newest sample", "above ")
        assert not user.app.screen.has_class("old")


async def test_nobody_listens_at_first(headroom: Headroom) -> None:
    await headroom.stop()
    async with at(headroom.address, OFTEN) as user:
        await user.sees(f"{headroom.address}: ", "Connection refused. Asking again ...")
        await user.press("enter", "a", "m", "j", "s", "e", "escape")
        await headroom.stand(("clicks", Zone.SATURATED, 0.5))
        await headroom.start()
        await user.sees("clicks", "by utilization")


ANSWERS = {
    "no token": (
        401,
        {"error": "a token is needed"},
        "a token is needed; give its token in $HEADROOM_TOKEN.",
    ),
    "not allowed": (403, {"error": "you may not"}, "you may not. Asking again"),
    "another version": (200, {"series": []}, "it answers as another version of Headroom would"),
    "something else": (200, ["hi"], "it answered 200, and nothing that Headroom would say"),
    "control characters": (500, {"error": "a\x1b[2Jb"}, r"a\x1b[2Jb"),
}


@pytest.mark.parametrize(("status", "told", "shown"), ANSWERS.values(), ids=ANSWERS)
async def test_another_answer_is_one_sentence(status: int, told: object, shown: str) -> None:
    async with listening(saying(status, told)) as port, at(f"127.0.0.1:{port}") as user:
        assert shown in " ".join((await user.sees("Asking again")).split())


async def test_nothing_is_watched_yet(headroom: Headroom) -> None:
    headroom.server.told = Told(waited_for=["demo, eu-west-1"])
    async with at(headroom.address, OFTEN) as user:
        await user.sees("No series is watched yet; not read yet: demo, eu-west-1", "no sample yet")
        headroom.server.told = Told()
        await user.sees("No series is watched yet; its page /status says how the accounts fare")


async def test_a_series_that_goes_while_it_is_open(headroom: Headroom) -> None:
    (series,) = await headroom.stand(("clicks", Zone.SATURATED, 0.5))
    async with at(headroom.address, OFTEN) as user:
        await user.press("enter")
        await user.sees("Why this limit")
        headroom.server.fleet.drop(series.key)
        await headroom.server.publish()
        await user.sees("no series has the id", "Why this limit")
        await user.press("escape")
        await user.sees("No series is watched yet")
