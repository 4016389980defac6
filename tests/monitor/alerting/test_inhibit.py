"""Inhibition: which firing alerts are inhibited, and by which alert."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from collectors.base import Resource
from collectors.s3 import prefix_resource
from monitor.alerting.inhibit import BLIND_SIGNAL, inhibiting_alerts
from monitor.notifiers.notice import Notice, Severity
from tests.monitor.alerting.notices import notice
from tests.registries import REGISTRY

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def alert(
    signal_id: str, resource: str, utilization: float = 1.0, severity: Severity = CRITICAL, **changes: Any
) -> Notice:
    """Return the notice of a firing alert. The alert's id is its signal and resource."""
    service, signal = signal_id.split(".")
    name = f"{signal} {resource}"
    return notice(
        name, severity, service=service, signal=signal, resource=resource, utilization=utilization, **changes
    )


def prefix_errors(prefix: str, share: float) -> Notice:
    """Return an alert on a prefix of the bucket `b`. share: of the requests that fail."""
    return alert("s3.prefix_errors", prefix, share, subject=prefix_resource("b", prefix))


def consumer_lag(stream: str, name: str, share: float, severity: Severity) -> Notice:
    """Return an alert on the lag of a stream's consumer. share: the lag, as a share of the retention."""
    consumer = Resource("stream", (stream,)).child("consumer", name)
    return alert("kinesis.efo_consumer_lag", consumer.display_name, share, severity, subject=consumer)


AGE = "kinesis.retention_iterator_age"
MESSAGES = "sqs.fifo_message_rate_batched"
STREAM, SHARD = "kinesis.stream_write_bytes", "kinesis.shard_write_bytes"
CONCURRENCY, UNRESERVED, INVOKES, SCALING = (
    f"lambda.{name}"
    for name in (
        "account_concurrency",
        "unreserved_concurrency",
        "invoke_rate_sync",
        "concurrency_scaling_rate",
    )
)

