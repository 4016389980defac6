"""Blind spots: when a target becomes a blind spot, and how blind spots are grouped into alerts."""

import pytest

from monitor.alerting.visibility import (
    MAX_UNREAD,
    MIN_BLIND,
    ObservationTarget,
    blind_spots,
    observation_targets,
)
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass
from monitor.aws.run_status import FailureStreak, RunStatus
from monitor.aws.status import AccountStatus, CellStatus, MonitorStatus
from tests.monitor.alerting.notices import ACCOUNT, REGION

NOW = 1_000_000.0
DENIED, EXPIRED, UNREACHABLE = FailureClass.DENIED, FailureClass.EXPIRED, FailureClass.UNREACHABLE
INTERVALS = INVENTORY_INTERVAL, POLL_INTERVAL = 600, 300  # seconds
# Without an ended attempt, an inventory fails for the time of two inventories and of one attempt.
MAX_UNREAD_INVENTORY = 2 * INVENTORY_INTERVAL + 60
METRICS = ObservationTarget(ACCOUNT, REGION, "", "prod", NOW, POLL_INTERVAL)
KINESIS, LAMBDA = (
    METRICS._replace(service=service, interval=INVENTORY_INTERVAL) for service in ("kinesis", "lambda")
)
ACCOUNT_TARGET = ObservationTarget("staging", "", "", "staging", NOW, 60, never_seen=True)
NEVER_READ = METRICS._replace(never_seen=True)


def failing_target(
    target: ObservationTarget, seconds: float = 5000, cause: str = DENIED, attempts: int = 2
) -> ObservationTarget:
    """Return the target after failed attempts in a row.

    seconds: since the last successful read. attempts: how many failed; 0: none has ended since that read.
    """
    failures = (Failure("ListStreams", "", cause, "no"),) if attempts else ()
    return target._replace(
        last_seen=NOW - seconds,
        cause=cause if attempts else "",
        failures=failures,
        failed_attempts=attempts,
    )


# Name, target, and whether it is a blind spot.
TARGETS = [
    ("one failed attempt", failing_target(METRICS, 360, attempts=1), False),
    ("two failed attempts within a short time", failing_target(METRICS, MIN_BLIND - 1), False),
    ("two failed attempts", failing_target(METRICS, MIN_BLIND), True),
    ("two failed inventories", failing_target(KINESIS, 660), True),
    ("two attempts with expired credentials", failing_target(METRICS, 60, EXPIRED), True),
    ("one attempt with expired credentials", failing_target(METRICS, 60, EXPIRED, attempts=1), False),
    ("never read, and denied", failing_target(NEVER_READ, 60), True),
    ("never read, and unreachable", failing_target(NEVER_READ, 60, UNREACHABLE), False),
    ("never read, and unreachable for long", failing_target(NEVER_READ, MIN_BLIND, UNREACHABLE), True),
    (
        "an account that could never be opened, two attempts",
        failing_target(ACCOUNT_TARGET, 60, UNREACHABLE),
        True,
    ),
    (
        "an account that could never be opened, one attempt",
        failing_target(ACCOUNT_TARGET, 60, UNREACHABLE, attempts=1),
        False,
    ),
    ("no read has ended for longer than allowed", failing_target(METRICS, MAX_UNREAD + 1, attempts=0), True),
    ("no read has ended, for as long as allowed", failing_target(METRICS, MAX_UNREAD, attempts=0), False),
    (
        "no inventory has ended, for as long as allowed",
        failing_target(KINESIS, MAX_UNREAD_INVENTORY, attempts=0),
        False,
    ),
    (
        "no inventory has ended for longer than allowed",
        failing_target(KINESIS, MAX_UNREAD_INVENTORY + 1, attempts=0),
        True,
    ),
]


@pytest.mark.parametrize(
    ("target", "is_blind"), [case[1:] for case in TARGETS], ids=[case[0] for case in TARGETS]
)
def test_a_target_is_a_blind_spot_after_enough_failures(target: ObservationTarget, is_blind: bool) -> None:
    assert bool(blind_spots([target], NOW)) is is_blind


