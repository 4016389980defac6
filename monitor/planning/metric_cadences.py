"""The minutes between two requests of each metric, by the cadences of the series that use it."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.formulas import Formulas
from monitor.fleet.namespaces import NEVER, NO_NAMESPACE
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.fleet.rings import Rings
from monitor.planning.idling import ActiveMetrics, plan_idle
from monitor.planning.intervals import MAX_INTERVAL, Intervals
from monitor.planning.min_minutes import min_minutes
from monitor.planning.parts import formula_parts, ranges
from monitor.planning.pruning import plan_aggregates
from monitor.planning.safe_series import SafeSeries
from rules.arrays import Flags, Indices, Ints


class MetricCadences:
    """Plans how often the metrics of a fleet are read, by the cadences that its series have.

    Iterate over `plan`, then read `planned_minutes`.

    urgent: the series in danger, by slot. safe_series: finds the series that are safe because the aggregates
    of their metrics are small. planned_minutes: the minutes between two requests of each metric, which the
    planner then writes to the rings.
    """

    def __init__(self, fleet: Fleet, intervals: Intervals, urgent: Flags, safe_series: SafeSeries) -> None:
        self._fleet, self._intervals, self._safe_series = fleet, intervals, safe_series
        self._series_count, self._metric_count = urgent.size, fleet.rings.size
        self._urgent = np.append(urgent, False)
        # The last entry stands for all metrics that are added meanwhile (see `monitor.planning.parts`).
        self._minutes = np.full(self._metric_count + 1, intervals.longest, np.int32)
        self.planned_minutes[fleet.rings.whole[: self._metric_count] != NO_BOUND] = max(
            MAX_INTERVAL, intervals.longest
        )
        self._may_idle = np.ones(self._metric_count + 1, np.bool_)
        self._stale_later_minutes = np.zeros(self._series_count + 1, np.int32)

    @property
    def planned_minutes(self) -> Ints:
        """The minutes between two requests of each metric, by row."""
        return self._minutes[:-1]

    def plan(self, now: int) -> Iterator[None]:
        """Plan at the minute `now`, part by part."""
        yield from self._lower_to_cadences_of_series(self._safe_series.candidates)
        if self._safe_series.has_parts:
            self._safe_series.choose(self.planned_minutes, now)
            yield from self._lower_to_cadences_of_series(self._safe_series.chosen)
        yield from self._lower_throttled()
        self._plan_proving_metrics(now)
        yield
        for part in ranges(self._metric_count):
            rows = np.arange(part.start, part.stop, dtype=np.int32)
            self.planned_minutes[part] = np.maximum(
                self.planned_minutes[part], min_minutes(self._fleet.rings, rows)
            )
            yield
        self._safe_series.mark(self.planned_minutes)
        yield from self._lengthen_idle(now)

    def _parts(self, *all_formulas: Formulas) -> Iterator[tuple[Indices, Ints]]:
        return chain.from_iterable(
            formula_parts(formulas, self._series_count, self._metric_count) for formulas in all_formulas
        )

    def _lower_to_cadences_of_series(self, excluded: Flags) -> Iterator[None]:
        """Lower the minutes of usage metrics to the cadence of their most endangered series.

        excluded: the series that are left out, by slot.
        """
        fleet = self._fleet
        cadence = np.append(fleet.cadence[: self._series_count], self._intervals.longest).astype(np.int32)
        cadence[:-1][excluded] = MAX_INTERVAL
        for slots, rows in self._parts(
            fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.served
        ):
            np.minimum.at(self._minutes, rows, np.broadcast_to(cadence[slots], rows.shape))
            self._may_idle[rows[:, self._urgent[slots]]] = False
            yield

    def _lower_throttled(self) -> Iterator[None]:
        """Lower the minutes of metrics of throttled demand: their maximum is shorter, and none is idle."""
        throttled = self._intervals.throttled
        cadence = np.append(self._fleet.cadence[: self._series_count], self._intervals.longest).astype(
            np.int32
        )
        for slots, rows in self._parts(self._fleet.throttled):
            minutes = np.where(self._urgent[slots], np.minimum(cadence[slots], throttled), throttled)
            np.minimum.at(self._minutes, rows, np.broadcast_to(minutes, rows.shape))
            self._may_idle[rows] = False
            yield

    def _plan_proving_metrics(self, now: int) -> None:
        """Plan the metrics that prove other metrics to be 0 or safe, as often as the other metrics need."""
        rings, planned_minutes, throttled = self._fleet.rings, self.planned_minutes, self._intervals.throttled
        proving_rows = newest_of_namespaces(rings, planned_minutes < NOT_READ)
        planned_minutes[proving_rows] = np.minimum(planned_minutes[proving_rows], throttled)
        plan_aggregates(rings, planned_minutes, throttled, rings.part_searches.paused(now))
        bounding = rings.bound[: self._metric_count]
        self._may_idle[bounding[bounding != NO_BOUND]] = self._may_idle[proving_rows] = False
        aggregates = rings.whole[: self._metric_count]
        self._may_idle[aggregates[aggregates != NO_BOUND]] = False

    def _lengthen_idle(self, now: int) -> Iterator[None]:
        """Lengthen the minutes of idle metrics; let samples of idle and safe series become stale later."""
        fleet, added_minutes = self._fleet, np.zeros(self._metric_count + 1, np.int32)
        for part in ranges(self._metric_count):
            active_minutes = self.planned_minutes[part]
            metrics = ActiveMetrics(part, active_minutes, self._may_idle[part])
            idle_minutes = plan_idle(fleet.rings, metrics, self._intervals.longest, now)
            is_safe = ~np.isnan(fleet.rings.safe_below[part])
            usual_minutes = np.where(
                is_safe, np.minimum(active_minutes, self._intervals.longest), active_minutes
            )
            added_minutes[part], self.planned_minutes[part] = idle_minutes - usual_minutes, idle_minutes
            yield
        for slots, rows in self._parts(fleet.usages, fleet.upper_bounds):
            # Twice, as a request may fail.
            self._stale_later_minutes[slots] = np.maximum(
                self._stale_later_minutes[slots], 2 * added_minutes[rows].max(axis=0)
            )
            yield
        fleet.set_stale_later(self._stale_later_minutes[:-1])


def newest_of_namespaces(rings: Rings, are_read: Flags) -> Indices:
    """Return, for each namespace with metrics that are zero when absent, the row with the newest point.

    The points of that row prove that a missing point of these metrics is a zero. So the row is read as often
    as these metrics. are_read: the metrics that are requested at all, by row.
    """
    size = are_read.size
    namespaces, is_zero_when_absent, newest = (
        rings.namespace[:size],
        rings.zero_when_absent[:size],
        rings.newest_point[:size],
    )
    needs_proof = np.zeros(rings.namespaces.size, np.bool_)
    needs_proof[namespaces[is_zero_when_absent]] = True
    needs_proof[NO_NAMESPACE] = False
    candidates = np.flatnonzero(needs_proof[namespaces] & ~is_zero_when_absent & (newest > NEVER) & are_read)
    latest = np.full(rings.namespaces.size, NEVER, np.int32)
    np.maximum.at(latest, namespaces[candidates], newest[candidates])
    candidates = candidates[newest[candidates] == latest[namespaces[candidates]]]
    rows = np.full(rings.namespaces.size, -1, np.intp)
    rows[namespaces[candidates]] = candidates  # the last candidate of each namespace
    return rows[rows >= 0]
