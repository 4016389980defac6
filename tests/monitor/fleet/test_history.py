"""The last hours of a series, and the minute since which it has been in its zone."""

from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Observed, per_second
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory
from monitor.fleet.ring_columns import WINDOW
from rules.band import Zone
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import NOW, SETTINGS, add, key, traffic

NAN = float("nan")


def series_history(*runs: tuple[int, float], throttled: float = NAN) -> tuple[SeriesHistory, Fleet]:
    """Return the history of a series of limit 1000, and its fleet.

    runs: the length in minutes and the utilization of each run; the last run ends at NOW. throttled: the
    throttled requests in the minute NOW.
    """
    fleet = Fleet()
    series = add(fleet, key("orders"))
    values = [utilization * 1000 * 60 for length, utilization in runs for _ in range(length)]
    minutes = np.arange(NOW - len(values) + 1, NOW + 1, dtype=np.int32)
    usage_formula, throttled_formula = fleet.usages.get(series.slot), fleet.throttled.get(series.slot)
    assert usage_formula and throttled_formula
    fleet.rings.write(
        np.full(len(values), usage_formula.rows[0], np.int32), minutes, np.array(values, np.float32)
    )
    if np.isfinite(throttled):
        fleet.rings.write(np.array(throttled_formula.rows), minutes[-1:], np.array([throttled], np.float32))
    return SeriesHistory.of(fleet, series, NOW), fleet


@pytest.mark.parametrize(
    ("runs", "zone", "minutes_in_zone"),
    [
        ([(50, 0.5), (10, 0.95)], Zone.NEAR, 10),
        ([(50, 0.5), (5, 0.8), (10, 0.95)], Zone.ABOVE, 15),
        ([(50, 0.5), (5, 0.95), (10, 0.8)], Zone.ABOVE, 15),
        ([(50, 0.5), (10, 0.1)], Zone.BELOW, 10),
        ([(50, 0.9), (10, 0.5)], Zone.WITHIN, 10),
        ([(50, 0.5), (10, 0.95), (3, NAN), (2, 0.95)], Zone.NEAR, 15),
        ([(50, 0.5), (30, NAN)], Zone.STALE, 30),
        ([(100, 0.95)], Zone.NEAR, None),
        ([(1, NAN)], Zone.STALE, None),
    ],
)
def test_the_time_in_a_zone_above_the_band_includes_minutes_in_worse_zones(
    runs: list[tuple[int, float]], zone: Zone, minutes_in_zone: int | None
) -> None:
    history, _ = series_history(*runs)
    since = history.since(zone)
    assert since == (None if minutes_in_zone is None else NOW - minutes_in_zone + 1)


def test_a_series_is_saturated_since_its_throttled_demand_began() -> None:
    history, _ = series_history((60, 0.5), throttled=3.0)
    assert history.since(Zone.SATURATED) == NOW


def test_samples_are_at_their_minutes() -> None:
    history, _ = series_history((3, 0.5))
    assert history.usage.size == WINDOW and history.start == NOW - WINDOW + 1
    assert np.isnan(history.usage[:-3]).all() and history.usage[-3:].tolist() == pytest.approx([500.0] * 3)


def test_samples_from_the_future_are_left_out() -> None:
    _, fleet = series_history((3, 0.5))
    history_to_the_minute_before = SeriesHistory.of(fleet, next(iter(fleet.series.values())), NOW - 1)
    assert np.isfinite(history_to_the_minute_before.usage).sum() == 2


def test_a_usage_that_is_only_bounded_has_no_utilization() -> None:
    fleet, series_key = Fleet(), key("orders.fifo", "sqs.fifo_api_rate")
    lower, upper = traffic.of(StreamName="lower"), traffic.of(StreamName="upper")
    series = add(fleet, series_key, usage=per_second(lower), upper_bound=per_second(upper), throttled=None)
    fleet.rings.write(np.array([0, 1]), np.array([NOW, NOW]), np.array([6000.0, 60_000.0], np.float32))
    history = SeriesHistory.of(fleet, series, NOW)
    assert (history.usage[-1], history.upper_bound[-1]) == pytest.approx((100.0, 1000.0))
    assert np.isnan(history.utilization).all()
    assert history.since(Zone.UNOBSERVABLE) is None


def test_each_minute_is_judged_by_the_limit_of_that_minute() -> None:
    """The usage stays the same; the limit was doubled an hour ago, so that the usage is now in the band."""
    _, fleet = series_history((180, 0.8))
    series_key = key("orders")
    doubled_limit = replace(SETTINGS, limit=Limit(2000.0, LimitSource.API, 0))
    observed = Observed(
        signal=series_key.signal,
        resource=series_key.subject,
        usage=per_second(traffic.of(StreamName=series_key.id)),
    )
    series = fleet.put(series_key, observed, doubled_limit, NOW - 59)
    history = SeriesHistory.of(fleet, series, NOW)
    assert history.limit.tolist() == [1000.0] * 120 + [2000.0] * 60
    assert history.utilization.tolist() == pytest.approx([0.8] * 120 + [0.4] * 60)
    assert history.since(Zone.WITHIN) == NOW - 59
