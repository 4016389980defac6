"""The alerts of blind spots: one for each account and cause, which ends when everything can be read again."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.aws.failure import Failure
from monitor.aws.median_clock import skew_failures as clock_failures
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, MonitorStatus
from monitor.notifiers.notice import Notice, NoticeKind
from tests.monitor.alerting.cells import FailuresOf, SimulatedCells
from tests.monitor.alerting.harness import DENIED, LETTER_OF_KIND, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.read_cells import read_cells
from tests.monitor.fleet.fleets import ACCOUNT, REGION

HERE, THERE = REGION, "us-east-1"
SERVICES = ("kinesis", "sqs")
EXPIRED = Failure("GetMetricData", "", "ExpiredTokenException", "the security token is expired")
SLOW = Failure("GetMetricData", "", "ThrottlingException", "rate exceeded")


def nothing_fails(*place: str) -> list[Failure]:
    """Return no failures for any place."""
    return []


def failures_at(*failures: Failure, at: Iterable[tuple[str, str]]) -> FailuresOf:
    """Return a function that returns these failures at some regions and services.

    at: pairs of a region and a service; an empty service stands for reads of metrics.
    """
    places = set(at)
    return lambda account, region, service: failures if (region, service) in places else ()


def cells_in(
    regions: Iterable[str] = (HERE, THERE), failures_of: FailuresOf = nothing_fails
) -> SimulatedCells:
    """Return cells whose reads have the failures that `failures_of` returns."""
    return SimulatedCells([ACCOUNT], [*regions], SERVICES, failures_of)


def kinds_of(notices: Iterable[Notice]) -> str:
    """Return the letters of the kinds of notices, as in `LETTER_OF_KIND`."""
    return "".join(LETTER_OF_KIND[notice.kind] for notice in notices)


# Places at which reads fail: pairs of a region and a service.
KINESIS = [(HERE, "kinesis")]
POLL = [(HERE, "")]  # a read of metrics
ALL_HERE = [(HERE, service) for service in ("", *SERVICES)]


async def test_a_denied_service_is_one_alert_that_resolves_when_reads_succeed(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        assert await read_cells(harness, cells, 20) == []
        (notice,) = await read_cells(harness, cells, 60, failures_at(DENIED, at=KINESIS))
        assert notice.labels["cause"] == "denied"
        assert notice.summary.startswith(
            f"AccessDeniedException of kinesis:ListStreams in {HERE} of name-123"
        )
        (resolved,) = await read_cells(harness, cells, 15, nothing_fails)
        assert resolved.summary.startswith("name-123 recovered: nothing is denied any more, after 1 h")


async def test_the_summary_of_a_blind_spot_changes_with_the_denied_places(tmp_path: Path) -> None:
    """A receiver is notified when an alert widens from a service to all of a region, not when it narrows."""
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        await read_cells(harness, cells, 20)
        (first,) = await read_cells(harness, cells, 15, failures_at(DENIED, at=KINESIS))
        wider = await read_cells(harness, cells, 30, failures_at(DENIED, at=[*ALL_HERE, (THERE, "")]))
        assert {notice.kind for notice in wider} == {NoticeKind.WORSENED}
        assert {notice.alert for notice in wider} == {first.alert}
        assert wider[-1].labels == first.labels
        assert f"in 2 of 2 regions of name-123 ({HERE}, {THERE})" in wider[-1].summary
        assert "CloudWatch metrics, Kinesis Data Streams, Simple Queue Service" in wider[-1].summary
        assert await read_cells(harness, cells, 30, failures_at(DENIED, at=POLL)) == []
        (last_notice,) = harness.engine.alerts.values()
        assert last_notice.summary.endswith(
            f"in {HERE} of name-123: no. Not monitored there: CloudWatch metrics."
        )
        assert last_notice.since == first.since
        # The last notice that was sent named all of these places.
        assert await read_cells(harness, cells, 60, failures_at(DENIED, at=ALL_HERE)) == []
        assert kinds_of(await read_cells(harness, cells, 15, nothing_fails)) == "R"


@pytest.mark.parametrize(
    ("failure", "max_delay"),
    [(EXPIRED, 75.0), (replace(DENIED, operation="GetMetricData"), 75.0), (SLOW, 315.0)],
)
async def test_a_poll_that_fails_is_notified_within_minutes(
    failure: Failure, max_delay: float, tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        await read_cells(harness, cells, 20)
        cells.failures_of = failures_at(failure, at=POLL)
        while not harness.status.cells[0].poll.failures:
            assert await read_cells(harness, cells, 0.25) == []
        failed_at = harness.seconds
        while not harness.sent:
            await read_cells(harness, cells, 0.25)
        assert 45 <= harness.sent[0].at - failed_at <= max_delay


async def test_a_single_failed_read_causes_no_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells, failed_hours = cells_in(), set[float]()
        await read_cells(harness, cells, 20)

        def failure_once_an_hour(account: str, region: str, service: str) -> list[Failure]:
            hour = harness.seconds // 3600
            if service or region != HERE or hour in failed_hours:
                return []
            failed_hours.add(hour)
            return [DENIED]

        assert await read_cells(harness, cells, 12 * 60, failure_once_an_hour, step=30) == []
        assert len(failed_hours) >= 12


async def test_a_single_failure_beside_a_lasting_denial_causes_no_further_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        assert kinds_of(await read_cells(harness, cells, 60, failures_at(DENIED, at=POLL))) == "F"
        await read_cells(harness, cells, 5, failures_at(DENIED, SLOW, at=POLL))
        assert await read_cells(harness, cells, 60, failures_at(DENIED, at=POLL)) == []
        assert kinds_of(harness.notices) == "F"


async def test_an_unchanged_blind_spot_is_notified_again_once_a_day(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in(failures_of=failures_at(DENIED, at=ALL_HERE))
        assert kinds_of(await read_cells(harness, cells, 23 * 60, step=60)) == "F"
        assert kinds_of(await read_cells(harness, cells, 26 * 60, step=60)) == "rr"
        assert {notice.kind for notice in harness.notices[1:]} == {NoticeKind.REPEATED}


async def test_an_alertmanager_is_sent_a_firing_blind_alert_repeatedly(tmp_path: Path) -> None:
    receiver = {"name": "am", "type": "alertmanager", "urls": ["https://am.example.org"]}
    async with AlertingHarness.opened(tmp_path, configuration([receiver])) as harness:
        notices = await read_cells(harness, cells_in(failures_of=failures_at(DENIED, at=POLL)), 20, step=60)
        assert len(notices) > 10 and len({notice.alert for notice in notices}) == 1


async def test_a_restart_does_not_resolve_the_alert_of_a_blind_spot_that_remains(
    storage: Path | MemoryStore,
) -> None:
    denials = failures_at(DENIED, at=ALL_HERE)
    async with AlertingHarness.opened(storage) as harness:
        assert kinds_of(await read_cells(harness, cells_in(failures_of=denials), 30)) == "F"
        minute = int(harness.seconds // 60)
    async with AlertingHarness.opened(storage, minute=minute) as harness:
        harness.status = MonitorStatus(pending=["account name-123"])
        assert await harness.process() == []
        harness.status = cells_in().status  # the account was opened, and no read has ended
        assert await harness.process() == []
        # The inaccessible account may be the account of the alert.
        harness.status = MonitorStatus(inaccessible_accounts={"name-123": DENIED})
        assert await harness.process() == []
        cells = cells_in(failures_of=denials)
        assert await read_cells(harness, cells, 60) == []
        assert kinds_of(await read_cells(harness, cells, 15, nothing_fails)) == "R"


async def test_a_reload_neither_resolves_nor_fires_an_alert_of_a_blind_spot(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in(failures_of=failures_at(DENIED, at=ALL_HERE))
        assert kinds_of(await read_cells(harness, cells, 30)) == "F"
        harness.configure(configuration())
        harness.status = MonitorStatus(pending=["account name-123"])
        assert await harness.process() == []
        assert await read_cells(harness, cells_in(failures_of=failures_at(DENIED, at=ALL_HERE)), 30) == []


async def test_the_resolution_says_that_an_account_is_not_monitored_any_more(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await read_cells(harness, cells_in(failures_of=failures_at(DENIED, at=ALL_HERE)), 30)
        harness.status = MonitorStatus()
        (resolved,) = await harness.process(60)
        assert resolved.summary.startswith("name-123 is not monitored any more, after ")


async def test_an_inaccessible_account_is_an_alert_after_the_second_attempt_and_resolves_no_other_alert(
    tmp_path: Path,
) -> None:
    def inaccessible_status(*ends: float) -> dict[str, Any]:
        """Return the fields of a status in which attempts to access an account failed at these times."""
        outcome = RunStatus()
        for at in ends:
            outcome.end((DENIED,), at)
        account = cells_in().status.accounts[0]
        return {
            "accounts": [replace(account, name="staging", account="", access=outcome)],
            "inaccessible_accounts": {"staging": DENIED},
        }

    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.status = replace(harness.status, **inaccessible_status(harness.seconds))
        assert await harness.process(45) == []
        harness.status = replace(harness.status, **inaccessible_status(harness.seconds - 60, harness.seconds))
        (notice,) = await harness.process(15)
        assert notice.labels["account"] == "staging"
        assert "Headroom cannot access the account staging" in notice.summary
        opened = cells_in().status
        accounts = [replace(account, name="staging") for account in opened.accounts]
        harness.status = replace(opened, accounts=accounts)  # no read has ended
        assert await harness.process(60) == []
        cells = cells_in()
        cells.name = "staging"
        (resolved,) = await read_cells(harness, cells, 1, step=60)
        assert resolved.summary.startswith("staging recovered: nothing is denied any more, after ")


@pytest.mark.parametrize("account_name", ["staging", ""])
async def test_an_account_that_is_inaccessible_after_a_restart_keeps_its_alert(
    account_name: str, storage: Path | MemoryStore
) -> None:
    """The id of an account without a role is unknown while the account is inaccessible."""
    name = account_name or "default"

    def with_access(status: MonitorStatus) -> MonitorStatus:
        cells = [replace(cell, name=account_name) for cell in status.cells]
        accounts = [replace(account, name=name, access=RunStatus()) for account in status.accounts]
        return replace(status, cells=cells, accounts=accounts)

    async def read(harness: AlertingHarness, cells: SimulatedCells, minutes: int) -> list[Notice]:
        sent_before = len(harness.sent)
        for _ in range(minutes * 4):
            harness.seconds += 15
            harness.status = with_access(cells.step(harness.seconds))
            await harness.process()
        return [notice for notification in harness.sent[sent_before:] for notice in notification.notices]

    async with AlertingHarness.opened(storage) as harness:
        (first,) = await read(harness, cells_in(failures_of=failures_at(DENIED, at=ALL_HERE)), 20)
        assert first.labels["account"] == ACCOUNT
        minute = int(harness.seconds // 60)
    async with AlertingHarness.opened(storage, minute=minute) as harness:
        access = RunStatus()
        for _ in range(8):
            harness.seconds += 60
            access.end((DENIED,), harness.seconds)
            accounts = [AccountStatus(name=name, access=access)]
            harness.status = MonitorStatus(accounts=accounts, inaccessible_accounts={name: DENIED})
            await harness.process()
        assert harness.sent == []
        (lasting,) = harness.engine.alerts.values()
        assert (lasting.alert, lasting.labels) == (first.alert, first.labels)
        assert f"Headroom cannot access the account {name}" in lasting.summary
        (resolved,) = await read(harness, cells_in(), 1)
        assert (resolved.alert, resolved.kind) == (first.alert, NoticeKind.RESOLVED)


async def test_the_number_of_places_is_exported_while_the_alert_fires(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        await read_cells(harness, cells, 20)
        assert harness.engine.blind_places() == {}
        await read_cells(harness, cells, 30, failures_at(DENIED, at=[*KINESIS, (THERE, "sqs")]))
        assert harness.engine.blind_places() == {(ACCOUNT, "denied"): 2.0}
        await read_cells(harness, cells, 30, nothing_fails)
        assert harness.engine.blind_places() == {}


async def test_a_scope_that_alternates_is_stored_at_most_once_a_minute(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in(failures_of=failures_at(DENIED, at=[(HERE, ""), (THERE, "")]))
        await read_cells(harness, cells, 20)
        (first_notice,) = harness.engine.alerts.values()
        for turn in range(40):  # ten minutes, in which one cell and two cells alternate
            harness.seconds += 15
            status = cells.status
            harness.status = replace(status, cells=status.cells[: 1 + turn % 2])
            assert await harness.process() == []
        (last_notice,) = harness.engine.alerts.values()
        assert first_notice.number < last_notice.number <= first_notice.number + 10


async def test_a_wrong_clock_is_one_alert_with_its_skew(tmp_path: Path) -> None:
    """It is one alert for all accounts and regions, and is resolved as soon as the clock is right."""
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = SimulatedCells([ACCOUNT, "9" * 12], [HERE, THERE], SERVICES, nothing_fails)
        checks = RunStatus()

        async def process(times: int, skew: float) -> list[Notice]:
            sent_before = len(harness.sent)
            for _ in range(times):
                harness.seconds += 15
                checks.end(clock_failures(skew), harness.seconds)
                harness.status = replace(cells.step(harness.seconds), clock=replace(checks))
                await harness.process()
            return [notice for notification in harness.sent[sent_before:] for notice in notification.notices]

        assert await process(100, 5.0) == []
        (notice,) = await process(100, 900.0)
        assert notice.labels["cause"] == "clock"
        assert notice.summary == "This machine's clock is 15 min ahead of AWS's, which is used instead."
        assert "NTP" in notice.remedy[0]
        (resolved,) = await process(4, 5.0)
        assert resolved.kind is NoticeKind.RESOLVED
        assert resolved.summary.startswith("this machine recovered: its clock agrees with AWS's again")


async def test_a_clock_that_was_never_compared_causes_no_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await read_cells(harness, cells_in(), 60) == []


async def test_denials_from_the_start_on_are_one_notice_that_names_all_places(tmp_path: Path) -> None:
    """Polls of a new process run soon, its collectors begin one after another, and groups wait."""
    async with AlertingHarness.opened(tmp_path, configuration(route={"receiver": "pager"})) as harness:
        outcomes = {service: RunStatus() for service in ("", "kinesis", "lambda", "sqs")}
        cell = cells_in().status.cells[0]
        for second in range(0, 600, 5):
            # Read n is made after 5 * n seconds, and 60 and 300 s later. Metrics are also read after 5, 10
            # and 15 s.
            for number, (service, outcome) in enumerate(outcomes.items()):
                is_early_poll = service == "" and second in (5, 10, 15)
                if is_early_poll or (second >= 5 * number and (second - 5 * number) in (0, 60, 300)):
                    outcome.end((DENIED,), harness.seconds)
            collectors = {service: run for service, run in outcomes.items() if service and run.ended_at}
            harness.status = MonitorStatus(cells=[replace(cell, poll=outcomes[""], collectors=collectors)])
            await harness.process(5)
        (notice,) = harness.notices
        assert notice.places == 4
        assert 60 <= notice.at - (harness.seconds - 600) <= 75


async def test_the_log_says_once_when_a_blind_spot_begins_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = cells_in()
        notices = await read_cells(harness, cells, 60, failures_at(DENIED, at=KINESIS))
        notices += await read_cells(harness, cells, 30, failures_at(DENIED, at=ALL_HERE))
        notices += await read_cells(harness, cells, 15, nothing_fails)
    logged = [record.getMessage() for record in caplog.records if record.name == "monitor.alerting.observe"]
    assert logged == [notices[0].summary, notices[-1].summary]
