"""Blind spots: when something is one, and that it is one alert."""

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
DENIED, EXPIRED, SLOW = FailureClass.DENIED, FailureClass.EXPIRED, FailureClass.UNREACHABLE
METRICS = ObservationTarget(ACCOUNT, REGION, "", "prod", NOW, 300)
KINESIS, LAMBDA = (
    METRICS._replace(service="kinesis", interval=600),
    METRICS._replace(service="lambda", interval=600),
)
SHUT = ObservationTarget("staging", "", "", "staging", NOW, 60, never_seen=True)
NEVER = METRICS._replace(never_seen=True)


def failing(
    target: ObservationTarget, seconds: float = 5000, cause: str = DENIED, times: int = 2
) -> ObservationTarget:
    """A target that could not be read for some seconds, in that many attempts in a row."""
    failures = (Failure("ListStreams", "", cause, "no"),) if times else ()
    return target._replace(
        last_seen=NOW - seconds, cause=cause if times else "", failures=failures, failed_attempts=times
    )


BLIND = [
    ("one attempt that failed", failing(METRICS, 360, times=1), False),
    ("two that failed within a short time", failing(METRICS, MIN_BLIND - 1), False),
    ("two that failed", failing(METRICS, MIN_BLIND), True),
    ("two inventories that failed", failing(KINESIS, 660), True),
    ("credentials that expired", failing(METRICS, 60, EXPIRED), True),
    ("credentials that expired, after one attempt", failing(METRICS, 60, EXPIRED, times=1), False),
    ("never read, and denied", failing(NEVER, 60), True),
    ("never read, and out of reach", failing(NEVER, 60, SLOW), False),
    ("never read, and out of reach for long", failing(NEVER, MIN_BLIND, SLOW), True),
    ("an account that was never opened", failing(SHUT, 60, SLOW), True),
    ("an account that was never opened, after one attempt", failing(SHUT, 60, SLOW, times=1), False),
    ("a read that does not end for long", failing(METRICS, MAX_UNREAD + 1, times=0), True),
    ("a read that does not end yet", failing(METRICS, MAX_UNREAD, times=0), False),
    ("a rare read that does not end yet", failing(KINESIS, 1260, times=0), False),
    ("a rare read that does not end for long", failing(KINESIS, 1261, times=0), True),
]


@pytest.mark.parametrize(
    ("target", "is_blind"), [case[1:] for case in BLIND], ids=[case[0] for case in BLIND]
)
def test_whether_a_target_is_a_blind_spot(target: ObservationTarget, is_blind: bool) -> None:
    assert bool(blind_spots([target], NOW)) is is_blind


ELSEWHERE = KINESIS._replace(region="us-east-1")
SPOTS: list[tuple[str, list[ObservationTarget], list[tuple[str, str, int, int]]]] = [
    ("a cell", [failing(METRICS)], [(ACCOUNT, DENIED, 1, 1)]),
    ("services of a cell", [failing(KINESIS), failing(LAMBDA)], [(ACCOUNT, DENIED, 2, 1)]),
    ("regions of an account", [failing(KINESIS), failing(ELSEWHERE)], [(ACCOUNT, DENIED, 2, 2)]),
    ("one region of two", [failing(KINESIS), ELSEWHERE], [(ACCOUNT, DENIED, 1, 2)]),
    (
        "two causes",
        [failing(KINESIS), failing(LAMBDA, cause=SLOW)],
        [(ACCOUNT, DENIED, 1, 1), (ACCOUNT, SLOW, 1, 1)],
    ),
    (
        "two causes of one service",
        [failing(METRICS), failing(METRICS, cause=SLOW)],
        [(ACCOUNT, DENIED, 1, 1), (ACCOUNT, SLOW, 1, 1)],
    ),
    (
        "two accounts",
        [failing(KINESIS), failing(KINESIS._replace(account="2"))],
        [(ACCOUNT, DENIED, 1, 1), ("2", DENIED, 1, 1)],
    ),
    (
        "what failed once, of a cause that is certain elsewhere",
        [failing(KINESIS), failing(LAMBDA, 60, times=1)],
        [(ACCOUNT, DENIED, 2, 1)],
    ),
    (
        "a cause that comes and goes: what failed once is not counted",
        [failing(KINESIS, cause=SLOW), failing(LAMBDA, 60, cause=SLOW, times=1)],
        [(ACCOUNT, SLOW, 1, 1)],
    ),
    ("what failed once and nowhere else", [failing(KINESIS, 60, times=1), LAMBDA], []),
    ("what did not end", [failing(METRICS, times=0)], [(ACCOUNT, FailureClass.LATE, 1, 1)]),
]


