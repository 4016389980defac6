"""Restarts: what the alert engine restores from earlier processes, and what it forgets."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.tables import STATES
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.notifiers.notice import NoticeKind
from monitor.outbound.result import retry
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.stage import DENIED, UNREAD_THROTTLES, Stage, configuration
from tests.monitor.fleet.fleets import ACCOUNT, REGION, key

# The samples of a series, and the expected notices, in the letters of `stage`; `|` is a restart, after which
# the samples before the restart are read again.
RESTARTS = {
    "a firing alert is notified once": ("..ccc|ccccc", "....F|....."),
    "no sample after the restart": ("..ccc|_", "....F|."),
    "resolved after the restart": ("..ccc|....", "....F|..R."),
    "a pending alert keeps its start": ("..cc|cc", "....|F."),
    "worse after the restart": ("..ccc|sss", "....F|W.."),
    "unread throttles resolve no alert": ("..ss|???ss", "..F.|....."),
    "no alert before and after": (".....|....", ".....|...."),
}


@pytest.mark.parametrize(("samples", "expected"), RESTARTS.values(), ids=RESTARTS)
async def test_notices_across_a_restart(samples: str, expected: str, storage: Path | MemoryStore) -> None:
    before, after = samples.split("|")
    async with Stage.opened(storage) as stage:
        first = await stage.play(orders=before)
        minute = stage.minute
    async with Stage.opened(storage, minute=minute) as stage:
        for back, letter in enumerate(reversed(before), 1):  # the earlier throttles are unread, too
            unread = UNREAD_THROTTLES if after.startswith(UNREAD_THROTTLES) else letter
            stage.write(stage.series("orders"), minute - back, unread)
        second = await stage.play(orders=after)
        assert f"{first}|{second}" == expected
        assert len({one.number for one in stage.notices}) == len(stage.notices)


async def test_an_alert_whose_cause_ended_between_two_processes_is_resolved(
    storage: Path | MemoryStore,
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 30) as stage:
        for ago in range(30):
            stage.write(stage.series("orders"), minute + ago, ".")
        (over,) = await stage.process()
        assert over.kind is NoticeKind.RESOLVED


async def test_firing_alerts_are_exported_before_new_samples_arrive(storage: Path | MemoryStore) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute) as stage:
        stage.set_read_result(succeeded=None, failures=(DENIED,))
        assert await stage.process() == []
        assert stage.states == {}
        stage.series("orders")  # a later inventory finds the series
        assert await stage.process() == []
        assert stage.states == {key("orders"): "firing warning"}


async def test_a_receiver_that_was_down_is_notified_after_a_restart(storage: Path | MemoryStore) -> None:
    async with Stage.opened(storage) as stage:
        stage.answer = retry("http_503", "it answered 503")
        await stage.play(orders="..ccc")
        (first,) = stage.sent
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 10) as stage:
        await stage.deliver()
        assert [one.id for one in stage.sent] == [first.id]


INVENTORIES: dict[str, tuple[Any, bool]] = {
    "the inventory of its service succeeded": ({"service": "kinesis"}, True),
    "the inventory of its service failed": (
        {"service": "kinesis", "succeeded": None, "failures": (DENIED,)},
        False,
    ),
    "the inventory of another service succeeded": ({"service": "sqs"}, False),
}


@pytest.mark.parametrize(("inventory", "lost"), INVENTORIES.values(), ids=INVENTORIES)
async def test_an_alert_without_a_series_ends_only_after_an_inventory(
    inventory: dict[str, Any], lost: bool, storage: Path | MemoryStore
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 60) as stage:
        stage.set_read_result(**inventory)
        assert [one.resolution_reason for one in await stage.process()] == [
            "the resource no longer exists"
        ] * lost
        stage.set_read_result()
        assert len(stage.notices) + len(await stage.process(15)) == 1 or lost


@pytest.mark.parametrize(
    ("status", "services", "lost"),
    [
        (MonitorStatus(), ["kinesis"], True),  # its account is not watched any more
        (
            MonitorStatus(inaccessible_accounts={"staging": DENIED}),
            ["kinesis"],
            False,
        ),
        (MonitorStatus(pending=["account prod"]), ["kinesis"], False),
        (
            MonitorStatus(
                cells=[CellStatus(account=ACCOUNT, region=REGION, name="", collectors={}, poll=RunStatus())]
            ),
            ["sqs"],
            True,
        ),
        (
            MonitorStatus(
                cells=[CellStatus(account=ACCOUNT, region=REGION, name="", collectors={}, poll=RunStatus())]
            ),
            ["kinesis"],
            False,
        ),
    ],
)
async def test_an_alert_without_a_series_ends_where_nothing_is_monitored(
    status: MonitorStatus, services: list[str], lost: bool, storage: Path | MemoryStore
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, configuration(services=services), minute) as stage:
        stage.status = status
        assert bool(await stage.process()) is lost


async def test_alert_states_without_a_series_are_deleted_once_everything_was_read(
    storage: Path | MemoryStore,
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="...cc", clicks="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 60) as stage:
        await stage.process()
        await stage.process()
    async with Stage.opened(storage, minute=minute + 61) as stage:
        assert set(stage.store.all(STATES)) == {"judged"}


async def test_alert_states_of_an_older_schema_are_restored(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..cc")
        minute = stage.minute
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute(
            """UPDATE states SET key = 'life/' || substr(key, 8),
            value = CAST(replace(value, '"last_sample":', '"seen":') AS BLOB) WHERE key LIKE 'states/%'"""
        )
        connection.executescript("DROP TABLE spending; DROP TABLE sent_notices; PRAGMA user_version = 5")
    async with Stage.opened(tmp_path, minute=minute) as stage:
        assert [row for row in stage.store.all(STATES) if row != "judged"] == [f"states/{key('orders').id}"]
        for back, letter in enumerate("cc..", 1):
            stage.write(stage.series("orders"), minute - back, letter)
        assert await stage.play(orders="c") == "F"


async def test_notice_numbers_continue_when_an_alert_fires_for_longer_than_the_history_reaches(
    tmp_path: Path,
) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        (first,) = stage.notices
        minute = stage.minute
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM history")
    async with Stage.opened(tmp_path, minute=minute) as stage:
        await stage.play(orders="sss")
        assert [one.number > first.number for one in stage.notices] == [True]
