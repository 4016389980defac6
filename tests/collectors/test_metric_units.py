"""The units that collectors declare for their metrics. `FakeAws.run_scan` checks them in all its tests."""

import re
from typing import Any

import pytest

from collectors.base import (
    PER_MINUTE,
    Metric,
    Observed,
    Op,
    Usage,
    difference,
    per_second,
    reader_lag,
    total,
)
from rules.units import BYTES, BYTES_PER_SECOND, COUNT, MILLISECONDS, PERCENT
from tests.metric_units import unit_conflicts
from tests.registries import REGISTRY, SIGNALS
from tests.resources import resource

METRICS = [metric for collector in REGISTRY.collectors for metric in collector.metrics]
UNITS_IN_NAMES = {  # by pattern; the first pattern that a metric's name contains tells its unit
    "Percent|Bytes.*Utilization": PERCENT,
    "Bytes.*PerSec": BYTES_PER_SECOND,
    "Bytes": BYTES,
    "Milli": MILLISECONDS,
}

number = Metric("AWS/Test", "Number", "Sum")
volume = Metric("AWS/Test", "Volume", "Sum", unit=BYTES)
volume_samples = Metric("AWS/Test", "Volume", "SampleCount", unit=BYTES)
age = Metric("AWS/Test", "Age", "Maximum", unit=MILLISECONDS)
load = Metric("AWS/Test", "Load", "Average", unit=PERCENT)


def test_a_metric_has_one_unit() -> None:
    units = {(metric.namespace, metric.name, metric.unit) for metric in METRICS}
    assert len(units) == len({(namespace, name) for namespace, name, _ in units})


def test_a_metric_has_the_unit_that_its_name_contains() -> None:
    patterns = {
        metric: next((pattern for pattern in UNITS_IN_NAMES if re.search(pattern, metric.name)), None)
        for metric in METRICS
    }
    named = {metric: pattern for metric, pattern in patterns.items() if pattern}
    assert set(named.values()) == UNITS_IN_NAMES.keys()
    assert [metric for metric, pattern in named.items() if metric.unit is not UNITS_IN_NAMES[pattern]] == []


@pytest.mark.parametrize(
    ("signal", "formulas", "conflicts"),
    [
        ("kinesis.stream_write_bytes", {"usage": per_second(volume)}, []),
        ("kinesis.stream_write_bytes", {"usage": per_second(number)}, ["usage"]),
        ("kinesis.stream_write_bytes", {"usage": per_second(volume, number)}, ["usage"]),
        ("kinesis.stream_write_bytes", {"usage": per_second(volume_samples)}, ["usage"]),
        ("kinesis.stream_write_bytes", {"usage": 5.0, "upper_bound": per_second(age)}, ["upper_bound"]),
        ("kinesis.stream_write_bytes", {"usage": 5.0, "published_limit": total(load)}, ["published_limit"]),
        ("kinesis.stream_write_bytes", {"usage": per_second(volume), "throttled": per_second(number)}, []),
        ("kinesis.stream_write_bytes", {"usage": 5.0, "throttled": per_second(volume)}, ["throttled"]),
        ("kinesis.stream_write_bytes", {"usage": 5.0, "served": per_second(volume)}, ["served"]),
        ("kinesis.stream_write_records", {"usage": per_second(volume_samples)}, []),
        ("kinesis.stream_write_records", {"usage": per_second(volume)}, ["usage"]),
        ("kinesis.retention_iterator_age", {"usage": reader_lag(age, written=volume)}, []),
        ("kinesis.retention_iterator_age", {"usage": reader_lag(number, written=volume)}, ["usage"]),
        ("autoscaling.capacity_shortfall", {"usage": difference(number, number)}, []),
        ("autoscaling.capacity_shortfall", {"usage": difference(number, load)}, ["usage"]),
        ("autoscaling.group_cpu_target", {"usage": total(load)}, []),
        ("autoscaling.group_cpu_target", {"usage": total(number)}, ["usage"]),
        ("s3.prefix_errors", {"usage": total(number).scaled(100)}, []),
        ("s3.prefix_read_rate", {"usage": Usage(Op.SUM, ((number, PER_MINUTE), (volume, 0.0)))}, []),
    ],
)
def test_a_formula_in_another_unit_than_its_signal_is_reported(
    signal: str, formulas: dict[str, Any], conflicts: list[str]
) -> None:
    observed = Observed(signal=signal.partition(".")[2], resource=resource("x"), **formulas)
    sentences = unit_conflicts(observed, SIGNALS[signal])
    assert [text.split()[1] for text in sentences] == conflicts


def test_the_unit_of_a_metric_is_count_unless_it_declares_another() -> None:
    assert number.unit == COUNT and number.of(Name="x").unit == COUNT and load.of(Name="x").unit == PERCENT
