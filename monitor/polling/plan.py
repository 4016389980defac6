"""Plans the requests of a poll: which metrics over which minutes, weighing cost against freshness.

AWS bills GetMetricData by metric, whatever the number of points. So each request ends with the minute that
just ended, and repeats the ten minutes before, which CloudWatch may revise. If a metric is late although its
namespace is not, its request begins at its newest point. Twice an hour, the request of a metric covers all
stored minutes. Metrics that a stream delivers are not requested. Metrics with a longer period are requested
once per period, after the publication delay, in calls of their own: the range of a call consists of whole
periods, as CloudWatch counts periods from the first minute of a request.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from monitor.fleet.namespaces import SILENT_AFTER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings
from rules.arrays import Flags, Indices, Ints, distinct_values

Owner = TypeVar("Owner")  # the owner of a request, if several owners share calls

MAX_METRICS_PER_CALL = 500  # the maximum of GetMetricData
REVISED_MINUTES = 10  # minutes before the newest minute that CloudWatch may still revise
MISSING_POINT_INTERVAL = 5  # minutes between two requests for a missing point
WINDOW_INTERVAL = 30  # minutes between two requests for all stored minutes


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """A request for metrics with the same period over a range of minutes.

    metrics: as queries. rows: of the metrics in the rings. now: the present minute. period: in minutes.
    """

    metrics: list[bytes]
    rows: Ints
    minutes: range
    now: int
    period: int

    @property
    def is_whole_window(self) -> bool:
        """True if the request covers all stored periods."""
        return self.minutes.start < self.now - WINDOW + self.period

    def part(self, chosen: slice) -> "MetricRequest":
        """Return the same request for some of its metrics."""
        return replace(self, metrics=self.metrics[chosen], rows=self.rows[chosen])

    @property
    def halves(self) -> "tuple[MetricRequest, MetricRequest]":
        """Two requests, each for half of the metrics."""
        middle = len(self.metrics) // 2
        return self.part(slice(middle)), self.part(slice(middle, None))


def combine(requests: Iterable[tuple[Owner, MetricRequest]]) -> Iterator[list[tuple[Owner, MetricRequest]]]:
    """Combine requests of several owners into calls of up to MAX_METRICS_PER_CALL metrics; yield each call.

    Only requests with the same end and period share a call. Requests are split so that, of the calls with one
    end and period, all but the last are full. A call covers the minutes of its longest request: AWS bills
    metrics, not minutes.
    """
    groups: dict[tuple[int, int, int], list[tuple[Owner, MetricRequest]]] = {}
    for owner, request in requests:
        group_key = request.period, request.minutes.stop, request.now
        groups.setdefault(group_key, []).append((owner, request))
    for _, group in sorted(groups.items(), key=lambda item: item[0]):
        yield from _full_calls(sorted(group, key=lambda item: item[1].minutes.start))


def _full_calls(
    requests: Iterable[tuple[Owner, MetricRequest]],
) -> Iterator[list[tuple[Owner, MetricRequest]]]:
    """Yield calls, full except the last. requests: sorted by their first minute."""
    call: list[tuple[Owner, MetricRequest]] = []
    free = MAX_METRICS_PER_CALL
    for owner, request in requests:
        remaining = request
        while remaining.metrics:
            minutes = call[0][1].minutes if call else remaining.minutes
            part = replace(remaining.part(slice(free)), minutes=minutes)
            call.append((owner, part))
            remaining, free = remaining.part(slice(free, None)), free - len(part.metrics)
            if not free:
                yield call
                call, free = [], MAX_METRICS_PER_CALL
    if call:
        yield call


def due_metrics(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Mapping[bytes, int]:
    """Return the metrics of a cell that are due at the minute `now`. metrics: rows by query."""
    rows = np.fromiter(metrics.values(), np.int32, len(metrics))
    is_due = _is_due(rings, rows, now)
    return metrics if is_due.all() else _selected(metrics, np.flatnonzero(is_due))


def most_overdue(rings: Rings, metrics: Mapping[bytes, int], now: int, max_count: int) -> Mapping[bytes, int]:
    """Return the `max_count` metrics that are most overdue.

    They are ordered by the time since their last request, divided by their cadence: so the budget is shared
    fairly, and no metric waits forever.
    """
    if max_count >= len(metrics):
        return metrics
    rows = np.fromiter(metrics.values(), np.int32, len(metrics))
    waited = now - rings.requested_through[rows].astype(np.int64) - 1
    cadence = np.where(rings.listed_again[rows], 1, np.maximum(rings.cadence[rows], 1))
    return _selected(metrics, np.argsort(-waited / cadence, kind="stable")[:max_count])


def _selected(metrics: Mapping[bytes, int], indices: Indices) -> Mapping[bytes, int]:
    items = list(metrics.items())
    return dict(items[n] for n in indices.tolist())


def plan_requests(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Iterator[MetricRequest]:
    """Yield the requests for due metrics of a cell. metrics: rows by query.

    Metrics with similar first minutes share a call, so that a late metric widens the range of one call only.
    When a metric stream stops, its metrics are requested from their last points on.
    """
    queries = list(metrics)
    rows = np.fromiter(metrics.values(), np.int32, len(queries))
    starts, periods = _first_minutes(rings, rows, now), rings.period[rows]
    order = np.argsort(starts, kind="stable").astype(np.int32)
    for period in distinct_values(periods[order]).tolist():
        period_indices, end = order[periods[order] == period], now // period * period
        for first in range(0, period_indices.size, MAX_METRICS_PER_CALL):
            indices = period_indices[first : first + MAX_METRICS_PER_CALL]
            first_in_window = now - WINDOW + (WINDOW - now) % period  # the first whole period of the window
            start = max(int(starts[indices[0]]) // period * period, first_in_window)
            start = min(start, end - period)
            call_queries = [queries[n] for n in indices.tolist()]
            yield MetricRequest(call_queries, rows[indices], range(start, end), now, period)


def _is_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics are due: not streamed, planned for now, and with a possible new point."""
    is_planned = now - rings.requested_through[rows] - 1 >= rings.intervals(rows)
    is_planned |= rings.listed_again[rows]
    is_due: Flags = is_planned & ~rings.is_streamed(rows, now) & _is_period_due(rings, rows, now)
    return is_due


