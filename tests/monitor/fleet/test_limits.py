"""Usage and limit of one minute: published limits, limits that usage proves outdated, recreated resources."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Usage, highest, limit_minus, lowest, ratio, total
from monitor.alerting.lifecycle import Lifecycle
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.judge import judge
from monitor.fleet.key import CellKey, Key
from monitor.fleet.limits import (
    LIMIT_CHANGED,
    NOT_THE_DEFAULT,
    RESCAN_INTERVAL,
    LimitVerifier,
    limits_since,
    why_unobservable_now,
)
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.push.samples import newest_minutes, samples_at
from rules.alert_rules import Rule
from rules.alerts import NEVER, AlertState
from rules.band import Zone
from rules.limits import PUBLISHED_ONLY, Limit, LimitSource
from rules.signals import Band
from tests.registries import STREAM_WRITE_BYTES

NOW = 29_000_000
KEY = Key("123456789012", "eu-west-1", "test", "size", "web")
used_metric, published_metric, throttles, spare_metric = (
    Metric("AWS/Test", name, "Maximum") for name in ("Used", "Limit", "Refused", "Spare")
)
COLUMNS = ("usage", "limit", "utilization", "zone", "minute")


class LimitedSeries:
    """A fleet with one series. fields: fields of each observation."""

    def __init__(self, **fields: Any) -> None:
        self.fleet, self.fields = Fleet(), fields
        self.lifecycle = Lifecycle(self.fleet, NEVER)

    def put(
        self, limit: float = 10.0, source: LimitSource = LimitSource.API, read_at: int = NOW, **fields: Any
    ) -> Series:
        """Put the series, as an inventory does that reads this limit at the minute `read_at`."""
        series_settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES,
            limit=Limit(limit, source, 0),
            band=Band(),
            stale_after=30,
            pending_for=0,
        )
        defaults = {"usage": highest(used_metric), "throttled": highest(throttles)}
        observed = Observed(
            signal="size", resource=KEY.subject, limit=limit, **(defaults | self.fields | fields)
        )
        return self.fleet.put(KEY, observed, series_settings, read_at)

    def write(self, metric: Metric, values: Iterable[float], end: int = NOW) -> None:
        """Write the values of the minutes up to `end`."""
        row = self.fleet.metrics(KEY.cell)[metric_query(metric)]
        column = np.array([*values], np.float32)
        minutes = np.arange(end - column.size + 1, end + 1, dtype=np.int32)
        self.fleet.rings.write(np.full(column.size, row, np.int32), minutes, column)

    def read(self, *metrics: Metric) -> None:
        """Mark every minute of these metrics as read: minutes without a point will not get one."""
        row_by_query = self.fleet.metrics(KEY.cell)
        rows = [row for metric in metrics if (row := row_by_query.get(metric_query(metric)))]
        self.fleet.rings.mark_read(np.array(rows, np.int32), NOW)

    def judge(self, now: int = NOW) -> Zone:
        judge(self.fleet, now)
        return Zone(int(self.column("zone")))

    def column(self, name: str) -> float:
        return float(getattr(self.fleet, name)[self.fleet.series[KEY].slot])

    def fires_near(self) -> bool:
        """Return whether the alert `near` fires after everything written so far."""
        list(self.lifecycle.advance_in_parts(self.fleet.take_updated()))
        slot = self.fleet.series[KEY].slot
        return any(rule is Rule.NEAR for rule, _ in self.lifecycle.rules_in_state(slot, AlertState.FIRING))


def test_usage_is_compared_with_the_limit_of_its_own_minute() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(6, LimitSource.METRIC)
    limited_series.write(used_metric, [4, 4, 30, 30])
    limited_series.write(published_metric, [6, 6, 60, 60])
    assert limited_series.judge() is Zone.WITHIN
    assert (
        limited_series.column("usage"),
        limited_series.column("limit"),
        limited_series.column("utilization"),
    ) == (30, 60, 0.5)
    assert not limited_series.fires_near()
    series = limited_series.fleet.series[KEY]
    series_history = SeriesHistory.of(limited_series.fleet, series, NOW)
    assert series_history.limit[-4:].tolist() == [6, 6, 60, 60]
    assert series_history.utilization[-4:].tolist() == pytest.approx([4 / 6, 4 / 6, 0.5, 0.5])
    slots, minutes = np.full(2, series.slot, np.int32), np.array([NOW - 3, NOW], np.int32)
    pushed_samples = samples_at(
        limited_series.fleet, slots, minutes, newest_minutes(limited_series.fleet)[:, slots]
    )
    assert pushed_samples.limit.tolist() == [6, 60]
    assert [*limits_since(limited_series.fleet, series.slot)] == [(None, 6), (NOW - 1, 60)]


@pytest.mark.parametrize(
    ("expression", "limits"),
    [
        pytest.param(
            limit_minus(10, lowest(published_metric, spare_metric)),
            [8, 5, 5, 5],
            id="a number minus a metric",
        ),
        pytest.param(
            ratio(total(published_metric, spare_metric), spare_metric).scaled(10),
            [14, 22, 10, 100],
            id="a ratio with a sum",
        ),
        pytest.param(
            lowest(total(published_metric, spare_metric), published_metric),
            [2, 6, 5, 5],
            id="a sum with an absent term",
        ),
    ],
)
def test_a_published_limit_is_any_expression_over_metrics_of_its_minute(
    expression: Usage, limits: list[float]
) -> None:
    """In minutes in which the expression is unknown, the limit is the one that an inventory read."""
    limited_series = LimitedSeries(published_limit=expression)
    limited_series.put(100, LimitSource.METRIC)
    limited_series.write(used_metric, [1, 1, 1, 1])
    limited_series.write(published_metric, [2, 6, np.nan, 5])
    limited_series.write(spare_metric, [5, 5, 5, np.nan])
    limited_series.read(published_metric, spare_metric)
    limited_series.judge()
    history = SeriesHistory.of(limited_series.fleet, limited_series.fleet.series[KEY], NOW)
    assert history.limit[-4:].tolist() == limits
    assert history.utilization[-4:].tolist() == pytest.approx([1 / limit for limit in limits])
    assert limited_series.column("limit") == limits[-1]


def test_a_minute_without_a_published_limit_has_the_limit_that_was_read_last() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(8, LimitSource.METRIC)
    limited_series.write(used_metric, [4, 4])
    limited_series.write(published_metric, [16, np.nan])
    limited_series.judge()
    assert limited_series.column("limit") == 8


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param([6, 8, np.nan, np.nan], [6, 8, 8, 8], id="after the newest point"),
        pytest.param([6, np.nan, np.nan, 8], [6, 6, 6, 8], id="in a gap"),
        pytest.param([np.nan, np.nan, np.nan, 8], [np.nan, np.nan, np.nan, 8], id="before the oldest point"),
        pytest.param([np.nan] * 4, [np.nan] * 4, id="never published"),
        pytest.param([6, 8, 0, np.nan], [6, 8, np.nan, np.nan], id="published as 0"),
    ],
)
def test_a_limit_that_is_only_published_is_known_from_its_points(
    limits: list[float], expected: list[float]
) -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(PUBLISHED_ONLY, LimitSource.METRIC)
    limited_series.write(used_metric, [4, 4, 4, 4])
    limited_series.write(published_metric, limits)
    zone, series = limited_series.judge(), limited_series.fleet.series[KEY]
    history = SeriesHistory.of(limited_series.fleet, series, NOW)
    np.testing.assert_array_equal(history.limit[-4:], expected)
    assert zone is (Zone.STALE if np.isnan(expected[-1]) else Zone.WITHIN)
    assert series.unobservable is None


def test_a_limit_that_is_only_published_becomes_stale() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(PUBLISHED_ONLY, LimitSource.METRIC)
    limited_series.write(published_metric, [8], end=NOW - 31)
    limited_series.write(used_metric, [4] * 40)
    assert limited_series.judge() is Zone.STALE
    assert np.isnan(limited_series.column("limit"))
    limited_series.write(published_metric, [8], end=NOW - 30)
    assert limited_series.judge() is Zone.WITHIN


def test_a_series_whose_limit_is_only_published_may_be_put_again_without_a_change() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric), hard_limit=True)
    first = limited_series.put(PUBLISHED_ONLY, LimitSource.METRIC)
    version = limited_series.fleet.version
    assert limited_series.put(PUBLISHED_ONLY, LimitSource.METRIC, read_at=NOW + 10) == first
    assert limited_series.fleet.version == version
    ((since, limit),) = limits_since(limited_series.fleet, first.slot)
    assert since is None and np.isnan(limit)


def test_a_usage_of_0_against_a_published_limit_of_0_is_below() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(8, LimitSource.METRIC)
    limited_series.write(used_metric, [0])
    limited_series.write(published_metric, [0])
    assert limited_series.judge() is Zone.BELOW


def test_an_override_outranks_a_published_limit() -> None:
    limited_series = LimitedSeries(published_limit=highest(published_metric))
    limited_series.put(5, LimitSource.OVERRIDE)
    limited_series.write(used_metric, [4])
    assert metric_query(published_metric) not in limited_series.fleet.metrics(
        KEY.cell
    )  # not polled, so not billed
    limited_series.judge()
    assert limited_series.column("utilization") == pytest.approx(0.8)


@given(st.lists(st.integers(0, 40).map(float), min_size=1, max_size=20), st.booleans())
def test_a_constant_published_limit_is_judged_like_the_same_limit_from_the_api(
    values: list[float], is_hard: bool
) -> None:
    by_metric, by_api = LimitedSeries(published_limit=highest(published_metric)), LimitedSeries()
    for limited_series, source in ((by_metric, LimitSource.METRIC), (by_api, LimitSource.API)):
        limited_series.put(40, source, hard_limit=is_hard)
        limited_series.write(used_metric, values)
    by_metric.write(published_metric, [40.0] * len(values))
    assert by_metric.judge() is by_api.judge()
    assert [by_metric.column(name) for name in COLUMNS] == [by_api.column(name) for name in COLUMNS]
    assert by_metric.fires_near() == by_api.fires_near()


def test_a_usage_above_a_hard_limit_proves_that_the_limit_is_outdated() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    series = limited_series.put(6, read_at=NOW - 5)
    limited_series.write(used_metric, [4, 30])
    assert limited_series.judge() is Zone.UNOBSERVABLE
    assert np.isnan(limited_series.column("utilization")) and limited_series.column("usage") == 30
    assert why_unobservable_now(limited_series.fleet, series) is LIMIT_CHANGED
    assert not limited_series.fires_near()
    assert np.isnan(SeriesHistory.of(limited_series.fleet, series, NOW).utilization[-1])
    limited_series.put(60)
    assert limited_series.judge() is Zone.WITHIN
    assert not limited_series.fires_near()


def test_throttled_demand_proves_that_the_limit_holds() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    limited_series.put(6)
    limited_series.write(used_metric, [7])
    limited_series.write(throttles, [3])
    assert limited_series.judge() is Zone.SATURATED
    assert limited_series.column("utilization") == pytest.approx(7 / 6)


def test_an_inventory_that_reads_the_same_limit_confirms_that_it_is_exceeded() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    series = limited_series.put(6, read_at=NOW - 5)
    limited_series.write(used_metric, [7])
    assert limited_series.judge() is Zone.UNOBSERVABLE
    limited_series.put(6)
    assert limited_series.judge() is Zone.NEAR
    limited_series.write(used_metric, [7], NOW + 1)
    assert limited_series.judge(NOW + 1) is Zone.NEAR
    assert limited_series.fires_near()
    assert why_unobservable_now(limited_series.fleet, series) is None


def test_a_lowered_limit_does_not_judge_earlier_usage() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    limited_series.put(60, read_at=NOW - 9)
    limited_series.write(used_metric, [30], NOW - 3)  # a sample from before the limit was lowered
    limited_series.put(20, read_at=NOW)
    assert limited_series.judge() is Zone.UNOBSERVABLE
    limited_series.put(20, read_at=NOW + 1)
    assert limited_series.judge(NOW + 1) is Zone.UNOBSERVABLE
    limited_series.write(used_metric, [20], NOW + 1)
    assert limited_series.judge(NOW + 1) is Zone.NEAR


def test_an_alert_neither_begins_nor_ends_while_its_limit_is_doubted() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    limited_series.put(6, read_at=NOW - 30)
    limited_series.write(used_metric, [6, 6], NOW - 20)
    assert limited_series.fires_near()
    limited_series.write(used_metric, [30] * 15)
    assert limited_series.fires_near()


def test_a_new_limit_applies_from_the_minute_of_the_newest_sample() -> None:
    limited_series = LimitedSeries()
    series = limited_series.put(60, read_at=NOW - 20)
    limited_series.write(used_metric, [30, 30], NOW - 3)
    limited_series.put(40, read_at=NOW)
    assert limited_series.judge() is Zone.ABOVE
    assert SeriesHistory.of(limited_series.fleet, series, NOW).limit[-6:].tolist() == [60, 60, 40, 40, 40, 40]
    # Without a current sample, the limit applies from the minute of the reading.
    limited_series.put(50, read_at=NOW + 30)
    assert SeriesHistory.of(limited_series.fleet, series, NOW + 30).limit[-2:].tolist() == [40, 50]


@pytest.mark.parametrize("source", [LimitSource.DOCUMENTED, LimitSource.DEFAULT])
def test_an_exceeded_default_is_not_the_limit_of_this_account(source: LimitSource) -> None:
    limited_series = LimitedSeries(hard_limit=True)
    for minute in (NOW - 5, NOW, NOW + 1):
        series = limited_series.put(6, source, read_at=minute)
        limited_series.write(used_metric, [30])
        assert limited_series.judge() is Zone.UNOBSERVABLE
    assert why_unobservable_now(limited_series.fleet, series) is NOT_THE_DEFAULT


def test_a_usage_above_a_configured_limit_is_judged() -> None:
    limited_series = LimitedSeries(hard_limit=True)
    limited_series.put(6, LimitSource.OVERRIDE)
    limited_series.write(used_metric, [30])
    assert limited_series.judge() is Zone.NEAR


def test_a_doubted_limit_requests_one_scan_in_each_rescan_interval() -> None:
    limited_series, scans = LimitedSeries(hard_limit=True), list[tuple[CellKey, str]]()
    verifier = LimitVerifier(lambda cell, service: scans.append((cell, service)))
    limited_series.put(6, read_at=NOW - 5)
    limited_series.write(used_metric, [30])
    for minute in range(NOW, NOW + RESCAN_INTERVAL + 1):
        limited_series.judge(minute)
        verifier.request_scans(limited_series.fleet, minute)
    assert scans == [(KEY.cell, "test")] * 2
    limited_series.put(60, read_at=NOW + 10)
    limited_series.judge(NOW + 10)
    verifier.request_scans(limited_series.fleet, NOW + 20)
    assert len(scans) == 2


def test_a_doubted_limit_that_no_scan_reads_requests_no_scan() -> None:
    limited_series, scans = LimitedSeries(hard_limit=True), list[str]()
    limited_series.put(6, LimitSource.DOCUMENTED, read_at=NOW - 5)
    limited_series.write(used_metric, [30])
    limited_series.judge()
    LimitVerifier(lambda cell, service: scans.append(service)).request_scans(limited_series.fleet, NOW)
    assert scans == []


def test_a_recreated_resource_has_no_samples_limits_or_alerts_of_its_predecessor() -> None:
    limited_series = LimitedSeries()
    limited_series.put(10, read_at=NOW - 30, created_at=(NOW - 1000) * 60.0)
    limited_series.write(used_metric, [10] * 5, NOW - 10)
    assert limited_series.fires_near()
    slot = limited_series.fleet.series[KEY].slot
    series = limited_series.put(20, created_at=(NOW - 8) * 60.0)
    limited_series.lifecycle.forget(limited_series.fleet.reclaim())
    assert series.slot == slot or limited_series.fleet.by_slot[slot] is None
    limited_series.write(used_metric, [10] * 5, NOW - 9)  # CloudWatch still has these points under the name
    assert limited_series.judge() is Zone.STALE
    assert not limited_series.fires_near()
    assert np.isnan(SeriesHistory.of(limited_series.fleet, series, NOW).usage).all()
    assert [*limits_since(limited_series.fleet, series.slot)] == [(None, 20)]
    limited_series.write(used_metric, [10], NOW - 7)
    assert limited_series.judge() is Zone.WITHIN


@pytest.mark.parametrize("seconds_later", [0.0, 60.0])
def test_a_resource_whose_creation_time_hardly_changes_keeps_its_samples(seconds_later: float) -> None:
    """The creation time that AWS returns for a stream is approximate."""
    limited_series = LimitedSeries()
    first = limited_series.put(10, created_at=(NOW - 1000) * 60.0)
    second = limited_series.put(20, created_at=(NOW - 1000) * 60.0 + seconds_later)
    assert first.slot == second.slot
    assert replace(second, settings=first.settings) == first


def test_a_published_limit_with_an_invalid_dimension_is_left_out() -> None:
    invalid_limit: Usage = highest(published_metric.of(Group=" "))
    limited_series = LimitedSeries(published_limit=invalid_limit)
    limited_series.put(10, LimitSource.METRIC)
    limited_series.write(used_metric, [5])
    assert limited_series.judge() is Zone.WITHIN
    assert limited_series.put(PUBLISHED_ONLY, LimitSource.METRIC).unobservable is not None
