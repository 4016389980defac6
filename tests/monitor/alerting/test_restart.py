"""Restarts: which alerts and alert states of earlier processes are restored, and which are deleted."""

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

# The samples of a series, and the expected notices, in the letters of `stage`. `|` is a restart; after it,
# the earlier samples are read again.
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
        for back, letter in enumerate(
            reversed(before), 1
        ):  # throttles that are unread now are unread for earlier minutes, too
            reread = UNREAD_THROTTLES if after.startswith(UNREAD_THROTTLES) else letter
            stage.write(stage.series("orders"), minute - back, reread)
        second = await stage.play(orders=after)
        assert f"{first}|{second}" == expected
        assert len({notice.number for notice in stage.notices}) == len(stage.notices)


async def test_an_alert_whose_breach_ended_between_two_processes_is_resolved(
    storage: Path | MemoryStore,
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 30) as stage:
        for ago in range(30):
            stage.write(stage.series("orders"), minute + ago, ".")
        (notice,) = await stage.process()
        assert notice.kind is NoticeKind.RESOLVED


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
        assert [notification.id for notification in stage.sent] == [first.id]


INVENTORIES: dict[str, tuple[Any, bool]] = {
    "the inventory of its service succeeded": ({"service": "kinesis"}, True),
    "the inventory of its service failed": (
        {"service": "kinesis", "succeeded": None, "failures": (DENIED,)},
        False,
    ),
    "the inventory of another service succeeded": ({"service": "sqs"}, False),
}


@pytest.mark.parametrize(("inventory", "is_lost"), INVENTORIES.values(), ids=INVENTORIES)
async def test_an_alert_without_a_series_ends_only_after_an_inventory(
    inventory: dict[str, Any], is_lost: bool, storage: Path | MemoryStore
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 60) as stage:
        stage.set_read_result(**inventory)
        assert [notice.resolution_reason for notice in await stage.process()] == [
            "the resource no longer exists"
        ] * is_lost
        stage.set_read_result()
        assert len(stage.notices) + len(await stage.process(15)) == 1 or is_lost


@pytest.mark.parametrize(
    ("status", "services", "is_lost"),
    [
        (MonitorStatus(), ["kinesis"], True),  # the account is no longer monitored
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
async def test_an_alert_without_a_series_ends_if_its_account_or_service_is_not_monitored(
    status: MonitorStatus, services: list[str], is_lost: bool, storage: Path | MemoryStore
) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(storage, configuration(services=services), minute) as stage:
        stage.status = status
        assert bool(await stage.process()) is is_lost


async def test_alert_states_without_a_series_are_deleted_after_a_complete_inventory(
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


async def test_notice_numbers_continue_although_the_notice_of_a_firing_alert_left_the_history(
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
        assert [notice.number > first.number for notice in stage.notices] == [True]
