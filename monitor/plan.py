"""Which metrics are asked for now, and over which minutes: cost against freshness.

GetMetricData is billed by metric, whatever the number of points: every minute since the last time is asked
for at once, and the last ten again, as CloudWatch revises them. What comes by stream is not asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.columns import Ints
from monitor.rings import WINDOW, Rings

BATCH = 500  # metrics a call, the most that GetMetricData takes
REVISED = 10  # minutes that CloudWatch may still revise


@dataclass(frozen=True, slots=True)
class Request:
    """Metrics to ask for in one call: fragments, their rows in the rings, and the minutes."""

    metrics: list[bytes]
    rows: Ints
    minutes: range


def due(rings: Rings, metrics: Mapping[bytes, int], now: int) -> Iterator[Request]:
    """The requests for all `metrics` (fragment: row) of a cell at the minute `now`.

    Metrics of one delay that were read equally far share a call, so that one that is behind makes only its
    neighbours ask for more. When a stream falls silent, its metrics are asked for from its last points on.
    """
    fragments = list(metrics)
    rows = np.fromiter(metrics.values(), np.int32, len(fragments))
    order = np.lexsort((rings.covered[rows], rings.delay[rows]))
    order = order[~rings.is_streamed(rows[order], now)]
    delays = rings.delay[rows[order]]
    for delay in np.unique(delays).tolist():
        alike = order[delays == delay]
        for first in range(0, alike.size, BATCH):
            yield _request(fragments, rows, alike[first : first + BATCH], rings, now - delay)


def _request(fragments: list[bytes], rows: Ints, chosen: Ints, rings: Rings, end: int) -> Request:
    covered = int(rings.covered[rows[chosen]].min())
    start = max(end - WINDOW, min(covered + 1, end) - REVISED)
    return Request([fragments[n] for n in chosen.tolist()], rows[chosen], range(start, end))