@pytest.mark.parametrize(
    ("targets", "expected"), [case[1:] for case in SPOTS], ids=[case[0] for case in SPOTS]
)
def test_a_blind_spot_is_of_one_account_and_cause(
    targets: list[ObservationTarget], expected: list[tuple[str, str, int, int]]
) -> None:
    for order in (targets, targets[::-1]):
        found = blind_spots(order, NOW)
        assert [(one.account, one.cause, one.places, one.regions) for one in found] == expected
        assert len({one.alert for one in found}) == len(found)


def test_an_alert_keeps_its_identity_and_labels_whatever_places_are_affected() -> None:
    (narrow,) = blind_spots([failing(KINESIS)], NOW)
    (wide,) = blind_spots([failing(LAMBDA, 6000), failing(KINESIS), failing(ELSEWHERE)], NOW + 60)
    assert (narrow.alert, narrow.labels) == (wide.alert, wide.labels)
    assert narrow.labels == {
        "account": ACCOUNT,
        "account_name": "prod",
        "signal": "blind",
        "cause": "denied",
        "severity": "warning",
    }
    assert wide.since == NOW - 6000


def test_targets_are_cells_services_and_accounts() -> None:
    denied, too, slow = (
        Failure("ListStreams", "", "AccessDeniedException", "no"),
        Failure("ListShards", "clicks", "AccessDenied", "no, too"),
        Failure("", "", "TimeoutError", "no answer"),
    )
    kinesis = RunStatus(20.0, 10.0)
    kinesis.end((denied, too, slow), 25.0)
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
    once = KINESIS._replace(failed_attempts=1, last_seen=10.0)
    assert list(observation_targets(status, started=5.0, intervals=(600, 300))) == [
        METRICS._replace(last_seen=30.0),
        once._replace(cause=DENIED, failures=(denied, too)),
        once._replace(cause=SLOW, failures=(slow,)),
        KINESIS._replace(service="sqs", last_seen=5.0, ended=False, never_seen=True),
    ]


def test_an_inaccessible_account_has_its_id_where_that_is_known() -> None:
    denied = Failure("AssumeRole", "", "AccessDenied", "not you")
    entry = AccountStatus(name="staging", account="2" * 12, access=RunStatus())
    entry.access.end((denied,), 10.0)
    entry.access.end((denied,), 70.0)
    plain = ObservationTarget("staging", "", "", "staging", 5.0, 60.0, True, DENIED, (denied,), 1, True)
    shut = {"staging": denied}
    assert list(observation_targets(MonitorStatus(inaccessible_accounts=shut), 5.0, (600, 300))) == [plain]
    assert list(
        observation_targets(MonitorStatus(inaccessible_accounts=shut, accounts=[entry]), 5.0, (600, 300))
    ) == [plain._replace(account="2" * 12, failed_attempts=2)]
    assert entry.access.streaks == {DENIED: FailureStreak(2, None, 70.0)}


def test_a_read_with_a_longer_interval_is_late_later() -> None:
    """Services without resources and the list of linked accounts are read more rarely."""
    run = RunStatus(interval=3600)
    run.end((), NOW - 7000)
    cell = CellStatus(
        account=ACCOUNT, region=REGION, name="prod", collectors={"sqs": run}, poll=RunStatus(NOW, NOW)
    )
    targets = list(observation_targets(MonitorStatus(cells=[cell]), NOW, (600, 300)))
    assert blind_spots(targets, NOW) == []
    assert [spot.cause for spot in blind_spots(targets, NOW + 300)] == [FailureClass.LATE]


MONITORING, FIRST, SECOND = "9" * 12, "1" * 12, "2" * 12


def linked_cells(*denied: str) -> MonitorStatus:
    """The cells of two linked accounts; those of some were denied twice."""

    def inventory(account: str) -> RunStatus:
        run = RunStatus()
        failures = (Failure("ListMetrics", "", "AccessDenied", "no"),) if account in denied else ()
        for at in (NOW - 1000, NOW - 400):
            run.end(failures, at)
        return run

    own = CellStatus(account=MONITORING, region=REGION, name="hub", collectors={}, poll=RunStatus(NOW, NOW))
    linked = [
        CellStatus(
            account=account,
            region=REGION,
            name=account,
            collectors={"efs": inventory(account)},
            poll=RunStatus(NOW, NOW),
            signer=MONITORING,
        )
        for account in (FIRST, SECOND)
    ]
    return MonitorStatus(cells=[own, *linked])


@pytest.mark.parametrize(
    ("denied", "alerts"),
    [((FIRST, SECOND), [(MONITORING, "hub")]), ((FIRST,), [(FIRST, FIRST)]), ((), [])],
)
def test_a_failure_of_all_linked_accounts_is_one_blind_spot_of_the_account_that_reads_them(
    denied: tuple[str, ...], alerts: list[tuple[str, str]]
) -> None:
    targets = list(observation_targets(linked_cells(*denied), NOW - 5000, (600, 300)))
    assert [(spot.account, spot.name) for spot in blind_spots(targets, NOW)] == alerts
