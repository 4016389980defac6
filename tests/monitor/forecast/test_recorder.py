"""The recorded usage of a fleet is the judged usage, reduced to quarters of an hour."""

from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, Observed, Unobservable, total
from monitor.fleet.demand import highest_by_bin
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.forecast.history import UsageHistory
from monitor.forecast.history_block import BLOCK_SIZE
from monitor.forecast.recorder import NO_ROW, RECORDED_BINS, Recorder
from rules.analogs import BIN_MINUTES
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import STREAM_WRITE_BYTES
from tests.resources import resource

END = 29_000_010 // BIN_MINUTES * BIN_MINUTES  # the end of the newest complete bin
NOW = END + 7
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES, limit=Limit(100.0, LimitSource.API, 0), band=Band(), stale_after=15
)
NAN = float("nan")
Array = np.ndarray[Any, Any]


def metric(name: str, stat: str = "Sum") -> Metric:
    return Metric("AWS/Test", name, stat)


def add_series(fleet: Fleet, name: str, usage: Any, **observed: Any) -> Series:
    """Add a series to a fleet."""
    key = Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", name)
    return fleet.put(
        key, Observed(signal="rate", resource=resource(name), usage=usage, **observed), SETTINGS, NOW
    )


def write_points(fleet: Fleet, name: str, values: Array, stat: str = "Sum") -> None:
    """Write the newest points up to NOW, and mark the metric as read. NaN: no point."""
    row = fleet.metrics(("123456789012", "eu-west-1"))[metric_query(metric(name, stat))]
    minutes = np.arange(NOW - len(values), NOW, dtype=np.int32)
    has_point = np.isfinite(values)
    rows = np.full(int(has_point.sum()), row, np.int32)
    fleet.rings.write(rows, minutes[has_point], values[has_point].astype(np.float32))
    fleet.rings.mark_read(np.array([row], np.int32), NOW - 1)


async def record_usage(fleet: Fleet, series: Series, history: UsageHistory | None = None) -> Array:
    """Record a fleet, and return the usage of the recorded bins of one of its series."""
    recorder = Recorder(fleet, history or UsageHistory())
    await recorder.record(NOW)
    row = int(recorder.rows[series.slot])
    if row == NO_ROW:
        return np.empty(0)
    block, column = recorder.history.block_and_column(row)
    usage = block.recent()[-RECORDED_BINS:, column].astype(np.float64)
    return usage * float(block.scale[column] or 1)


def highest_means(values: Array, size: int) -> list[float]:
    """The highest of the three five-minute means of each of the last `size` bins. values: up to NOW."""
    complete = values[: len(values) - (NOW - END)]
    means = np.array([np.mean(complete[n : n + 5]) for n in range(len(complete) % 15, len(complete), 5)])
    return [float(max(means[n : n + 3])) for n in range(0, len(means), 3)][-size:]


async def test_the_last_hours_are_recorded_as_they_were_judged() -> None:
    fleet, values = Fleet(), np.random.default_rng(1).uniform(10, 90, 180)
    series = add_series(fleet, "a", total(metric("a")))
    write_points(fleet, "a", values)
    usage = await record_usage(fleet, series)
    assert usage == pytest.approx(highest_means(values, RECORDED_BINS), rel=1e-3)


async def test_a_maximum_is_not_averaged() -> None:
    fleet, values = Fleet(), np.full(180, 10.0)
    values[-30] = 70
    series = add_series(fleet, "a", total(metric("a", "Maximum")))
    write_points(fleet, "a", values, "Maximum")
    assert (await record_usage(fleet, series)).max() == pytest.approx(70, rel=1e-3)


async def test_minutes_without_points_are_missing_and_not_zero() -> None:
    fleet, values = Fleet(), np.full(180, 10.0)
    values[:60] = np.nan
    series = add_series(fleet, "a", total(metric("a")))
    write_points(fleet, "a", values)
    usage = await record_usage(fleet, series)
    assert np.isnan(usage[:3]).all()
    assert (usage[5:] == 10).all()