# Name, firing alerts, and the ids of the alerts that are not inhibited.
CASES: list[tuple[str, list[Notice], list[str]]] = [
    ("a single alert", [alert(STREAM, "a")], ["stream_write_bytes a"]),
    (
        "of bytes and records of one stream, the alert nearer to its limit inhibits the other",
        [alert(STREAM, "a", 0.95), alert("kinesis.stream_write_records", "a", 0.99)],
        ["stream_write_records a"],
    ),
    (
        "alerts of different streams do not inhibit each other",
        [alert(STREAM, "a"), alert("kinesis.stream_write_records", "b")],
        ["stream_write_bytes a", "stream_write_records b"],
    ),
    (
        "alerts of different regions do not inhibit each other",
        [alert(STREAM, "a"), alert("kinesis.stream_write_records", "a", region="us-east-1")],
        ["stream_write_bytes a", "stream_write_records a"],
    ),
    (
        "an alert of a shard at its limit inhibits the alert of its stream below its limit",
        [alert(STREAM, "a", 0.4), alert(SHARD, "a/1", 1.0), alert(SHARD, "a/2", 0.95)],
        ["shard_write_bytes a/1", "shard_write_bytes a/2"],
    ),
    (
        "an alert of a stream at its limit inhibits the alerts of its shards",
        [alert(STREAM, "a", 0.97), alert(SHARD, "a/1", 1.0), alert(SHARD, "a/2", 0.95), alert(SHARD, "ab/2")],
        ["stream_write_bytes a", "shard_write_bytes ab/2"],
    ),
    (
        "of a stream and its shard below their limits, the stream's alert inhibits the shard's",
        [alert(STREAM, "a", 0.2), alert(SHARD, "a/1", 0.5)],
        ["stream_write_bytes a"],
    ),
    (
        "an unsaturated alert on a stream neither inhibits its shard's alert nor is inhibited by it",
        [alert(STREAM, "a", 0.93, WARNING), alert(SHARD, "a/1")],
        ["stream_write_bytes a", "shard_write_bytes a/1"],
    ),
    ("of three alerts of an account, one is notified",
     [alert(CONCURRENCY, ""), alert(UNRESERVED, ""), alert(INVOKES, "", 0.3)],
     ["account_concurrency "]),
    ("of three alerts of an account, the one at its limit is notified",
     [alert(CONCURRENCY, "", 0.6), alert(UNRESERVED, ""), alert(INVOKES, "", 0.3)],
     ["unreserved_concurrency "]),
    (
        "an alert on a function's scaling rate is inhibited if the account is at its limit",
        [alert(CONCURRENCY, ""), alert(SCALING, "f", 3.0, WARNING)],
        ["account_concurrency "],
    ),
    (
        "an alert on a function's scaling rate is not inhibited if the account is below its limit",
        [alert(CONCURRENCY, "", 0.95, WARNING), alert(SCALING, "f", 1.0, WARNING)],
        ["account_concurrency ", "concurrency_scaling_rate f"],
    ),
    (
        "an alert on a function's reserved concurrency is not inhibited by the account's",
        [alert(CONCURRENCY, ""), alert("lambda.function_reserved_concurrency", "f")],
        ["account_concurrency ", "function_reserved_concurrency f"],
    ),
    (
        "the errors of a prefix inhibit the rates of its reads and writes",
        [
            alert("s3.prefix_read_rate", "b/p/", 0.95, WARNING),
            alert("s3.prefix_write_rate", "b/p/", 0.91, WARNING),
            alert("s3.prefix_errors", "b/p/", 0.03),
        ],
        ["prefix_errors b/p/"],
    ),
    (
        "the errors of another prefix do not inhibit the read rate",
        [alert("s3.prefix_read_rate", "b/p/", 0.95, WARNING), alert("s3.prefix_errors", "b/q/", 0.03)],
        ["prefix_read_rate b/p/", "prefix_errors b/q/"],
    ),
    (
        "of nested prefixes, the alert with the highest share of errors inhibits the others",
        [prefix_errors("a/", 0.02), prefix_errors("a/b/", 0.05), prefix_errors("a/b/c", 0.04)],
        ["prefix_errors a/b/"],
    ),
    (
        "a signal with `covered_by` is inhibited by the covering signal, in any zone",
        [alert("sqs.fifo_api_rate", "q", 0.95, WARNING), alert(MESSAGES, "q", 0.95, WARNING)],
        ["fifo_message_rate_batched q"],
    ),
    (
        "`covered_by`: an alert on another queue, or one in a less severe zone, does not inhibit",
        [
            alert("sqs.fifo_api_rate", "q", 0.95, WARNING),
            alert(MESSAGES, "q", 0.8, Severity.INFO),
            alert(MESSAGES, "r", 0.95, WARNING),
        ],
        ["fifo_api_rate q", "fifo_message_rate_batched q", "fifo_message_rate_batched r"],
    ),
    (
        "an alert on a lagging stream is inhibited by the alerts of its consumers",
        [
            alert(AGE, "a", 0.6, WARNING),
            *(consumer_lag("a", name, 0.6, WARNING) for name in ("x", "y")),
        ],
        ["efo_consumer_lag a/x", "efo_consumer_lag a/y"],
    ),
    (
        "an alert on a stream is not inhibited by a consumer that lags less",
        [alert(AGE, "a", 0.6, WARNING), consumer_lag("a", "x", 0.3, Severity.INFO)],
        ["efo_consumer_lag a/x", "retention_iterator_age a"],
    ),
    (
        "alerts of two prefixes within one prefix inhibit the outer prefix's, and not each other",
        [prefix_errors("a/", 0.02), prefix_errors("a/b/", 0.05), prefix_errors("a/c/", 0.04)],
        ["prefix_errors a/b/", "prefix_errors a/c/"],
    ),
    (
        "a prefix without a slash at its end does not contain a longer name",
        [prefix_errors("a", 0.02), prefix_errors("ab/", 0.05)],
        ["prefix_errors a", "prefix_errors ab/"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("firing", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_alerts_of_one_problem_cause_one_notification(firing: list[Notice], expected: list[str]) -> None:
    for order in (firing, firing[::-1]):
        inhibiting = inhibiting_alerts(order, REGISTRY)
        assert sorted(notice.alert for notice in order if notice.alert not in inhibiting) == sorted(expected)


def test_each_inhibited_alert_is_mapped_to_its_inhibiting_alert() -> None:
    firing = [alert(CONCURRENCY, ""), alert(SCALING, "f", 3.0, WARNING), alert(UNRESERVED, "")]
    assert inhibiting_alerts(firing, REGISTRY) == {
        "concurrency_scaling_rate f": "account_concurrency ",
        "unreserved_concurrency ": "account_concurrency ",
    }


def test_blind_spots_and_series_do_not_inhibit_each_other() -> None:
    cell = notice("cell", zone=BLIND_SIGNAL, signal=BLIND_SIGNAL, service="", resource="")
    assert inhibiting_alerts([cell, alert(STREAM, "a"), alert(CONCURRENCY, "")], REGISTRY) == {}


signal_ids = st.sampled_from(
    [signal.id for signal in REGISTRY.signals if signal.service in ("kinesis", "lambda")]
)
resources = st.sampled_from(["", "a", "a/1", "a/2", "b"])
utilizations = st.sampled_from([0.1, 0.5, 0.9, 1.0, 1.2])
alerts = st.builds(alert, signal_ids, resources, utilizations, st.sampled_from([CRITICAL, WARNING]))


@given(st.lists(alerts, max_size=12, unique_by=lambda built: built.alert))
def test_every_chain_of_inhibition_ends_with_an_alert_that_is_notified(firing: list[Notice]) -> None:
    inhibiting = inhibiting_alerts(firing, REGISTRY)
    ids = {notice.alert for notice in firing}
    for alert_id in ids:
        current, steps = alert_id, 0
        while current in inhibiting:
            current, steps = inhibiting[current], steps + 1
            assert steps <= len(firing)
        assert current in ids


def test_the_alert_of_a_stream_named_account_inhibits_no_other_stream() -> None:
    records = "kinesis.stream_write_records"
    firing = [
        alert(STREAM, "account", 0.95),
        alert(records, "account", 0.93),
        alert(STREAM, "clicks", 0.5),
        alert(records, "clicks", 0.3),
        alert(STREAM, "payments", 0.6),
        alert("kinesis.on_demand_write_capacity", "audit", 0.8),
    ]
    inhibiting = inhibiting_alerts(firing, REGISTRY)
    notified = {notice.labels["resource"] for notice in firing if notice.alert not in inhibiting}
    assert notified == {"account", "clicks", "payments", "audit"}


def test_a_slash_in_the_name_of_a_stream_does_not_make_it_a_part_of_another_stream() -> None:
    stream_a = notice("whole", CRITICAL, subject=Resource("stream", ("a",)), utilization=0.99)
    stream_a_slash_b = notice(
        "other", CRITICAL, subject=Resource("stream", ("a/b",)), signal="stream_write_records"
    )
    assert inhibiting_alerts([stream_a, stream_a_slash_b], REGISTRY) == {}


def test_an_alert_without_a_resource_path_is_related_to_its_own_resource_alone() -> None:
    firing = [
        replace(alert(STREAM, "account", 0.99), subject=None),
        replace(alert("kinesis.stream_write_records", "account", 0.5), subject=None),
        replace(alert(SHARD, "account/1", 0.5), subject=None),
    ]
    assert inhibiting_alerts(firing, REGISTRY) == {
        "stream_write_records account": "stream_write_bytes account"
    }
