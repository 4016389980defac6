"""Plans the requests of a poll: which metrics over which minutes, weighing cost against freshness.

GetMetricData is billed by metric, whatever the number of points. So each request goes up to the minute that
just ended, and covers the ten minutes before again, as CloudWatch revises them. Metrics that a stream
delivers are not requested.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.fleet.columns import Ints
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings

MAX_METRICS_PER_CALL = 500  # of GetMetricData
REVISED_MINUTES = 10  # before the newest minute, which CloudWatch may still revise


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """The metrics of one call, as JSON of their `MetricStat`, their rows in the rings, and the minutes."""

    metrics: list[bytes]
    rows: Ints
    minutes: range


def plan_requests(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Iterator[MetricRequest]:
    """Yield the requests for the metrics of a cell at the minute `now`. metrics: row by query.

    Metrics that were read up to about the same minute share a call, so that a metric that is behind widens
    the range of one call only. When a stream stops, its metrics are requested from its last points on.
    """
    queries = list(metrics)
    rows = np.fromiter(metrics.values(), np.int32, len(queries))
    order = np.argsort(rings.polled_through[rows], kind="stable").astype(np.int32)
    order = order[~rings.is_streamed(rows[order], now)]
    for first in range(0, order.size, MAX_METRICS_PER_CALL):
        yield _request(queries, rows, order[first : first + MAX_METRICS_PER_CALL], rings, now)


def _request(queries: list[bytes], rows: Ints, indices: Ints, rings: Rings, end: int) -> MetricRequest:
    polled_through = int(rings.polled_through[rows[indices]].min())
    start = max(end - WINDOW, min(polled_through + 1, end) - REVISED_MINUTES)
    return MetricRequest([queries[n] for n in indices.tolist()], rows[indices], range(start, end))
