"""The aggregates that bound metrics, and the declared rules."""

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
    "shared_dimensions": ("Stream",),
    "inequality": "all shards together are the stream",
    "source": "https://docs.aws.amazon.com/x",
}
throttles = Metric("AWS/X", "Throttles", "Sum", zero_when_absent=True)


def sum_metric(namespace: str, name: str) -> Metric:
    """Return a metric with the statistic Sum that is zero when absent."""
    return Metric(namespace, name, "Sum", zero_when_absent=True)


@pytest.mark.parametrize(
    ("part", "aggregate"),
    [
        (
            sum_metric("AWS/Lambda", "Throttles").of(FunctionName="resize"),
            sum_metric("AWS/Lambda", "Throttles"),
        ),
        (
            sum_metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a", ShardId="b"),
            sum_metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a"),
        ),
        (
            sum_metric("AWS/DAX", "EvictedSize").of(ClusterId="a", NodeId="b"),
            sum_metric("AWS/DAX", "EvictedSize").of(ClusterId="a"),
        ),
        (
            sum_metric("AWS/DynamoDB", "ReadKeyRangeThroughputThrottleEvents").of(TableName="a"),
            sum_metric("AWS/DynamoDB", "ReadThrottleEvents").of(TableName="a"),
        ),
        (sum_metric("AWS/Lambda", "Throttles"), None),
        (sum_metric("AWS/Lambda", "Throttles").of(FunctionName="resize", Resource="resize:live"), None),
        (sum_metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded").of(StreamName="a"), None),
        (replace(sum_metric("AWS/Lambda", "Throttles").of(FunctionName="a"), stat="Maximum"), None),
        (replace(sum_metric("AWS/Lambda", "Throttles").of(FunctionName="a"), zero_when_absent=False), None),
    ],
)
def test_a_metric_of_throttled_demand_has_the_declared_aggregate(
    part: Metric, aggregate: Metric | None
) -> None:
    assert REGISTRY.bounds.aggregate_of(part) == aggregate


def test_without_rules_a_metric_has_no_aggregate() -> None:
    assert NO_BOUNDS.aggregate_of(throttles.of(Stream="a", Shard="b")) is None


@pytest.mark.parametrize(
    "change",
    [
        {"shared_dimensions": ("Account",)},
        {"shared_dimensions": ("Stream", "Shard")},
        {"stat": "Average"},
        {"stat": "p99"},
        {"source": "https://example.com/"},
        {"inequality": ""},
    ],
)
def test_an_invalid_rule_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Bound.model_validate(RULE | change)


@pytest.mark.parametrize(("service", "bound"), RULES)
def test_declared_rules_are_about_metrics_that_are_read(service: str, bound: Bound) -> None:
    (collector,) = REGISTRY.collectors_of([service])
    assert [*bound_problems(bound, collector.metrics)] == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"metrics": ("Throttle",)}, "expected a metric that is read, found Sum of Throttle in AWS/X"),
        ({"metrics": ("Bytes",)}, "expected a metric that is zero when absent, found Bytes"),
        ({"metrics": ("Bytes",), "is_usage": True}, None),
        (
            {"metric": "Bytes", "is_usage": True},
            "expected metrics in one unit, found Throttles in count and Bytes in bytes",
        ),
        ({"metric": "Calls"}, "expected a metric that is read, found Sum of Calls in AWS/X"),
    ],
)
def test_a_rule_that_does_not_fit_the_metrics_that_are_read_has_a_problem(
    change: dict[str, object], problem: str | None
) -> None:
    metrics = [throttles, Metric("AWS/X", "Bytes", "Sum", unit=BYTES)]
    problems = [*bound_problems(Bound.model_validate(RULE | change), metrics)]
    assert problems == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("part", "aggregate"),
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
def test_a_metric_of_usage_has_the_declared_aggregate(part: Metric, aggregate: Metric | None) -> None:
    assert REGISTRY.bounds.usage_aggregate_of(part) == aggregate
    assert REGISTRY.bounds.aggregate_of(part) is None


@pytest.mark.parametrize(
    ("service", "bound"), [(service, bound) for service, bound in RULES if not bound.is_usage]
)
def test_no_two_rules_have_the_same_aggregate(service: str, bound: Bound) -> None:
    def aggregates(rule: Bound) -> set[object]:
        return {(rule.namespace, rule.metric or name, rule.shared_dimensions) for name in rule.metrics}

    others = [other for _, other in RULES if other is not bound]
    assert not any(aggregates(other) & aggregates(bound) for other in others)


# Each event: the number of its part, the number of its metric, and the amount that it adds to them.
Events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 1000)), max_size=50)


@pytest.mark.parametrize(("service", "bound"), RULES)
@settings(max_examples=30)
@given(events=Events)
def test_parts_sum_to_at_most_their_aggregate(
    service: str, bound: Bound, events: list[tuple[int, int, int]]
) -> None:
    """Each event is counted in one part, and AWS counts it in the aggregate, too."""
    bounds = MetricBounds.of([bound])
    part_sums, aggregate_sums = Counter[Metric](), Counter[Metric]()
    aggregate_of = bounds.usage_aggregate_of if bound.is_usage else bounds.aggregate_of
    for part_number, metric_number, count in events:
        name = bound.metrics[metric_number % len(bound.metrics)]
        # Each bit of the part's number is the value of one dimension.
        dimensions = enumerate(sorted(bound.dimensions))
        values = {dimension: str((part_number >> bit) % 2) for bit, dimension in dimensions}
        part = sum_metric(bound.namespace, name).of(**values)
        aggregate = aggregate_of(part)
        assert aggregate is not None
        part_sums[part] += count
        aggregate_sums[aggregate] += count
    for part, part_sum in part_sums.items():
        aggregate = aggregate_of(part)
        assert aggregate
        assert part_sum <= aggregate_sums[aggregate]
        siblings = [
            sibling_sum for other, sibling_sum in part_sums.items() if aggregate_of(other) == aggregate
        ]
        assert sum(siblings) <= aggregate_sums[aggregate]
