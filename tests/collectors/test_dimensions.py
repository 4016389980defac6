"""Dimension values that CloudWatch rejects make only their own series unobservable."""

from typing import Any

import pytest

from collectors import dimensions
from collectors.base import Metric, Observed, Unobservable, Usage, difference, highest, per_second
from collectors.dimensions import MAX_SHOWN_LENGTH, MAX_VALUE_LENGTH, value_problem, without_invalid_metrics
from tests.fake_aws import SERVICE_MODELS
from tests.resources import resource

requests = Metric("AWS/Test", "Requests", "Sum")
errors = Metric("AWS/Test", "Errors", "Sum")
INVALID_VALUES = {
    "": "is blank",
    " ": "is blank",
    " \t ": "has control characters",
    "two\nlines": "has control characters",
    "\x7f": "has control characters",
    "bücher": "has characters that are not ASCII",
    "half\ud800": "has characters that are not ASCII",
    "x" * (MAX_VALUE_LENGTH + 1): "is longer than 1,024 characters",
}


def series_with(usage: Usage | float | Unobservable, **more: Any) -> Observed:
    """Return a series with this usage."""
    return Observed(signal="rate", resource=resource("orders"), usage=usage, **more)


@pytest.mark.parametrize("value", ["a", " a", "~", 'it\'s "x"', "/pets/{id}", "x" * MAX_VALUE_LENGTH])
def test_a_series_whose_dimension_values_are_valid_is_unchanged(value: str) -> None:
    series = series_with(per_second(requests.of(Name=value)), throttled=per_second(errors.of(Name=value)))
    assert value_problem(value) is None
    assert without_invalid_metrics(series) is series


@pytest.mark.parametrize(
    ("value", "problem"), INVALID_VALUES.items(), ids=[ascii(value)[:20] for value in INVALID_VALUES]
)
def test_a_value_that_cloudwatch_rejects_makes_its_series_unobservable(value: str, problem: str) -> None:
    for before in (
        series_with(difference(requests.of(Name="a"), requests.of(Kind="b", Name=value))),
        series_with(highest(requests.of(Name="a")), throttled=per_second(errors.of(Name=value))),
        series_with(highest(requests.of(Name="a")), upper_bound=highest(errors.of(Name=value))),
        series_with(9.0, throttled=per_second(errors.of(Name=value))),
    ):
        series = without_invalid_metrics(before)
        assert isinstance(series.usage, Unobservable)
        assert series.usage.reason.startswith(f"CloudWatch takes no Name that {problem}: '")
        assert series.usage.reason.isascii() and series.usage.reason.isprintable()
        assert len(series.usage.reason) < 200
        assert (series.throttled, series.upper_bound, series.resource) == (None, None, resource("orders"))


def test_a_usage_without_metrics_is_unchanged() -> None:
    for usage in (9.0, Unobservable("off")):
        assert without_invalid_metrics(series_with(usage)).usage == usage


def test_the_maximum_length_is_that_of_botocores_model() -> None:
    value = SERVICE_MODELS.get_service_model("cloudwatch").shape_for("DimensionValue")
    assert value.metadata == {"min": 1, "max": MAX_VALUE_LENGTH}
    assert MAX_SHOWN_LENGTH < MAX_VALUE_LENGTH
    assert dimensions.__doc__ and "API_Dimension" in dimensions.__doc__
