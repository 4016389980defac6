"""The metrics that are bounded by an aggregate: how it is found, and that the declared rules hold."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.base import Metric
from collectors.builtin import builtin_registry
from collectors.metric_bounds import NO_BOUNDS, MetricBounds, bound_problems
from rules.bounds import Bound
from rules.units import BYTES

REGISTRY = builtin_registry()
RULES = [(service.service, bound) for service in REGISTRY.services.values() for bound in service.bounded_by]
RULE = {
    "namespace": "AWS/X",
    "metrics": ("Throttles",),
    "dimensions": ("Stream", "Shard"),
    "of": ("Stream",),
    "inequality": "all shards together are the stream",
    "source": "https://docs.aws.amazon.com/x",
}
throttles = Metric("AWS/X", "Throttles", "Sum", zero_when_absent=True)


def counted(namespace: str, name: str) -> Metric:
    """Return a metric of a sum that is zero when absent."""
    return Metric(namespace, name, "Sum", zero_when_absent=True)


@pytest.mark.parametrize(
    ("part", "aggregate"),
    [
        (
            counted("AWS/Lambda", "Throttles").of(FunctionName="resize"),
            counted("AWS/Lambda", "Throttles"),
        ),
        (
            counted("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a", ShardId="b"),
            counted("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a"),
        ),
        (
            counted("AWS/DAX", "EvictedSize").of(ClusterId="a", NodeId="b"),
            counted("AWS/DAX", "EvictedSize").of(ClusterId="a"),
        ),
        (
            counted("AWS/DynamoDB", "ReadKeyRangeThroughputThrottleEvents").of(TableName="a"),
            counted("AWS/DynamoDB", "ReadThrottleEvents").of(TableName="a"),
        ),
        (counted("AWS/Lambda", "Throttles"), None),
        (counted("AWS/Lambda", "Throttles").of(FunctionName="resize", Resource="resize:live"), None),
        (counted("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a"), None),
        (replace(counted("AWS/Lambda", "Throttles").of(FunctionName="a"), stat="Maximum"), None),
        (replace(counted("AWS/Lambda", "Throttles").of(FunctionName="a"), zero_when_absent=False), None),
    ],
)
def test_the_aggregate_of_a_metric(part: Metric, aggregate: Metric | None) -> None:
    assert REGISTRY.bounds.aggregate_of(part) == aggregate


def test_without_rules_nothing_is_bounded() -> None:
    assert NO_BOUNDS.aggregate_of(throttles.of(Stream="a", Shard="b")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"of": ("Account",)},
        {"of": ("Stream", "Shard")},
        {"stat": "Average"},
        {"stat": "p99"},
        {"source": "https://example.com/"},
        {"inequality": ""},
    ],
)
def test_a_rule_that_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Bound.model_validate(RULE | wrong)


@pytest.mark.parametrize(("service", "bound"), RULES)
def test_declared_rules_are_about_metrics_that_are_read(service: str, bound: Bound) -> None:
    collector = next(one for one in REGISTRY.collectors if one.service == service)
    assert [*bound_problems(bound, collector.metrics)] == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({}, None),
        ({"metrics": ("Throttle",)}, "expected a metric that is read, found Sum of Throttle in AWS/X"),
        ({"metrics": ("Bytes",)}, "expected a metric that is zero when absent, found Bytes"),
        ({"metrics": ("Bytes",), "of_usage": True}, None),
        ({"metric": "Bytes", "of_usage": True}, "expected metrics of one unit, found that of Bytes"),
        ({"metric": "Calls"}, "expected a metric that is read, found Sum of Calls in AWS/X"),
    ],
)
def test_a_rule_fits_the_metrics_that_are_read(rule: dict[str, object], problem: str | None) -> None:
    metrics = [throttles, Metric("AWS/X", "Bytes", "Sum", unit=BYTES)]
    found = [*bound_problems(Bound.model_validate(RULE | rule), metrics)]
    assert found == [one for one in [problem] if one]


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        (
            Metric("AWS/Kinesis", "IncomingBytes", "Sum", unit=BYTES).of(StreamName="a", ShardId="b"),
            Metric("AWS/Kinesis", "IncomingBytes", "Sum", unit=BYTES).of(StreamName="a"),
        ),
        (
            Metric("AWS/ApiGateway", "Count", "Sum").of(ApiName="a", Stage="b", Resource="/", Method="GET"),
            Metric("AWS/ApiGateway", "Count", "Sum").of(ApiName="a"),
        ),
        (
            Metric("AWS/ApiGateway", "Count", "Sum").of(ApiId="a", Stage="b", Resource="/", Method="GET"),
            Metric("AWS/ApiGateway", "Count", "Sum").of(ApiId="a"),
        ),
        (
            Metric("AWS/TransitGateway", "BytesIn", "Sum").of(
                TransitGateway="a", TransitGatewayAttachment="b"
            ),
            Metric("AWS/TransitGateway", "BytesIn", "Sum").of(TransitGateway="a"),
        ),
        (Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="a"), None),
        (Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum").of(FunctionName="a"), None),
    ],
)
def test_the_whole_of_a_metric_of_usage(part: Metric, whole: Metric | None) -> None:
    assert REGISTRY.bounds.whole_of(part) == whole
    assert REGISTRY.bounds.aggregate_of(part) is None


@pytest.mark.parametrize(("service", "bound"), [one for one in RULES if not one[1].of_usage])
def test_an_aggregate_has_parts_of_one_kind_alone(service: str, bound: Bound) -> None:
    def aggregates(one: Bound) -> set[object]:
        return {(one.namespace, one.metric or name, one.of) for name in one.metrics}

    others = [one for _, one in RULES if one is not bound]
    assert not any(aggregates(one) & aggregates(bound) for one in others)


Events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 1000)), max_size=50)


@pytest.mark.parametrize(("service", "bound"), RULES)
@settings(max_examples=30)
@given(events=Events)
def test_parts_sum_to_at_most_their_aggregate(
    service: str, bound: Bound, events: list[tuple[int, int, int]]
) -> None:
    """Each event is of one part, and AWS counts it for the aggregate, too."""
    bounds, parts, wholes = MetricBounds.of([bound]), Counter[Metric](), Counter[Metric]()
    aggregate_of = bounds.whole_of if bound.of_usage else bounds.aggregate_of
    for place, cause, number in events:
        name = bound.metrics[cause % len(bound.metrics)]
        values = {one: str((place >> n) % 2) for n, one in enumerate(sorted(bound.dimensions))}
        part = counted(bound.namespace, name).of(**values)
        aggregate = aggregate_of(part)
        assert aggregate is not None
        parts[part] += number
        wholes[aggregate] += number
    for part, number in parts.items():
        aggregate = aggregate_of(part)
        assert aggregate
        assert number <= wholes[aggregate]
        assert sum(n for one, n in parts.items() if aggregate_of(one) == aggregate) <= wholes[aggregate]
