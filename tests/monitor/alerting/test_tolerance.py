"""The tolerance: the rate, the share and the duration from which on throttled demand raises an alert."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, per_second
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Severity
from rules.signals import Tolerance
from tests.monitor.alerting.stage import LIMIT, SHORT, Stage
from tests.monitor.alerting.test_overrides import inventoried_stage
from tests.monitor.fleet.fleets import refused, traffic

records = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
MINUTES = 20

# Records per second that are served, refused ones in each minute, the tolerance, and the minute of the alert.
CASES: list[Any] = [
    pytest.param(30_000, {5: 1}, Tolerance(), None, id="one refused record of 30,000 a second"),
    pytest.param(30_000, dict.fromkeys(range(20), 600), Tolerance(), None, id="one in 3,000, all the time"),
    pytest.param(1, {5: 2}, Tolerance(), None, id="two records in a minute, of sixty"),
    pytest.param(1, {5: 3}, Tolerance(), 5, id="three of sixty"),
    pytest.param(30_000, {5: 3000}, Tolerance(), 5, id="considerable throttling fires at once"),
    pytest.param(0, {5: 3000}, Tolerance(), 5, id="all are refused"),
    pytest.param(30_000, {5: 1}, Tolerance(rate=0, share=0), 5, id="any refusal, where nothing is tolerated"),
    pytest.param(30_000, {5: 3000}, Tolerance(rate=60), None, id="fewer than the rate"),
    pytest.param(100, {5: 300}, Tolerance(share=0.1), None, id="a smaller part than the share"),
    pytest.param(30_000, {5: 3000, 6: 3000}, Tolerance(pending_for=2), None, id="not for long enough"),
    pytest.param(30_000, dict.fromkeys(range(5, 9), 3000), Tolerance(pending_for=2), 7, id="for long enough"),
]


@pytest.mark.parametrize(("served", "refusals", "tolerance", "expected"), CASES)
async def test_an_alert_fires_when_throttling_exceeds_the_tolerance(
    served: float, refusals: dict[int, float], tolerance: Tolerance, expected: int | None, tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        series_settings = replace(SHORT, tolerance=tolerance)
        series = stage.series("orders", series_settings, served=per_second(records.of(StreamName="orders")))
        rows = stage.fleet.metrics(series.key.cell)
        own = [metric.of(StreamName=series.key.id) for metric in (traffic, refused)]
        row = np.array([rows[metric_query(one)] for one in (*own, records.of(StreamName="orders"))])
        for minute in range(MINUTES):
            values = np.array([LIMIT * 30, refusals.get(minute, 0), served * 60], np.float32)
            known = slice(3 if served else 2)
            stage.fleet.rings.write(row[known], np.full(3, stage.minute)[known], values[known])
            stage.fleet.rings.mark_read(row, stage.minute)
            stage.minute += 1
            stage.seconds = stage.minute * 60.0
            stage.fleet.confirmed[: stage.fleet.size] = stage.minute
            stage.set_read_result()
            severities = [one.severity for one in await stage.process()]
            if minute == expected:
                assert severities == [Severity.CRITICAL]
            elif expected is None or minute < expected:
                assert severities == []
            if refusals.get(minute):
                assert stage.fleet.saturation[series.slot] == pytest.approx(refusals[minute] / 60)


ORDERS = {"signal": "kinesis.stream_write_*", "resource": "orders"}  # two series, one count of refusals
CONFIGURED: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "at once": ([], "..sss....", "..F......"),
    "a duration counts for refusals too": ([{**ORDERS, "for": "2m"}], "..sss....", "....F...."),
    "a duration of refusals outranks it": (
        [{**ORDERS, "for": "2m", "tolerance": {"for": 0}}],
        "..sss....",
        "..F......",
    ),
    "a duration of refusals": ([{**ORDERS, "tolerance": {"for": "3m"}}], "..sssss..", ".....F..."),
    "a rate": ([{**ORDERS, "tolerance": {"rate": 61}}], "..sss....", "........."),
    "a rate that is exceeded": ([{**ORDERS, "tolerance": {"rate": 59}}], "..sss....", "..F......"),
    "each key from the last entry that says it": (
        [{**ORDERS, "tolerance": {"rate": 61, "for": "2m"}}, {**ORDERS, "tolerance": {"rate": 59}}],
        "..sss....",
        "....F....",
    ),
}


@pytest.mark.parametrize(("alerts", "samples", "expected"), CONFIGURED.values(), ids=CONFIGURED)
async def test_the_configured_tolerance_applies(
    alerts: list[dict[str, Any]], samples: str, expected: str, tmp_path: Path
) -> None:
    """All the way: inventory, columns, alert states, notices; `s` is 60 refused records a second."""
    async with inventoried_stage(tmp_path, *alerts) as stage:
        assert await stage.play(orders=samples) == expected


async def test_a_reload_judges_the_newest_sample_by_the_new_tolerance(tmp_path: Path) -> None:
    records_silent = {"signal": "kinesis.stream_write_records", "saturated": "none", "near": "none"}
    async with inventoried_stage(tmp_path, records_silent) as stage:
        assert await stage.play(orders="..ss") == "..F."
        await stage.reload(records_silent, {**ORDERS, "tolerance": {"rate": 61}})
        assert await stage.play(orders="s") == "R"
