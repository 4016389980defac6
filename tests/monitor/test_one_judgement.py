"""One judgement: the exposition, the history, pushes and alerts judge a minute equally."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import Metric, Observed, total
from monitor.alerting.lifecycle import Lifecycle
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.judge import judge
from monitor.fleet.judged import sample_minutes
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.rings import PROVISIONAL_FOR
from monitor.fleet.series_settings import SeriesSettings
from monitor.fleet.snapshot import Snapshot
from monitor.push.samples import newest_minutes, samples_at
from rules.alert_rules import Rule
from rules.alerts import NEVER, AlertState
from rules.band import Zone
from rules.limits import PUBLISHED_ONLY, Limit, LimitSource
from rules.signals import Band, Tolerance
from tests.registries import STREAM_WRITE_BYTES

# The first minute with points, the number of minutes, and how many minutes ago the newest read point was.
START, MINUTES, DELAY = 29_000_000, 24, 3
NAN = float("nan")
SERVED_LAG = 0  # minutes; so that the throttled share of the demand does not change after it was judged
ROLES = ("used", "upper_bound", "throttled", "served", "limit")

# Amounts whose utilizations, with either limit, are not so near an edge that the margin of an alert matters.
amounts = st.sampled_from([NAN, 0.0, 20.0, 50.0, 80.0, 95.0, 160.0, 190.0])
counts = st.sampled_from([NAN, 0.0, 0.0, 0.0, 6.0, 30.0])
limits = st.sampled_from([100.0, 200.0])


class Points(NamedTuple):
    """The points of one metric by minute. lag: how many minutes later than others they arrive."""

    values: list[float]
    lag: int


@dataclass(frozen=True)
class Scenario:
    """The inputs of one series: its metrics' points, and the limits that inventories read, by minute."""

    points: dict[str, Points]
    bounded: bool
    hard: bool
    limits: dict[int, float]


def points_of(values: st.SearchStrategy[float], lag: st.SearchStrategy[int]) -> st.SearchStrategy[Points]:
    """Return a strategy of points."""
    return st.builds(Points, st.lists(values, min_size=MINUTES, max_size=MINUTES), lag)


PUBLISHED_ALONE = 3  # the series with this number modulo 4 has no limit but the published one
lags = st.integers(0, 2)
SCENARIOS = st.builds(
    Scenario,
    st.fixed_dictionaries(
        {
            "used": points_of(amounts, lags),
            "upper_bound": points_of(amounts, lags),
            "throttled": points_of(counts, lags),
            "served": points_of(st.sampled_from([0.0, 100.0, 90_000.0]), st.just(SERVED_LAG)),
            "limit": points_of(st.sampled_from([NAN, NAN, 100.0, 200.0]), st.just(0)),
        }
    ),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.integers(1, MINUTES - 1), limits, max_size=3),
)


