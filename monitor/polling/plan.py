"""Plans the requests of a poll: which metrics over which minutes, weighing cost against freshness.

GetMetricData is billed by metric, whatever the number of points. So each request goes up to the minute that
just ended, and covers the ten minutes before again, as CloudWatch revises them. A metric may be late although
its namespace is not: its request goes back to its newest point, and twice an hour over all minutes that are
stored. Metrics that a stream delivers are not requested.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.fleet.columns import Flags, Ints
from monitor.fleet.namespaces import SILENT_AFTER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings

MAX_METRICS_PER_CALL = 500  # of GetMetricData
REVISED_MINUTES = 10  # before the newest minute, which CloudWatch may still revise
WINDOW_INTERVAL = 30  # minutes between two requests for all minutes that are stored


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """The metrics of one call, as JSON of their `MetricStat`, their rows in the rings, and the minutes."""

    metrics: list[bytes]
    rows: Ints
    minutes: range


def plan_requests(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Iterator[MetricRequest]:
    """Yield the requests for the metrics of a cell at the minute `now`. metrics: row by query.

    Metrics that are requested from about the same minute on share a call, so that a metric that is behind
    widens the range of one call only. When a stream stops, its metrics are requested from its last points on.
    """
    queries = list(metrics)
    rows = np.fromiter(metrics.values(), np.int32, len(queries))
    starts = _first_minutes(rings, rows, now)
    order = np.argsort(starts, kind="stable").astype(np.int32)
    order = order[~rings.is_streamed(rows[order], now)]
    for first in range(0, order.size, MAX_METRICS_PER_CALL):
        indices = order[first : first + MAX_METRICS_PER_CALL]
        minutes = range(int(starts[indices[0]]), now)
        yield MetricRequest([queries[n] for n in indices.tolist()], rows[indices], minutes)


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

    It is their turn once in WINDOW_INTERVAL minutes; that of metrics that were streamed does not come later.
    """
    turn = rows // MAX_METRICS_PER_CALL % WINDOW_INTERVAL
    before = np.maximum(rings.requested_through[rows] + 1, rings.last_streamed[rows])
    due: Flags = (now - turn) // WINDOW_INTERVAL > (before - turn) // WINDOW_INTERVAL
    return due
