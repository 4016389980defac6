"""Which alerts another one explains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import ACCOUNT
from monitor.alerting.inhibit import BLIND, explained
from monitor.alerting.notice import Notice, Severity
from rules.limits import signals
from tests.monitor.alerting.notices import notice

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def alert(
    what: str, resource: str, utilization: float = 1.0, severity: Severity = CRITICAL, **how: str
) -> Notice:
    """An alert named by its signal and resource."""
    service, signal = what.split(".")
    name = f"{signal} {resource}"
    return notice(
        name, severity, service=service, signal=signal, resource=resource, utilization=utilization, **how
    )


STREAM, SHARD = "kinesis.stream_write_bytes", "kinesis.shard_write_bytes"
ALL, FREE, CALLS, GROWTH = (
    f"lambda.{name}"
    for name in (
        "account_concurrency",
        "unreserved_concurrency",
        "invoke_rate_sync",
        "concurrency_scaling_rate",
    )
)

TOLD: list[tuple[str, list[Notice], list[str]]] = [
    ("one alone", [alert(STREAM, "a")], ["stream_write_bytes a"]),
    (
        "bytes and records share their refusals: the nearer one is told",
        [alert(STREAM, "a", 0.95), alert("kinesis.stream_write_records", "a", 0.99)],
        ["stream_write_records a"],
    ),
    (
        "nothing is shared with another stream",
        [alert(STREAM, "a"), alert("kinesis.stream_write_records", "b")],
        ["stream_write_bytes a", "stream_write_records b"],
    ),
    (
        "nor with another account or region",
        [alert(STREAM, "a"), alert("kinesis.stream_write_records", "a", region="us-east-1")],
        ["stream_write_bytes a", "stream_write_records a"],
    ),
    (
        "a hot shard explains its stream",
        [alert(STREAM, "a", 0.4), alert(SHARD, "a/1", 1.0), alert(SHARD, "a/2", 0.95)],
        ["shard_write_bytes a/1", "shard_write_bytes a/2"],
    ),
    (
        "a stream at its limit explains its shards",
        [alert(STREAM, "a", 0.97), alert(SHARD, "a/1", 1.0), alert(SHARD, "a/2", 0.95), alert(SHARD, "ab/2")],
        ["stream_write_bytes a", "shard_write_bytes ab/2"],
    ),
    (
        "a burst is told of the stream",
        [alert(STREAM, "a", 0.2), alert(SHARD, "a/1", 0.5)],
        ["stream_write_bytes a"],
    ),
    (
        "what is not saturated explains nothing",
        [alert(STREAM, "a", 0.93, WARNING), alert(SHARD, "a/1")],
        ["stream_write_bytes a", "shard_write_bytes a/1"],
    ),
    ("the account is told once", [alert(ALL, ACCOUNT), alert(FREE, ACCOUNT), alert(CALLS, ACCOUNT, 0.3)],
     ["account_concurrency account"]),
    ("by what is at its limit", [alert(ALL, ACCOUNT, 0.6), alert(FREE, ACCOUNT), alert(CALLS, ACCOUNT, 0.3)],
     ["unreserved_concurrency account"]),
    (
        "a function that grows in an account without room follows from that",
        [alert(ALL, ACCOUNT), alert(GROWTH, "f", 3.0, WARNING)],
        ["account_concurrency account"],
    ),
    (
        "in an account with room it does not",
        [alert(ALL, ACCOUNT, 0.95, WARNING), alert(GROWTH, "f", 1.0, WARNING)],
        ["account_concurrency account", "concurrency_scaling_rate f"],
    ),
    (
        "a reservation of its own is a cause of its own",
        [alert(ALL, ACCOUNT), alert("lambda.function_reserved_concurrency", "f")],
        ["account_concurrency account", "function_reserved_concurrency f"],
    ),
    (
        "reads and writes of a prefix share their errors",
        [alert("s3.prefix_read_rate", "b/p/", 0.2), alert("s3.prefix_write_rate", "b/p/", 0.8)],
        ["prefix_write_rate b/p/"],
    ),
    ("of two equals one", [alert("s3.prefix_read_rate", "b/p/"), alert("s3.prefix_write_rate", "b/p/")],
     ["prefix_write_rate b/p/"]),
]  # fmt: skip


@pytest.mark.parametrize(("firing", "told"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_one_problem_is_told_once(firing: list[Notice], told: list[str]) -> None:
    for order in (firing, firing[::-1]):
        assert sorted(one.alert for one in order if one.alert not in explained(order)) == sorted(told)


def test_what_is_explained_says_by_what() -> None:
    firing = [alert(ALL, ACCOUNT), alert(GROWTH, "f", 3.0, WARNING), alert(FREE, ACCOUNT)]
    assert explained(firing) == {
        "concurrency_scaling_rate f": "account_concurrency account",
        "unreserved_concurrency account": "account_concurrency account",
    }


BLINDS = [
    ([("1", "r", "kinesis")], set()),
    ([("1", "r", "kinesis"), ("1", "r", "")], {0}),
    ([("1", "r", "kinesis"), ("1", "s", "")], set()),
    ([("1", "r", "kinesis"), ("2", "r", "")], set()),
    ([("1", "r", ""), ("1", "r", "")], set()),  # of two causes
    ([("1", "r", "kinesis"), ("1", "r", "sqs"), ("1", "r", ""), ("1", "", "")], {0, 1, 2}),
]


@pytest.mark.parametrize(("scopes", "held"), BLINDS)
def test_a_cell_that_is_blind_stands_for_its_services(
    scopes: list[tuple[str, str, str]], held: set[int]
) -> None:
    firing = [
        notice(str(n), zone=BLIND, account=account, region=region, service=service, signal=BLIND, resource="")
        for n, (account, region, service) in enumerate(scopes)
    ]
    assert set(explained(firing)) == set(map(str, held))


def test_what_is_blind_hides_no_series_and_no_series_hides_it() -> None:
    cell = notice("cell", zone=BLIND, signal=BLIND, service="", resource="")
    assert explained([cell, alert(STREAM, "a"), alert(ALL, ACCOUNT)]) == {}


names = st.sampled_from([signal.id for signal in signals() if signal.service in ("kinesis", "lambda")])
resources = st.sampled_from([ACCOUNT, "a", "a/1", "a/2", "b"])
utilizations = st.sampled_from([0.1, 0.5, 0.9, 1.0, 1.2])
alerts = st.builds(alert, names, resources, utilizations, st.sampled_from([CRITICAL, WARNING]))


@given(st.lists(alerts, max_size=12, unique_by=lambda one: one.alert))
def test_what_is_explained_is_explained_in_the_end_by_what_is_told(firing: list[Notice]) -> None:
    by = explained(firing)
    for one in firing:
        cause, steps = one.alert, 0
        while cause in by:
            cause, steps = by[cause], steps + 1
            assert steps <= len(firing)
        assert cause in {other.alert for other in firing}
