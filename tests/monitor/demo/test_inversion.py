"""Inverted formulas: the values found for a usage's metrics give that usage."""

import math
from collections.abc import Iterator, Mapping
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import (
    PER_MINUTE,
    Metric,
    Op,
    Term,
    Usage,
    difference,
    highest,
    limit_minus,
    lowest,
    per_second,
    ratio,
    reader_lag,
    total,
)
from monitor.demo.inversion import InversionError, MetricValues, MinuteFunction
from monitor.demo.traffic import Minutes
from rules.arrays import Float64s
from tests.reference_values import reference_value

MINUTES = np.arange(-3, 4)
NAN = math.nan


def metric(name: object) -> Metric:
    """Return a metric of a service that does not exist."""
    return Metric("Test/Service", str(name), "Sum")


def points_of(values: MetricValues, usage: Usage) -> dict[Metric, dict[int, float]]:
    """Return the points of the metrics of a usage."""
    minutes = np.arange(MINUTES[0] - 1, MINUTES[-1] + 1)
    return {
        usage_metric: dict(
            zip(minutes.tolist(), values.functions[usage_metric](minutes).tolist(), strict=True)
        )
        for usage_metric in usage.metrics
    }


class GivenMinutes:
    """A target with given values in some minutes, and 1 in all other minutes."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self.values = values

    def __call__(self, minutes: Minutes) -> Float64s:
        return np.array([self.values.get(int(minute), 1.0) for minute in minutes])


weights = st.sampled_from([1.0, 1.0, PER_MINUTE, 0.1, 60.0])
offsets = st.sampled_from([0.0, 0.0, 5.0])


@st.composite
def formulas(draw: st.DrawFn, names: Iterator[int], depth: int) -> Usage:
    """Draw a formula in which each metric occurs once."""

    def term(at_depth: int) -> Term:
        if at_depth == 0 or draw(st.booleans()):
            return metric(next(names))
        return draw(formulas(names, at_depth))

    op = draw(st.sampled_from([Op.SUM, Op.MAX, Op.MIN, Op.DIFFERENCE, Op.RATIO, Op.RISE, "limit_minus"]))
    if op == "limit_minus":
        return Usage(Op.SUM, ((term(depth - 1), -draw(weights)),), draw(st.sampled_from([100.0, 1e6])))
    if op is Op.RATIO:
        whole = Usage(Op.SUM, ((metric(next(names)), 1.0),), 1.0)
        return Usage(Op.RATIO, ((term(depth - 1), draw(weights)), (whole, draw(weights))), draw(offsets))
    depth_of_terms = 0 if op is Op.RISE else depth - 1
    signs = [1, *([-1 if op is Op.DIFFERENCE else 1] * draw(st.integers(0, 2)))]
    terms = tuple((term(depth_of_terms), sign * draw(weights)) for sign in signs)
    return Usage(Op(op), terms, draw(offsets))


amounts = st.one_of(st.just(0.0), st.floats(0.001, 1e6))


@given(st.data())
def test_the_values_found_for_a_usage_give_the_usage(data: st.DataObject) -> None:
    usage = data.draw(formulas(count(), 3))
    minutes = range(int(MINUTES[0]) - 1, int(MINUTES[-1]) + 1)
    drawn_points = {
        usage_metric: {minute: data.draw(amounts) for minute in minutes} for usage_metric in usage.metrics
    }
    target = {minute: reference_value(usage, drawn_points, minute) for minute in MINUTES.tolist()}
    values = MetricValues()
    values.follow(usage, GivenMinutes(target))
    found_points = points_of(values, usage)
    recomputed = {minute: reference_value(usage, found_points, minute) for minute in target}
    # The terms of a difference reach 60**3 * 1e6: their rounding errors remain when they cancel each other.
    assert recomputed == pytest.approx(target, rel=1e-6, abs=1e-4)
    assert min(point for points in found_points.values() for point in points.values()) >= 0


# Examples with constant values.


def found_values(usage: Usage, target: float, **given_values: float) -> dict[str, float]:
    """Return the values found for a usage's metrics. given_values: the values of some metrics, by name."""
    values = MetricValues()
    for name, value in given_values.items():
        values.functions[metric(name)] = constant(value)
    values.follow(usage, constant(target))
    return {
        usage_metric.name: float(values.functions[usage_metric](np.array([0]))[0])
        for usage_metric in usage.metrics
    }


def constant(value: float) -> MinuteFunction:
    """Return a function of minutes with one value."""
    return lambda minutes: np.full(len(minutes), value)


A, B, C = map(metric, "ABC")


@pytest.mark.parametrize(
    ("usage", "given_values", "expected"),  # expected: the values with which the usage is 30
    [
        (per_second(A), {}, {"A": 60 * 30}),
        (total(A, B, C), {}, {"A": 10, "B": 10, "C": 10}),
        (total(A, B, C), {"A": 20}, {"A": 20, "B": 5, "C": 5}),
        (total(A, B), {"A": 40}, {"A": 40, "B": 0}),  # no metric is below 0
        (total(A, A), {}, {"A": 15}),
        (highest(A, B), {}, {"A": 30, "B": 30}),
        (lowest(A, B), {"A": 70}, {"A": 70, "B": 30}),
        (difference(A, B), {}, {"A": 30, "B": 0}),
        (difference(A, B), {"A": 100}, {"A": 100, "B": 70}),
        (difference(A, B), {"B": 100}, {"A": 130, "B": 100}),
        (limit_minus(100, A), {}, {"A": 70}),
        (ratio(A, B), {"B": 4}, {"A": 120, "B": 4}),
        (ratio(A, B), {"A": 120}, {"A": 120, "B": 4}),
        # B counts all throttled calls, and A those of one cause.
        (total(A, difference(B, A)), {"A": 20}, {"A": 20, "B": 30}),
        (total(difference(B, A), A), {}, {"A": 15, "B": 30}),
    ],
)
def test_metrics_without_a_given_value_share_the_remainder_of_the_usage(
    usage: Usage, given_values: dict[str, float], expected: dict[str, float]
) -> None:
    assert found_values(usage, 30.0, **given_values) == pytest.approx(expected)


def test_metrics_have_no_values_in_minutes_without_data() -> None:
    values = MetricValues()
    values.follow(total(A, Usage(Op.RISE, ((B, 1.0),))), lambda minutes: np.where(minutes == 1, np.nan, 8.0))
    assert np.isnan(values.functions[A](np.array([0, 1, 2]))).tolist() == [False, True, False]
    assert np.isnan(values.functions[B](np.array([0, 1, 2]))).tolist() == [False, True, False]


def test_a_reader_lag_cannot_be_inverted() -> None:
    with pytest.raises(InversionError, match="reader lag"):
        MetricValues().follow(reader_lag(A, written=B), constant(1.0))
