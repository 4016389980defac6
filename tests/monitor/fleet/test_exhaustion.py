"""The time until a budget that drains is exhausted."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Usage, percent_used, total
from monitor.exposition.exposition import Exposition
from monitor.fleet.exhaustion import MAX_EXHAUSTION, MIN_SPAN, RATE_MINUTES
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import text
from tests.registries import STREAM_WRITE_BYTES
from tests.resources import resource

NOW = 29_000_000
KEY = Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", "orders")
BUDGET = SeriesSettings(
    signal=STREAM_WRITE_BYTES.model_copy(update={"drains": True}),
    limit=Limit(100.0, LimitSource.API, 0),
    band=Band(),
)
burst_balance = Metric("AWS/EC2", "BurstBalance", "Average")
NAN = float("nan")


def judged_fleet(
    percents_left: Sequence[float], settings: SeriesSettings = BUDGET, now: int = NOW, **fields: object
) -> Fleet:
    """Return a judged fleet with one series. percents_left: of its budget, by minute up to NOW."""
    fleet, observed = (
        Fleet(),
        Observed(signal=KEY.signal, resource=resource("orders"), usage=percent_used(burst_balance)),
    )
    fleet.put(KEY, replace(observed, **fields), settings, now)  # type: ignore[arg-type]
    rows = np.full(len(percents_left), fleet.metrics(KEY.cell)[metric_query(burst_balance)], np.int32)
    minutes = np.arange(NOW - len(percents_left) + 1, NOW + 1, dtype=np.int32)
    values = np.array(percents_left, np.float32)
    fleet.rings.write(rows, minutes, values)
    fleet.rings.mark_read(rows[:1], NOW)
    judge(fleet, now)
    return fleet


def seconds(fleet: Fleet) -> float:
    """Return the seconds to the exhaustion of the only series."""
    return float(fleet.seconds_to_exhaustion[fleet.series[KEY].slot])


def falling(start: float, by: float, minutes: int = RATE_MINUTES) -> list[float]:
    """Return values that fall by an amount each minute."""
    return [start - by * minute for minute in range(minutes)]


def with_gaps(interval: int, values: Sequence[float]) -> list[float]:
    """Return the newest value and each `interval`-th value before it, with NaN in place of the others."""
    return [
        value if minutes_ago % interval == 0 else NAN
        for minutes_ago, value in zip(reversed(range(60)), values, strict=True)
    ]


def in_periods(minutes: int, values: Sequence[float]) -> list[float]:
    """Return the values of a metric of a longer period, each in all minutes of its period."""
    return [values[minute // minutes * minutes] for minute in range(60)]


@pytest.mark.parametrize(
    ("percents_left", "minutes"),
    [
        pytest.param(falling(90, 0.5), 121, id="60.5 % left at half a percent a minute"),
        pytest.param(with_gaps(3, falling(90, 0.5)), 121, id="with gaps"),
        pytest.param(with_gaps(20, falling(90, 0.5)), 121, id="three points are enough"),
        pytest.param(in_periods(5, falling(90, 0.5)), 125, id="points of five minutes"),
        pytest.param(falling(90, 0.5)[:50] + [90.0] * 3 + falling(63.5, 0.5, 7), 121, id="outliers"),
        pytest.param([NAN] * 45 + falling(90, 1, MIN_SPAN + 1), 75, id="15 minutes are known"),
        pytest.param([NAN] * 46 + falling(90, 1, MIN_SPAN), None, id="less than 15 minutes are known"),
        pytest.param(falling(99, 0.011), 8941, id="exhausted within a week"),
        pytest.param(falling(99, 0.009), None, id="not exhausted within a week"),
        pytest.param([80.0] * 60, None, id="nothing is spent"),
        pytest.param(falling(20, -1), None, id="the budget is filling"),
        pytest.param(
            [*falling(100, 2, 40), *falling(20, -1, 20)], None, id="the budget is filling for 20 minutes"
        ),
        pytest.param([*falling(100, 1, 39), *[62.0] * 21], None, id="drained until 20 minutes ago"),
        pytest.param([*[90.0] * 20, *falling(90, 1, 40)], 62.4, id="draining for 40 minutes"),
        pytest.param([80.0] * 50 + falling(80, 1, 10), None, id="draining for 10 minutes"),
        pytest.param([*falling(59, 1, 60)], 0, id="exhausted"),
        pytest.param([0.0] * 60, 0, id="exhausted for an hour"),
        pytest.param([NAN] * 60, None, id="unknown"),
        pytest.param([10.0], None, id="a single point"),
    ],
)
def test_the_time_to_exhaustion_follows_from_the_rate_of_the_last_hour(
    percents_left: list[float], minutes: float | None
) -> None:
    seconds_left = seconds(judged_fleet(percents_left))
    assert (
        math.isnan(seconds_left) if minutes is None else seconds_left == pytest.approx(minutes * 60, rel=0.02)
    )


def test_the_time_to_exhaustion_falls_while_no_sample_comes() -> None:
    assert seconds(judged_fleet(falling(90, 0.5), now=NOW + 6)) == pytest.approx((121 - 6) * 60, rel=1e-3)
    assert seconds(judged_fleet(falling(61, 1), now=NOW + 6)) == 60  # no sample shows an exhausted budget
    assert math.isnan(seconds(judged_fleet(falling(90, 0.5), now=NOW + BUDGET.stale_after + 1)))


def test_the_time_to_exhaustion_is_known_only_for_judged_budgets_that_drain() -> None:
    draining = falling(90, 0.5)
    settings = replace(BUDGET, signal=STREAM_WRITE_BYTES)
    assert math.isnan(seconds(judged_fleet(draining, settings)))
    assert math.isnan(seconds(judged_fleet(draining, replace(BUDGET, limit=None))))
    upper_bound: Usage = total(burst_balance)
    assert math.isnan(seconds(judged_fleet(draining, upper_bound=upper_bound)))
    assert math.isnan(seconds(judged_fleet(draining, created_at=(NOW - 5) * 60.0)))


@given(
    st.lists(st.one_of(st.just(NAN), st.floats(0, 100, width=32)), max_size=60),
    st.floats(1, 200, width=32),
)
def test_exhaustion_is_unknown_or_a_time_within_a_week(percents_left: list[float], limit: float) -> None:
    seconds_left = seconds(
        judged_fleet(percents_left, replace(BUDGET, limit=Limit(limit, LimitSource.API, 0)))
    )
    assert math.isnan(seconds_left) or 0 <= seconds_left <= MAX_EXHAUSTION


@pytest.mark.parametrize(
    ("percents_left", "expected"),
    [(falling(90, 0.5), [pytest.approx(121 * 60, rel=1e-3)]), ([80.0] * 60, [])],
)
def test_exhaustion_is_exported_only_if_it_is_known(percents_left: list[float], expected: list[Any]) -> None:
    exposition = Exposition(judged_fleet(percents_left))
    asyncio.run(exposition.publish({}))
    samples = [
        line for line in text(exposition).splitlines() if line.startswith("headroom_seconds_to_exhaustion{")
    ]
    assert [float(sample.split()[-1]) for sample in samples] == expected
