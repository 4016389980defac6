"""Readiness, and which accounts can be read."""

from collections.abc import Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, CellStatus, MonitorStatus
from monitor.aws.telemetry import AwsTelemetry, CallRateTelemetry

DENIED = Failure("ListStreams", "", "AccessDenied", "no")
THROTTLED = Failure("GetMetricData", "", "Throttling", "slow down")
NO_KEYS = Failure("", "", "NoCredentialsError", "Unable to locate credentials")
NO_FAILURE: tuple[Failure, ...] = ()


def status_after_runs(*failures_of_runs: tuple[Failure, ...]) -> RunStatus:
    """Return the status after runs, one a minute, with these failures."""
    status = RunStatus()
    for minute, failures in enumerate(failures_of_runs, 1):
        status.end(failures, 60.0 * minute)
    return status


def cell(account: str, poll: RunStatus, **collectors: RunStatus) -> CellStatus:
    """Return the status of a cell."""
    return CellStatus(account=account, region="eu-west-1", name="prod", collectors=collectors, poll=poll)


def entry(name: str, account: str, *failures_of_attempts: tuple[Failure, ...]) -> AccountStatus:
    """Return the status of an entry of `accounts` after attempts to open the account, with these failures."""
    return AccountStatus(name=name, account=account, access=status_after_runs(*failures_of_attempts))


NOT_READY_REASONS = [
    (MonitorStatus(), ""),
    (MonitorStatus(pending=["account a", "1/r"]), ""),  # other accounts were read
    (MonitorStatus(has_data=False, pending=["account a", "1/r"]), "not read yet: account a, 1/r"),
    (MonitorStatus(is_judged=False), "the first judgement is pending"),
    (
        MonitorStatus(has_data=False, inaccessible_accounts={"default": NO_KEYS}),
        "nothing is watched: account default: Unable to locate credentials (NoCredentialsError)",
    ),
    (
        MonitorStatus(
            has_data=False,
            cells=[cell("1", status_after_runs((THROTTLED,)), kinesis=status_after_runs((DENIED,)))],
        ),
        "nothing is watched: prod, eu-west-1: GetMetricData: slow down (Throttling), and 1 more",
    ),
    (MonitorStatus(has_data=False), "nothing is watched: everything that is configured is excluded"),
]


@pytest.mark.parametrize(
    ("status", "reason"), NOT_READY_REASONS, ids=[reason or "ready" for _, reason in NOT_READY_REASONS]
)
def test_headroom_is_ready_once_data_was_read_and_judged(status: MonitorStatus, reason: str) -> None:
    assert (status.not_ready_reason, status.ready) == (reason, not reason)


# Name, status, and by account whether it is up; an account that is not in the mapping is not exported.
ACCOUNTS_UP: list[tuple[str, MonitorStatus, Mapping[str, bool]]] = [
    ("not opened yet", MonitorStatus(accounts=[entry("a", "1")]), {}),
    ("inaccessible", MonitorStatus(accounts=[entry("a", "1", (DENIED,))]), {"1": False}),
    (
        "inaccessible, with an unknown id",
        MonitorStatus(accounts=[entry("default", "", (NO_KEYS,))]),
        {"default": False},
    ),
    (
        "opened, nothing polled yet",
        MonitorStatus(accounts=[entry("a", "1", NO_FAILURE)], cells=[cell("1", status_after_runs())]),
        {"1": True},
    ),
    ("opened, all its regions excluded", MonitorStatus(accounts=[entry("a", "1", NO_FAILURE)]), {}),
    (
        "one poll failed",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)], cells=[cell("1", status_after_runs((DENIED,)))]
        ),
        {"1": True},
    ),
    (
        "two polls failed",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)], cells=[cell("1", status_after_runs((DENIED,), (DENIED,)))]
        ),
        {"1": False},
    ),
    (
        "two polls failed in one region of two",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)],
            cells=[
                cell("1", status_after_runs((DENIED,), (DENIED,))),
                cell("1", status_after_runs(NO_FAILURE)),
            ],
        ),
        {"1": True},
    ),
    (
        "nothing to poll, and all services are denied",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)],
            cells=[cell("1", status_after_runs(NO_FAILURE), kinesis=status_after_runs((DENIED,), (DENIED,)))],
        ),
        {"1": False},
    ),
    (
        "one service of two is denied",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)],
            cells=[
                cell(
                    "1",
                    status_after_runs(NO_FAILURE),
                    sqs=status_after_runs(NO_FAILURE),
                    kinesis=status_after_runs((DENIED,), (DENIED,)),
                )
            ],
        ),
        {"1": True},
    ),
    (
        "some calls are throttled",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE)],
            cells=[cell("1", status_after_runs((THROTTLED,), (THROTTLED,)))],
        ),
        {"1": True},
    ),
    (
        "one of two entries for the account is denied",
        MonitorStatus(
            accounts=[entry("a", "1", NO_FAILURE), entry("b", "1", (DENIED,))],
            cells=[cell("1", status_after_runs(NO_FAILURE))],
        ),
        {"1": True},
    ),
]


@pytest.mark.parametrize(
    ("status", "up"), [case[1:] for case in ACCOUNTS_UP], ids=[case[0] for case in ACCOUNTS_UP]
)
def test_an_account_is_up_when_something_in_it_can_be_read(
    status: MonitorStatus, up: Mapping[str, bool]
) -> None:
    assert status.accounts_up == up


def test_only_the_current_accounts_are_exported() -> None:
    registry = CollectorRegistry()
    telemetry = AwsTelemetry(registry)
    telemetry.set_accounts_up({"default": False, "1": True})
    assert b'headroom_account_up{aws_account="default"} 0.0' in generate_latest(registry)
    telemetry.set_accounts_up({"1": True})  # the id became known
    assert b"default" not in generate_latest(registry)


def test_call_rates_may_change_while_a_scrape_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    rates = CallRateTelemetry(registry)
    rates.set("1", "eu-west-1", "sqs", 5.0)
    rates.set("2", "eu-west-1", "sqs:ListQueues", 2.0)
    add_metric = GaugeMetricFamily.add_metric

    def change_rates_and_add(family: GaugeMetricFamily, labels: Sequence[str], value: float) -> None:
        rates.set("3", "eu-west-1", "sqs", 1.0)  # as the event loop may do while a thread renders the scrape
        add_metric(family, labels, value)

    with monkeypatch.context() as patch:
        patch.setattr(GaugeMetricFamily, "add_metric", change_rates_and_add)
        assert generate_latest(registry).count(b"headroom_aws_call_rate_limit{") == 2
    rates.forget("2", "eu-west-1")
    exported = generate_latest(registry).decode()
    assert [f'aws_account="{account}"' in exported for account in "123"] == [True, False, True]
