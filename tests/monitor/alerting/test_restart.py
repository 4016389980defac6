"""Restarts: which alerts and alert states of earlier processes are restored, and which are deleted."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.engine_state import EVALUATED_UNTIL
from monitor.alerting.tables import STATES
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.notifiers.notice import NoticeKind
from monitor.outbound.result import retry_result
from tests.monitor.alerting.harness import DENIED, UNREAD_THROTTLED_DEMAND, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import ACCOUNT, REGION, key

# The samples of a series, and the expected notices, in the letters that are explained in `harness`. `|` is a
# restart, after which the earlier samples are read again.
RESTARTS = {
    "a firing alert is notified once": ("..ccc|ccccc", "....F|....."),
    "no sample after the restart": ("..ccc|_", "....F|."),
    "clear samples after the restart resolve the alert": ("..ccc|....", "....F|..R."),
    "a pending alert keeps its start": ("..cc|cc", "....|F."),
    "worse samples after the restart worsen the alert": ("..ccc|sss", "....F|W.."),
    "throttled demand that is not read after the restart resolves no alert": ("..ss|???ss", "..F.|....."),
    "no alert before and after the restart": (".....|....", ".....|...."),
}


@pytest.mark.parametrize(("samples", "expected"), RESTARTS.values(), ids=RESTARTS)
async def test_notices_across_a_restart(samples: str, expected: str, storage: Path | MemoryStore) -> None:
    samples_before, samples_after = samples.split("|")
    async with AlertingHarness.opened(storage) as harness:
        notices_before = await harness.run_minutes(orders=samples_before)
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute) as harness:
        # If throttled demand is not read after the restart, it is not read for the earlier minutes either.
        is_unread = samples_after.startswith(UNREAD_THROTTLED_DEMAND)
        for minutes_ago, letter in enumerate(reversed(samples_before), 1):
            letter_read_again = UNREAD_THROTTLED_DEMAND if is_unread else letter
            harness.write(harness.series("orders"), minute - minutes_ago, letter_read_again)
        notices_after = await harness.run_minutes(orders=samples_after)
        assert f"{notices_before}|{notices_after}" == expected
        assert len({notice.number for notice in harness.notices}) == len(harness.notices)


async def test_an_alert_whose_breach_ended_between_two_processes_is_resolved(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 30) as harness:
        for minute_between in range(minute, minute + 30):
            harness.write(harness.series("orders"), minute_between, ".")
        (notice,) = await harness.process()
        assert notice.kind is NoticeKind.RESOLVED


async def test_a_firing_alert_is_exported_as_soon_as_its_series_is_found_even_without_new_samples(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute) as harness:
        harness.set_read_result(succeeded=None, failures=(DENIED,))
        assert await harness.process() == []
        assert harness.states == {}
        harness.series("orders")  # a later inventory finds the series
        assert await harness.process() == []
        assert harness.states == {key("orders"): "firing warning"}


async def test_a_receiver_that_was_down_is_notified_after_a_restart(storage: Path | MemoryStore) -> None:
    async with AlertingHarness.opened(storage) as harness:
        harness.answer = retry_result("http_503", "it answered 503")
        await harness.run_minutes(orders="..ccc")
        (undelivered,) = harness.sent
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 10) as harness:
        await harness.deliver()
        assert [notification.id for notification in harness.sent] == [undelivered.id]


# Arguments of `set_read_result`, and whether the alert is resolved.
INVENTORIES: dict[str, tuple[Any, bool]] = {
    "the inventory of its service succeeded": ({"service": "kinesis"}, True),
    "the inventory of its service failed": (
        {"service": "kinesis", "succeeded": None, "failures": (DENIED,)},
        False,
    ),
    "the inventory of another service succeeded": ({"service": "sqs"}, False),
    "all lists succeeded, though calls about other resources failed": (
        {"service": "kinesis", "succeeded": None, "failures": (DENIED,), "unread": {("other",)}},
        True,
    ),
    "the resource is listed, and a call about it failed": (
        {"service": "kinesis", "succeeded": None, "failures": (DENIED,), "unread": {("orders",)}},
        False,
    ),
    "the resource waits for its turn": ({"service": "kinesis", "unread": {("orders",)}}, False),
}


@pytest.mark.parametrize(("inventory", "is_resolved"), INVENTORIES.values(), ids=INVENTORIES)
async def test_an_alert_whose_series_is_not_found_ends_only_after_an_inventory_of_its_service(
    inventory: dict[str, Any], is_resolved: bool, storage: Path | MemoryStore
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 60) as harness:
        harness.set_read_result(**inventory)
        assert [notice.resolution_reason for notice in await harness.process()] == [
            "the resource no longer exists"
        ] * is_resolved
        harness.set_read_result()  # a successful inventory
        await harness.process(15)
        assert len(harness.notices) == 1


@pytest.mark.parametrize(
    ("status", "services", "is_resolved"),
    [
        (MonitorStatus(), ["kinesis"], True),
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
    ids=[
        "the account is no longer monitored",
        "an account is inaccessible",
        "an account is not opened yet",
        "the service is no longer monitored",
        "the account and the service are monitored",
    ],
)
async def test_an_alert_without_a_series_ends_if_its_account_or_service_is_not_monitored(
    status: MonitorStatus, services: list[str], is_resolved: bool, storage: Path | MemoryStore
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, configuration(services=services), minute) as harness:
        harness.status = status
        assert bool(await harness.process()) is is_resolved


async def test_alert_states_without_a_series_are_deleted_after_a_complete_inventory(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="...cc", clicks="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 60) as harness:
        await harness.process()
        await harness.process()
    async with AlertingHarness.opened(storage, minute=minute + 61) as harness:
        assert set(harness.store.rows_of(STATES)) == {EVALUATED_UNTIL}


async def test_alert_states_of_an_older_schema_are_restored(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..cc")
        minute = harness.minute
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute(
            """UPDATE states SET key = 'life/' || substr(key, 8),
            value = CAST(replace(value, '"last_sample":', '"seen":') AS BLOB) WHERE key LIKE 'states/%'"""
        )
        connection.executescript(
            """DROP TABLE spending; DROP TABLE sent_notices;
            ALTER TABLE acknowledgements DROP COLUMN replaced; PRAGMA user_version = 5"""
        )
    async with AlertingHarness.opened(tmp_path, minute=minute) as harness:
        assert [row_key for row_key in harness.store.rows_of(STATES) if row_key != EVALUATED_UNTIL] == [
            f"states/{key('orders').id}"
        ]
        for minutes_ago, letter in enumerate("cc..", 1):
            harness.write(harness.series("orders"), minute - minutes_ago, letter)
        assert await harness.run_minutes(orders="c") == "F"


async def test_notice_numbers_continue_although_the_notice_of_a_firing_alert_left_the_history(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        (notice_before,) = harness.notices
        minute = harness.minute
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM history")
    async with AlertingHarness.opened(tmp_path, minute=minute) as harness:
        await harness.run_minutes(orders="sss")
        (notice,) = harness.notices
        assert notice.number > notice_before.number