def _is_period_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics may have a new point.

    A metric may have one if its last period was incomplete at the last request, and is complete by `now`. A
    missing point is requested again every MISSING_POINT_INTERVAL minutes.
    """
    periods, delays = rings.period[rows], rings.delays(rows)
    ends, requested_at = (now - delays) // periods * periods, rings.requested_through[rows] + 1
    is_missing = rings.newest_point[rows] == ends - periods - 1
    is_retried = is_missing & (now - requested_at >= MISSING_POINT_INTERVAL)
    is_due: Flags = (periods == 1) | (requested_at < ends + delays) | is_retried
    return is_due


def _first_minutes(rings: Rings, rows: Ints, end: int) -> Ints:
    """Return the first minute to request for each metric. end: the minute after the last one to request.

    A metric without a point for SILENT_AFTER minutes counts as idle, not as late.
    """
    polled, newest = rings.polled_through[rows], rings.newest_point[rows]
    read_up_to = np.where(newest > end - SILENT_AFTER, np.minimum(polled, newest), polled)
    first = np.minimum(read_up_to + 1, end) - REVISED_MINUTES
    first = np.where(_is_window_due(rings, rows, end), end - WINDOW, first)
    minutes: Ints = np.maximum(first, end - WINDOW)
    return minutes


def _is_window_due(rings: Rings, rows: Ints, now: int) -> Flags:
    """Return which metrics are to be requested over the whole window.

    Each row has a turn every WINDOW_INTERVAL minutes, together with as many other rows as fill a call.
    A turn is skipped if it passes while a stream delivers the metric.
    """
    turn = rows // MAX_METRICS_PER_CALL % WINDOW_INTERVAL
    last_read = np.maximum(rings.requested_through[rows] + 1, rings.last_streamed[rows])
    due: Flags = (now - turn) // WINDOW_INTERVAL > (last_read - turn) // WINDOW_INTERVAL
    return due