class MonitoredFleet:
    """A fleet that is polled, judged and alerted on once a minute."""

    def __init__(self, scenarios: list[Scenario]) -> None:
        self.fleet, self.scenarios = Fleet(), scenarios
        self.lifecycle = Lifecycle(self.fleet, NEVER)
        # By slot and minute: the export of the last judgement, and the last export of each minute.
        self.last_exported: dict[tuple[int, int], Exported] = {}
        self.exported: dict[tuple[int, int], Exported] = {}
        self.limits = [100.0] * len(scenarios)
        for number in range(len(scenarios)):
            self.put_series(number, 100.0, START)

    def put_series(self, number: int, limit: float, minute: int) -> Series:
        """Put a series with this limit into the fleet, as an inventory in this minute does."""
        scenario, key, self.limits[number] = self.scenarios[number], key_of(number), limit
        used, upper_bound, throttled, served, published = (total(metric_of(number, role)) for role in ROLES)
        observed = Observed(
            signal=key.signal,
            resource=key.subject,
            usage=used,
            limit=limit,
            upper_bound=upper_bound if scenario.bounded else None,
            hard_limit=scenario.hard,
            throttled=throttled,
            served=served,
            published_limit=published if number % 2 else None,
        )
        source = LimitSource.METRIC if number % 2 else LimitSource.API
        tolerance = Tolerance(rate=0.05, share=0.001)
        series_settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES,
            limit=Limit(PUBLISHED_ONLY if number % 4 == PUBLISHED_ALONE else limit, source, 0),
            band=Band(),
            pending_for=0,
            keep_firing_for=0,
            tolerance=tolerance,
        )
        return self.fleet.put(key, observed, series_settings, minute)

    def poll(self, now: int) -> None:
        """Read the newest published point of every metric."""
        metric_rows = self.fleet.metrics(key_of(0).cell)
        points_read: list[tuple[int, int, float]] = []
        for number, scenario in enumerate(self.scenarios):
            for role, points in scenario.points.items():
                row = metric_rows.get(metric_query(metric_of(number, role)))
                minute = now - DELAY - points.lag
                if row is not None and minute >= START:
                    points_read.append((row, minute, points.values[minute - START]))
        if points_read:
            rows, minutes, values = zip(*points_read, strict=True)
            rows_and_minutes = np.array(rows, np.int32), np.array(minutes, np.int32)
            self.fleet.rings.write(*rows_and_minutes, np.array(values, np.float32), mark_read_follows=True)
            self.fleet.rings.mark_read(*rows_and_minutes)

    def take_inventory(self, now: int) -> None:
        """Read the new limits of this minute, of series whose metrics are all known up to the same minute.

        Other series are left out: their alerts may already have judged a later minute by some of the metrics,
        with the old limit, and do not judge that minute again.
        """
        for number, scenario in enumerate(self.scenarios):
            limit, old_limit = scenario.limits.get(now - START - DELAY), self.limits[number]
            settles_doubts = bool(limit and limit <= old_limit) or number % 4 == PUBLISHED_ALONE
            # A limit that is not above the old one settles earlier minutes in which the old one was doubted.
            revises = scenario.hard and settles_doubts
            if limit and not revises and self.is_evenly_known(number, scenario.bounded):
                self.put_series(number, limit, now)

    def is_evenly_known(self, number: int, bounded: bool) -> bool:
        """Return whether all metrics of a series are known up to the same minute."""
        slots = np.array([self.fleet.series[key_of(number)].slot], np.int32)
        formulas = (self.fleet.usages, self.fleet.throttled, *([self.fleet.upper_bounds] if bounded else []))
        return len({int(formula.newest_minutes(self.fleet.rings, slots)[0]) for formula in formulas}) == 1

    def judge(self, now: int) -> None:
        """Judge the fleet, and evaluate its alerts."""
        judge(self.fleet, now)
        list(self.lifecycle.advance_in_parts(self.fleet.take_updated()))
        list(self.lifecycle.reevaluate_changed_in_parts())
        self.export()

    def export(self) -> None:
        """Store the numbers that are exported now for each series."""
        snapshot = Snapshot.of(self.fleet, {})
        used_at = sample_minutes(self.fleet, slice(self.fleet.size))
        throttled_at, bounded_at = (
            formula.newest_minutes(self.fleet.rings, slice(self.fleet.size))
            for formula in (self.fleet.throttled, self.fleet.upper_bounds)
        )
        self.last_exported.clear()
        for series in self.fleet.series.values():
            slot = series.slot
            minute = int(snapshot.minute[slot])
            self.last_exported[slot, minute] = Exported(
                has_usage=bool(minute == used_at[slot] and np.isfinite(snapshot.usage[slot])),
                complete=bool(throttled_at[slot] >= minute)
                and (not snapshot.bounded[slot] or bool(bounded_at[slot] >= minute)),
                ahead=bool(throttled_at[slot] > minute),
                usage=float(snapshot.usage[slot]),
                upper_bound=float(snapshot.upper_bound[slot]),
                limit=float(snapshot.limit[slot]),
                utilization=float(snapshot.utilization[slot]),
                throttled=float(snapshot.saturation[slot]),
                zone=Zone(int(snapshot.zone[slot])),
            )
        self.exported |= self.last_exported


class Exported(NamedTuple):
    """The exported numbers of a series in a minute.

    has_usage: usage is known in this minute. complete: throttled demand and upper bound were known up to
    the minute. ahead: throttled demand was known of later minutes.
    """

    has_usage: bool
    complete: bool
    ahead: bool
    usage: float
    upper_bound: float
    limit: float
    utilization: float
    throttled: float
    zone: Zone


def key_of(number: int) -> Key:
    return Key("123456789012", "eu-west-1", "test", "rate", f"r{number}")


def metric_of(number: int, role: str) -> Metric:
    return Metric(f"AWS/Test{number}", role, "Sum", zero_when_absent=role == "throttled")


def series_history_of(monitored: MonitoredFleet, slot: int, end: int) -> SeriesHistory:
    return SeriesHistory.of(monitored.fleet, monitored.fleet.by_slot[slot], end)