OTHER_REGION = KINESIS._replace(region="us-east-1")
# Name, targets, and the account, the cause, and the numbers of places and regions of each blind spot.
BLIND_SPOTS: list[tuple[str, list[ObservationTarget], list[tuple[str, str, int, int]]]] = [
    ("a cell", [failing_target(METRICS)], [(ACCOUNT, DENIED, 1, 1)]),
    ("services of a cell", [failing_target(KINESIS), failing_target(LAMBDA)], [(ACCOUNT, DENIED, 2, 1)]),
    (
        "regions of an account",
        [failing_target(KINESIS), failing_target(OTHER_REGION)],
        [(ACCOUNT, DENIED, 2, 2)],
    ),
    ("one region of two", [failing_target(KINESIS), OTHER_REGION], [(ACCOUNT, DENIED, 1, 2)]),
    (
        "two causes",
        [failing_target(KINESIS), failing_target(LAMBDA, cause=UNREACHABLE)],
        [(ACCOUNT, DENIED, 1, 1), (ACCOUNT, UNREACHABLE, 1, 1)],
    ),
    (
        "two causes of one service",
        [failing_target(METRICS), failing_target(METRICS, cause=UNREACHABLE)],
        [(ACCOUNT, DENIED, 1, 1), (ACCOUNT, UNREACHABLE, 1, 1)],
    ),
    (
        "two accounts",
        [failing_target(KINESIS), failing_target(KINESIS._replace(account="2"))],
        [(ACCOUNT, DENIED, 1, 1), ("2", DENIED, 1, 1)],
    ),
    (
        "a place that failed once is included if another place has the same permanent cause",
        [failing_target(KINESIS), failing_target(LAMBDA, 60, attempts=1)],
        [(ACCOUNT, DENIED, 2, 1)],
    ),
    (
        "a place that failed once is not included if another place has the same temporary cause",
        [
            failing_target(KINESIS, cause=UNREACHABLE),
            failing_target(LAMBDA, 60, cause=UNREACHABLE, attempts=1),
        ],
        [(ACCOUNT, UNREACHABLE, 1, 1)],
    ),
    ("one failure of one place", [failing_target(KINESIS, 60, attempts=1), LAMBDA], []),
    ("a read that did not end", [failing_target(METRICS, attempts=0)], [(ACCOUNT, FailureClass.LATE, 1, 1)]),
]


@pytest.mark.parametrize(
    ("targets", "expected"), [case[1:] for case in BLIND_SPOTS], ids=[case[0] for case in BLIND_SPOTS]
)
def test_targets_are_grouped_by_account_and_cause(
    targets: list[ObservationTarget], expected: list[tuple[str, str, int, int]]
) -> None:
    for order in (targets, targets[::-1]):
        spots = blind_spots(order, NOW)
        assert [(spot.account, spot.cause, spot.place_count, spot.region_count) for spot in spots] == expected
        assert len({spot.alert for spot in spots}) == len(spots)


def test_more_affected_places_change_neither_the_id_nor_the_labels_of_an_alert() -> None:
    (one_place,) = blind_spots([failing_target(KINESIS)], NOW)
    (three_places,) = blind_spots(
        [failing_target(LAMBDA, 6000), failing_target(KINESIS), failing_target(OTHER_REGION)], NOW + 60
    )
    assert (one_place.alert, one_place.labels) == (three_places.alert, three_places.labels)
    assert one_place.labels == {
        "account": ACCOUNT,
        "account_name": "prod",
        "signal": "blind",
        "cause": "denied",
        "severity": "warning",
    }
    assert three_places.since == NOW - 6000