async def test_late_points_raise_the_recorded_usage() -> None:
    fleet, history, values = Fleet(), UsageHistory(), np.full(180, 10.0)
    series = add_series(fleet, "a", total(metric("a")))
    write_points(fleet, "a", np.where(np.arange(180) >= 170, np.nan, values))
    usage = await record_usage(fleet, series, history)
    assert usage[-1] == 10
    values[-12:] = 30
    write_points(fleet, "a", values)
    usage = await record_usage(fleet, series, history)
    assert usage[-1] == 30


async def test_only_series_whose_utilization_is_judged_have_a_history() -> None:
    fleet = Fleet()
    off = add_series(fleet, "off", Unobservable("off"))
    bounded = add_series(fleet, "bounded", total(metric("a")), upper_bound=total(metric("b")))
    assert (await record_usage(fleet, off)).size == 0
    assert (await record_usage(fleet, bounded)).size == 0


async def test_the_lowest_utilization_at_which_demand_was_throttled_is_stored() -> None:
    fleet, values, throttled = Fleet(), np.full(180, 50.0), np.zeros(180)
    values[-40], throttled[-40] = 35, 600
    values[-50], throttled[-50] = 45, 600
    values[-60] = 20  # no demand was throttled
    series = add_series(fleet, "a", total(metric("a")), throttled=total(metric("throttled")))
    write_points(fleet, "a", values)
    write_points(fleet, "throttled", throttled)
    recorder = Recorder(fleet, UsageHistory())
    await recorder.record(NOW)
    block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
    assert block.ceiling[column] == pytest.approx(0.35, rel=1e-3)


async def test_the_recorded_usage_includes_throttled_demand_in_proportion_to_served_demand() -> None:
    fleet, values, throttled, served = Fleet(), np.full(180, 50.0), np.zeros(180), np.full(180, 600.0)
    throttled[-42:-37] = 300
    served[-57:-52], throttled[-57:-52] = 0, 300  # without served demand, the throttled bytes are unknown
    add_series(
        fleet, "a", total(metric("a")), throttled=total(metric("throttled")), served=total(metric("served"))
    )
    for name, points in (("a", values), ("throttled", throttled), ("served", served)):
        write_points(fleet, name, points)
    usage = await record_usage(fleet, fleet.by_slot[0])
    assert usage.max() == pytest.approx(75, rel=1e-3)
    assert np.count_nonzero(usage > 51) <= 2


async def test_a_day_with_throttled_demand_is_counted_even_if_none_was_served() -> None:
    fleet, throttled = Fleet(), np.zeros(180)
    throttled[-40] = 600
    series = add_series(fleet, "a", total(metric("a")), throttled=total(metric("throttled")))
    write_points(fleet, "a", np.zeros(180))
    write_points(fleet, "throttled", throttled)
    recorder = Recorder(fleet, UsageHistory())
    await recorder.record(NOW)
    block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
    assert block.throttled_days[column] == 1
    assert np.isnan(block.ceiling[column])


async def test_a_series_in_a_reused_slot_has_a_row_of_its_own() -> None:
    fleet, history = Fleet(), UsageHistory()
    first = add_series(fleet, "a", total(metric("a")))
    write_points(fleet, "a", np.full(180, 10.0))
    recorder = Recorder(fleet, history)
    await recorder.record(NOW)
    fleet.drop(first.key)
    fleet.reclaim()
    second = add_series(fleet, "b", total(metric("b")))
    assert second.slot == first.slot
    first_row = int(recorder.rows[first.slot])
    await recorder.record(NOW)
    assert int(recorder.rows[second.slot]) not in {first_row, NO_ROW}
    assert len(history) == 2


def test_a_bin_is_complete_if_each_of_its_five_minute_means_is_known() -> None:
    usage = np.full((30, 1), 4.0, np.float32)
    usage[5:10] = np.nan
    highest, are_complete = highest_by_bin(usage, np.array([False]))
    assert highest.ravel().tolist() == [4, 4]
    assert are_complete.ravel().tolist() == [False, True]


async def test_a_full_history_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet()
    recorder = Recorder(fleet, UsageHistory(max_blocks=1))
    for number in range(BLOCK_SIZE + 3):
        add_series(fleet, f"s{number}", total(metric(f"s{number}")))
    judge(fleet, NOW)
    await recorder.record(NOW)
    await recorder.record(NOW)
    assert np.count_nonzero(recorder.rows == NO_ROW) == 3
    assert caplog.text.count("only the first are forecast") == 1
