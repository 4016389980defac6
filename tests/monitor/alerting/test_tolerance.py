"""The tolerance: the rate, the share and the duration beyond which throttled demand raises an alert.

The letters of samples and notices are explained in `harness`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, per_second
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Severity
from rules.signals import Tolerance
from tests.monitor.alerting.harness import LIMIT, SHORT, AlertingHarness
from tests.monitor.alerting.test_overrides import inventoried_harness
from tests.monitor.fleet.fleets import throttled_metric, traffic

incoming_records = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
MINUTES = 20

# The records served a second, the records throttled by minute, the tolerance, and the minute in which the
# alert fires; None if it does not fire. `Tolerance()` is 0.05 throttled records a second and a share of
# 0.001.
CASES: list[Any] = [
    pytest.param(
        30_000, {5: 1}, Tolerance(), None, id="one throttled record in a minute, 30,000 served a second"
    ),
    pytest.param(
        30_000,
        dict.fromkeys(range(20), 600),
        Tolerance(),
        None,
        id="10 throttled records a second of 30,000, in every minute",
    ),
    pytest.param(1, {5: 2}, Tolerance(), None, id="two throttled records in a minute, 60 served"),
    pytest.param(1, {5: 3}, Tolerance(), 5, id="three throttled records in a minute, 60 served"),
    pytest.param(30_000, {5: 3000}, Tolerance(), 5, id="50 throttled records a second fire at once"),
    pytest.param(0, {5: 3000}, Tolerance(), 5, id="all records are throttled"),
    pytest.param(30_000, {5: 1}, Tolerance(rate=0, share=0), 5, id="one throttled record without tolerance"),
    pytest.param(30_000, {5: 3000}, Tolerance(rate=60), None, id="throttling below the tolerated rate"),
    pytest.param(100, {5: 300}, Tolerance(share=0.1), None, id="throttling below the tolerated share"),
    pytest.param(
        30_000,
        {5: 3000, 6: 3000},
        Tolerance(pending_for=2),
        None,
        id="throttling that lasts shorter than pending_for",
    ),
    pytest.param(
        30_000,
        dict.fromkeys(range(5, 9), 3000),
        Tolerance(pending_for=2),
        7,
        id="throttling that lasts as long as pending_for",
    ),
]


@pytest.mark.parametrize(("served", "throttled", "tolerance", "firing_minute"), CASES)
async def test_an_alert_fires_when_throttling_exceeds_the_tolerance(
    served: float,
    throttled: dict[int, float],
    tolerance: Tolerance,
    firing_minute: int | None,
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        series_settings = replace(SHORT, tolerance=tolerance)
        series = harness.series(
            "orders", series_settings, served=per_second(incoming_records.of(StreamName="orders"))
        )
        row_by_query = harness.fleet.metrics(series.key.cell)
        metrics = (
            traffic.of(StreamName=series.key.id),
            throttled_metric.of(StreamName=series.key.id),
            incoming_records.of(StreamName="orders"),
        )
        rows = np.array([row_by_query[metric_query(metric)] for metric in metrics])
        point_count = 3 if served else 2  # IncomingRecords has no point if no record is served
        for minute in range(MINUTES):
            points = np.array([LIMIT * 30, throttled.get(minute, 0), served * 60], np.float32)
            harness.fleet.rings.write(
                rows[:point_count], np.full(point_count, harness.minute), points[:point_count]
            )
            harness.fleet.rings.mark_read(rows, harness.minute)
            harness.minute += 1
            harness.seconds = harness.minute * 60.0
            harness.fleet.confirmed[: harness.fleet.size] = harness.minute
            harness.set_read_result()
            severities = [notice.severity for notice in await harness.process()]
            if minute == firing_minute:
                assert severities == [Severity.CRITICAL]
            elif firing_minute is None or minute < firing_minute:
                assert severities == []
            if throttled.get(minute):
                assert harness.fleet.saturation[series.slot] == pytest.approx(throttled[minute] / 60)


# The signals for bytes and for records, which share one count of throttled records.
ORDERS = {"signal": "kinesis.stream_write_*", "resource": "orders"}
# Name, overrides, samples, and the letters of the notices.
OVERRIDES: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "no override: the alert fires at once": ([], "..sss....", "..F......"),
    "`for` applies to throttled demand, too": ([{**ORDERS, "for": "2m"}], "..sss....", "....F...."),
    "`for` inside `tolerance` takes precedence": (
        [{**ORDERS, "for": "2m", "tolerance": {"for": 0}}],
        "..sss....",
        "..F......",
    ),
    "`for` inside `tolerance` alone": ([{**ORDERS, "tolerance": {"for": "3m"}}], "..sssss..", ".....F..."),
    "a tolerated rate above the throttled rate": (
        [{**ORDERS, "tolerance": {"rate": 61}}],
        "..sss....",
        ".........",
    ),
    "a tolerated rate below the throttled rate": (
        [{**ORDERS, "tolerance": {"rate": 59}}],
        "..sss....",
        "..F......",
    ),
    "the last override that sets a key counts": (
        [{**ORDERS, "tolerance": {"rate": 61, "for": "2m"}}, {**ORDERS, "tolerance": {"rate": 59}}],
        "..sss....",
        "....F....",
    ),
}


@pytest.mark.parametrize(("overrides", "samples", "expected"), OVERRIDES.values(), ids=OVERRIDES)
async def test_the_configured_tolerance_applies(
    overrides: list[dict[str, Any]], samples: str, expected: str, tmp_path: Path
) -> None:
    """The inventory and the alert engine apply the overrides. `s` is 60 throttled records a second."""
    async with inventoried_harness(tmp_path, *overrides) as harness:
        assert await harness.run_minutes(orders=samples) == expected


async def test_a_reload_judges_the_newest_sample_by_the_new_tolerance(tmp_path: Path) -> None:
    no_record_alerts = {"signal": "kinesis.stream_write_records", "saturated": "none", "near": "none"}
    async with inventoried_harness(tmp_path, no_record_alerts) as harness:
        assert await harness.run_minutes(orders="..ss") == "..F."
        await harness.reload(no_record_alerts, {**ORDERS, "tolerance": {"rate": 61}})
        assert await harness.run_minutes(orders="s") == "R"
