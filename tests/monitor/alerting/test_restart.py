"""What a process remembers of those before it, and what it forgets."""

from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.notice import Kind
from monitor.alerting.tables import STATES
from monitor.inventory import Outcome
from monitor.notifiers.answer import retry
from monitor.status import CellStatus, Told
from tests.monitor.alerting.stage import DENIED, Stage, configuration
from tests.monitor.fleets import ACCOUNT, REGION, key

# Restarts: `|` is one. The samples before it are read again.
RESTARTS = {
    "firing stays, and is told once": ("..ccc|ccccc", "....F|....."),
    "over while nobody was here": ("..ccc|_", "....F|."),
    "resolved after it": ("..ccc|....", "....F|..R."),
    "pending keeps its start": ("..cc|cc", "....|F."),
    "worse after it": ("..ccc|sss", "....F|W.."),
    "nothing is nothing": (".....|....", ".....|...."),
}


@pytest.mark.parametrize(("samples", "told"), RESTARTS.values(), ids=RESTARTS)
async def test_a_restart(samples: str, told: str, tmp_path: Path) -> None:
    before, after = samples.split("|")
    async with Stage.opened(tmp_path) as stage:
        first = await stage.play(orders=before)
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute) as stage:
        for back, letter in enumerate(reversed(before), 1):
            stage.write(stage.series("orders"), minute - back, letter)
        second = await stage.play(orders=after)
        assert f"{first}|{second}" == told
        assert len({one.number for one in stage.notices}) == len(stage.notices)


async def test_what_ended_while_we_were_away_is_resolved(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute + 30) as stage:
        for ago in range(30):
            stage.write(stage.series("orders"), minute + ago, ".")
        (over,) = await stage.turn()
        assert over.kind is Kind.RESOLVED


async def test_what_fires_is_shown_before_there_are_samples_again(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute) as stage:
        stage.see(succeeded=None, failures=(DENIED,))
        assert await stage.turn() == []
        assert stage.states == {}
        stage.series("orders")  # found by a later look
        assert await stage.turn() == []
        assert stage.states == {key("orders"): "firing warning"}


async def test_a_receiver_that_was_down_is_told_after_a_restart(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.answer = retry("http_503", "it answered 503")
        await stage.play(orders="..ccc")
        (first,) = stage.sent
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute + 10) as stage:
        await stage.deliver()
        assert [one.id for one in stage.sent] == [first.id]


LOOKS: dict[str, tuple[Any, bool]] = {
    "its service was looked at": ({"service": "kinesis"}, True),
    "it failed": ({"service": "kinesis", "succeeded": None, "failures": (DENIED,)}, False),
    "another one was": ({"service": "sqs"}, False),
}


@pytest.mark.parametrize(("look", "lost"), LOOKS.values(), ids=LOOKS)
async def test_an_orphan_is_gone_only_where_it_was_looked_for(
    look: dict[str, Any], lost: bool, tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute + 60) as stage:
        stage.see(**look)
        assert [one.reason for one in await stage.turn()] == ["it is no longer there"] * lost
        stage.see()
        assert len(stage.notices) + len(await stage.turn(15)) == 1 or lost


@pytest.mark.parametrize(
    ("told", "services", "lost"),
    [
        (Told(), ["kinesis"], True),  # its account is not watched any more
        (Told(shut={"staging": DENIED}), ["kinesis"], False),  # or cannot be looked at now
        (Told(waited_for=["account prod"]), ["kinesis"], False),
        (
            Told(cells=[CellStatus(account=ACCOUNT, region=REGION, name="", collectors={}, poll=Outcome())]),
            ["sqs"],
            True,
        ),
        (
            Told(cells=[CellStatus(account=ACCOUNT, region=REGION, name="", collectors={}, poll=Outcome())]),
            ["kinesis"],
            False,
        ),
    ],
)
async def test_an_orphan_that_nobody_watches_is_none(
    told: Told, services: list[str], lost: bool, tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, configuration(services=services), minute) as stage:
        stage.told = told
        assert bool(await stage.turn()) is lost


async def test_lives_of_what_never_comes_back_are_forgotten(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="...cc", clicks="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute + 60) as stage:
        await stage.turn()
        await stage.turn()
    async with Stage.opened(tmp_path, minute=minute + 61) as stage:
        assert set(stage.journal.all(STATES)) == {"judged"}
