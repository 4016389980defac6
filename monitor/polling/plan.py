"""Plans the requests of a poll: which metrics over which minutes, weighing cost against freshness.

GetMetricData is billed by metric, whatever the number of points. So each request goes up to the minute that
just ended, and covers the ten minutes before again, as CloudWatch revises them. A metric may be late although
its namespace is not: its request goes back to its newest point, and twice an hour over all minutes that are
stored. Metrics that a stream delivers are not requested. Metrics of a longer period are requested once in a
period, when its publication delay has passed, in calls of their own: the minutes of a call are whole periods,
as CloudWatch counts periods from the first minute of a request.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from monitor.fleet.columns import Flags, Indices, Ints
from monitor.fleet.namespaces import SILENT_AFTER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings

Owner = TypeVar("Owner")  # of a request, among those that share calls

MAX_METRICS_PER_CALL = 500  # of GetMetricData
REVISED_MINUTES = 10  # before the newest minute, which CloudWatch may still revise
RETRY_INTERVAL = 5  # minutes between two requests for a point that is missing
WINDOW_INTERVAL = 30  # minutes between two requests for all minutes that are stored


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """The metrics of one call, as queries, their rows in the rings, and the minutes.

    now: the minute of the clock. period: of the metrics, in minutes.
    """

    metrics: list[bytes]
    rows: Ints
    minutes: range
    now: int
    period: int

    @property
    def is_whole_window(self) -> bool:
        """True if all periods that are stored are requested."""
        return self.minutes.start < self.now - WINDOW + self.period

    def part(self, part: slice) -> "MetricRequest":
        """Return the request of some of its metrics."""
        return replace(self, metrics=self.metrics[part], rows=self.rows[part])

    @property
    def halves(self) -> "tuple[MetricRequest, MetricRequest]":
        """Two requests with half of the metrics each."""
        middle = len(self.metrics) // 2
        return self.part(slice(middle)), self.part(slice(middle, None))


def combine(requests: Iterable[tuple[Owner, MetricRequest]]) -> Iterator[list[tuple[Owner, MetricRequest]]]:
    """Yield calls of up to MAX_METRICS_PER_CALL metrics, each of the requests of several owners.

    Only requests with the same end and period share a call. A request is spread over calls so that all but
    the last of its kind are full. The minutes of a call begin with those of the request that is furthest
    behind: AWS bills metrics, not minutes.
    """
    by_end: dict[tuple[int, int, int], list[tuple[Owner, MetricRequest]]] = {}
    for owner, request in requests:
        kind = request.period, request.minutes.stop, request.now
        by_end.setdefault(kind, []).append((owner, request))
    for kind in sorted(by_end):
        yield from _filled(sorted(by_end[kind], key=lambda one: one[1].minutes.start))


def _filled(requests: Iterable[tuple[Owner, MetricRequest]]) -> Iterator[list[tuple[Owner, MetricRequest]]]:
    """Yield full calls and a last one; requests: those that are furthest behind first."""
    call: list[tuple[Owner, MetricRequest]] = []
    space = MAX_METRICS_PER_CALL
    for owner, request in requests:
        rest = request
        while rest.metrics:
            first = call[0][1].minutes if call else rest.minutes
            taken = replace(rest.part(slice(space)), minutes=first)
            call.append((owner, taken))
            rest, space = rest.part(slice(space, None)), space - len(taken.metrics)
            if not space:
                yield call
                call, space = [], MAX_METRICS_PER_CALL
    if call:
        yield call


def due_metrics(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Mapping[bytes, int]:
    """Return the metrics of a cell that are due at the minute `now`. metrics: row by query."""
    rows = np.fromiter(metrics.values(), np.int32, len(metrics))
    is_due = _is_due(rings, rows, now)
    return metrics if is_due.all() else _selected(metrics, np.flatnonzero(is_due))


def most_overdue(rings: Rings, metrics: Mapping[bytes, int], now: int, number: int) -> Mapping[bytes, int]:
    """Return this number of metrics, those first that wait for longest as a multiple of their cadence.

    So what waits for a budget waits for a fair time, and none waits forever.
    """
    if number >= len(metrics):
        return metrics
    rows = np.fromiter(metrics.values(), np.int32, len(metrics))
    waited = now - rings.requested_through[rows].astype(np.int64) - 1
    cadence = np.where(rings.woken[rows], 1, np.maximum(rings.cadence[rows], 1))
    return _selected(metrics, np.argsort(-waited / cadence, kind="stable")[:number])


def _selected(metrics: Mapping[bytes, int], indices: Indices) -> Mapping[bytes, int]:
    items = list(metrics.items())
    return dict(items[n] for n in indices.tolist())


def plan_requests(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Iterator[MetricRequest]:
    """Yield the requests for metrics of a cell that are due at the minute `now`. metrics: row by query.

    Metrics that are requested from about the same minute on share a call, so that a metric that is behind
    widens the range of one call only. When a stream stops, its metrics are requested from its last points on.
    """
    queries = list(metrics)
    rows = np.fromiter(metrics.values(), np.int32, len(queries))
    starts, periods = _first_minutes(rings, rows, now), rings.period[rows]
    order = np.argsort(starts, kind="stable").astype(np.int32)
    for period in np.unique(periods[order]).tolist():
        members, end = order[periods[order] == period], now // period * period
        for first in range(0, members.size, MAX_METRICS_PER_CALL):
            indices = members[first : first + MAX_METRICS_PER_CALL]
            start = max(int(starts[indices[0]]) // period, -(-(now - WINDOW) // period)) * period
            start = min(start, end - period)
            names = [queries[n] for n in indices.tolist()]
            yield MetricRequest(names, rows[indices], range(start, end), now, period)


def _is_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics are polled, were planned to be read by now, and may have a new point."""
    is_planned = now - rings.requested_through[rows] - 1 >= rings.intervals(rows)
    is_planned |= rings.woken[rows]
    is_due: Flags = is_planned & ~rings.is_streamed(rows, now) & _is_period_due(rings, rows, now)
    return is_due