def as_history(series_history: SeriesHistory, exported: Exported) -> Exported:
    """Return the last minute of a history in the form of an export, with the recent throttled demand.

    If the export knew the throttled demand of later minutes, the exported throttled demand is taken.
    """
    recent = float(np.fmax.reduce(series_history.throttled[-series_history.recent_minutes :]))
    zones = (
        series_history.zone_of(np.zeros_like(series_history.bounded))
        if exported.ahead
        else series_history.zones
    )
    return exported._replace(
        usage=float(series_history.usage[-1]),
        upper_bound=float(series_history.upper_bound[-1]),
        limit=float(series_history.limit[-1]),
        utilization=float(series_history.utilization[-1]),
        throttled=exported.throttled if exported.ahead else recent,
        zone=Zone(int(zones[-1])),
    )


def check_export(series_history: SeriesHistory, exported: Exported) -> None:
    """Check that the history equals the export."""
    shown = as_history(series_history, exported)
    if exported.has_usage:
        assert [*shown] == pytest.approx([*exported], nan_ok=True), (shown, exported)
    elif exported.zone is Zone.SATURATED:
        assert (shown.zone, shown.throttled) == (exported.zone, exported.throttled)


def check_push(monitored: MonitoredFleet, slot: int, minute: int, series_history: SeriesHistory) -> None:
    """Check that the history equals the pushed samples."""
    slots, minutes = np.array([slot], np.int32), np.array([minute], np.int32)
    newest = newest_minutes(monitored.fleet)[:, slots]
    if not (newest >= minute).all():
        return  # some values are not known yet
    pushed = samples_at(monitored.fleet, slots, minutes, newest)
    pushed_columns = pushed.usage, pushed.upper_bound, pushed.utilization, pushed.saturation, pushed.zone
    history_columns = (
        series_history.usage,
        series_history.upper_bound,
        series_history.utilization,
        series_history.throttled,
        series_history.zone,
    )
    assert [column[0] for column in pushed_columns] == pytest.approx(
        [column[-1] for column in history_columns], nan_ok=True
    )
    limit = series_history.limit[-1] if np.isfinite(series_history.usage[-1]) else NAN
    assert pushed.limit[0] == pytest.approx(limit, nan_ok=True)


def check_alert(monitored: MonitoredFleet, slot: int) -> None:
    """Check that an alert without delays fires while the last judged minute breaches its rule.

    A minute whose numbers may still grow can begin an alert, and cannot end it. A minute whose throttled
    demand is unknown does not end an alert of throttled demand.
    """
    fleet, slots = monitored.fleet, np.array([slot], np.int32)
    formulas = fleet.usages, fleet.throttled
    newest = max(int(formula.newest_minutes(fleet.rings, slots)[0]) for formula in formulas)
    series_history, expected = series_history_of(monitored, slot, newest), set[Rule]()
    complete = min(int(formula.complete_through(fleet.rings, slots)[0]) for formula in formulas)
    has_usage, throttled = np.isfinite(series_history.utilization_lower_bound), series_history.throttled > 0
    judged = has_usage | np.isfinite(series_history.utilization_upper_bound) | (series_history.excess > 0)
    ahead = np.arange(series_history.start, newest + 1) - complete
    grows = (ahead > 0) & (ahead <= PROVISIONAL_FOR) & (has_usage | throttled)
    for at in np.flatnonzero(judged).tolist():
        zone = Zone(int(series_history.zone[at]))
        unknown = {Rule.SATURATED} if np.isnan(series_history.excess[at]) else set()
        remaining = expected & ({*Rule} if grows[at] else unknown)
        expected = remaining | {rule for rule in (Rule.ABOVE, Rule.NEAR, Rule.SATURATED) if rule <= zone}
    firing = {rule for rule, _ in monitored.lifecycle.rules_in_state(slot, AlertState.FIRING)}
    assert firing == expected


@settings(max_examples=30)
@given(st.lists(SCENARIOS, min_size=1, max_size=4))
def test_exposition_history_push_and_alert_judge_a_minute_equally(scenarios: list[Scenario]) -> None:
    monitored = MonitoredFleet(scenarios)
    end = START + MINUTES - 1 + DELAY
    for now in range(START + DELAY, end + 1):
        for step in (monitored.take_inventory, monitored.poll):
            step(now)
            monitored.judge(now)
            for (slot, minute), exported in monitored.last_exported.items():
                check_export(series_history_of(monitored, slot, minute), exported)
        for series in monitored.fleet.series.values():
            check_alert(monitored, series.slot)
    for (slot, minute), exported in monitored.exported.items():
        series_history = series_history_of(monitored, slot, minute)
        if exported.complete:
            check_export(series_history, exported)
        check_push(monitored, slot, minute, series_history)
