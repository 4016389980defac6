"""The metrics that are bounded by an aggregate: how it is found, and that the declared rules hold."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.base import Metric
from collectors.builtin import builtin_registry
from collectors.metric_bounds import NO_BOUNDS, MetricBounds
from rules.bounds import Bound

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
    read = {(one.namespace, one.name, one.stat, one.zero_when_absent) for one in collector.metrics}
    assert {(bound.namespace, name, bound.stat, True) for name in bound.metrics} <= read


@pytest.mark.parametrize(("service", "bound"), RULES)
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
    for place, cause, number in events:
        name = bound.metrics[cause % len(bound.metrics)]
        values = {one: str((place >> n) % 2) for n, one in enumerate(sorted(bound.dimensions))}
        part = counted(bound.namespace, name).of(**values)
        aggregate = bounds.aggregate_of(part)
        assert aggregate is not None
        parts[part] += number
        wholes[aggregate] += number
    for part, number in parts.items():
        aggregate = bounds.aggregate_of(part)
        assert aggregate
        assert number <= wholes[aggregate]
        assert (
            sum(n for one, n in parts.items() if bounds.aggregate_of(one) == aggregate) <= wholes[aggregate]
        )