def _is_period_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics may have a new point.

    Those may have one whose last period was not complete yet at their last request, and is by `now`. If its
    point is missing, it is requested again every RETRY_INTERVAL minutes.
    """
    periods, delays = rings.period[rows], rings.delays(rows)
    ends, requested_at = (now - delays) // periods * periods, rings.requested_through[rows] + 1
    is_missing = rings.newest_point[rows] == ends - periods - 1
    is_retried = is_missing & (now - requested_at >= RETRY_INTERVAL)
    is_due: Flags = (periods == 1) | (requested_at < ends + delays) | is_retried
    return is_due


def _first_minutes(rings: Rings, rows: Ints, end: int) -> Ints:
    """Return the first minute to request of each metric, up to `end`.

    A metric that has had no point for SILENT_AFTER minutes is idle rather than late.
    """
    polled, newest = rings.polled_through[rows], rings.newest_point[rows]
    behind = np.where(newest > end - SILENT_AFTER, np.minimum(polled, newest), polled)
    first = np.minimum(behind + 1, end) - REVISED_MINUTES
    first = np.where(_is_window_due(rings, rows, end), end - WINDOW, first)
    minutes: Ints = np.maximum(first, end - WINDOW)
    return minutes


def _is_window_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics are to be requested over the whole window: a call's worth of rows at a time.

    Each has its turn once in WINDOW_INTERVAL minutes. A turn that passed while a stream delivered the metric
    is not made up for.
    """
    turn = rows // MAX_METRICS_PER_CALL % WINDOW_INTERVAL
    before = np.maximum(rings.requested_through[rows] + 1, rings.last_streamed[rows])
    due: Flags = (now - turn) // WINDOW_INTERVAL > (before - turn) // WINDOW_INTERVAL
    return due