def test_a_cell_has_a_target_for_its_metrics_and_for_each_service_and_cause() -> None:
    streams_denied, shards_denied, timed_out = (
        Failure("ListStreams", "", "AccessDeniedException", "no"),
        Failure("ListShards", "clicks", "AccessDenied", "no, too"),
        Failure("", "", "TimeoutError", "no answer"),
    )
    kinesis = RunStatus(20.0, 10.0)
    kinesis.end((streams_denied, shards_denied, timed_out), 25.0)
    poll = RunStatus()
    poll.end((), 30.0)
    cell = CellStatus(
        account=ACCOUNT,
        region=REGION,
        name="prod",
        collectors={"kinesis": kinesis, "sqs": RunStatus()},
        poll=poll,
    )
    status = MonitorStatus(cells=[cell])
    failed_once = KINESIS._replace(failed_attempts=1, last_seen=10.0)
    assert list(observation_targets(status, started=5.0, intervals=INTERVALS)) == [
        METRICS._replace(last_seen=30.0),
        failed_once._replace(cause=DENIED, failures=(streams_denied, shards_denied)),
        failed_once._replace(cause=UNREACHABLE, failures=(timed_out,)),
        KINESIS._replace(service="sqs", last_seen=5.0, ended=False, never_seen=True),
    ]


def test_the_target_of_an_inaccessible_account_has_the_account_id_if_it_is_known() -> None:
    denied = Failure("AssumeRole", "", "AccessDenied", "not you")
    entry = AccountStatus(name="staging", account="2" * 12, access=RunStatus())
    entry.access.end((denied,), 10.0)
    entry.access.end((denied,), 70.0)
    target = ACCOUNT_TARGET._replace(last_seen=5.0, cause=DENIED, failures=(denied,), failed_attempts=1)
    inaccessible = {"staging": denied}
    status_without_id = MonitorStatus(inaccessible_accounts=inaccessible)
    assert list(observation_targets(status_without_id, 5.0, INTERVALS)) == [target]
    status_with_id = MonitorStatus(inaccessible_accounts=inaccessible, accounts=[entry])
    assert list(observation_targets(status_with_id, 5.0, INTERVALS)) == [
        target._replace(account="2" * 12, failed_attempts=2)
    ]
    assert entry.access.streaks == {DENIED: FailureStreak(2, None, 70.0)}


def test_a_read_with_a_longer_interval_may_be_late_for_longer() -> None:
    """Services without resources, and the list of linked accounts, have a longer interval."""
    run = RunStatus(interval=3600)
    run.end((), NOW - 7000)
    cell = CellStatus(
        account=ACCOUNT, region=REGION, name="prod", collectors={"sqs": run}, poll=RunStatus(NOW, NOW)
    )
    targets = list(observation_targets(MonitorStatus(cells=[cell]), NOW, INTERVALS))
    assert blind_spots(targets, NOW) == []
    assert [spot.cause for spot in blind_spots(targets, NOW + 300)] == [FailureClass.LATE]


MONITORING, FIRST_LINKED, SECOND_LINKED = "9" * 12, "1" * 12, "2" * 12


def linked_cells(*denied: str) -> MonitorStatus:
    """Return the status of a monitoring account and two linked accounts.

    denied: the accounts whose inventory was denied twice.
    """

    def inventory(account: str) -> RunStatus:
        run = RunStatus()
        failures = (Failure("ListMetrics", "", "AccessDenied", "no"),) if account in denied else ()
        for at in (NOW - 1000, NOW - 400):
            run.end(failures, at)
        return run

    monitoring_cell = CellStatus(
        account=MONITORING, region=REGION, name="hub", collectors={}, poll=RunStatus(NOW, NOW)
    )
    linked_cell_statuses = [
        CellStatus(
            account=account,
            region=REGION,
            name=account,
            collectors={"efs": inventory(account)},
            poll=RunStatus(NOW, NOW),
            signer=MONITORING,
        )
        for account in (FIRST_LINKED, SECOND_LINKED)
    ]
    return MonitorStatus(cells=[monitoring_cell, *linked_cell_statuses])


@pytest.mark.parametrize(
    ("denied", "expected"),
    [
        ((FIRST_LINKED, SECOND_LINKED), [(MONITORING, "hub")]),
        ((FIRST_LINKED,), [(FIRST_LINKED, FIRST_LINKED)]),
        ((), []),
    ],
)
def test_a_failure_of_all_linked_accounts_is_a_blind_spot_of_their_monitoring_account(
    denied: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    targets = list(observation_targets(linked_cells(*denied), NOW - 5000, INTERVALS))
    assert [(spot.account, spot.name) for spot in blind_spots(targets, NOW)] == expected
