"""Reads the points of past days of a cell's metrics, at a limited rate, within the budget.

CloudWatch bills each requested metric, however many points it returns, so each metric is requested once for
all minutes of which points are needed.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from monitor.aws.failure import Failure
from monitor.aws.rate_limiter import RateLimiter
from monitor.fleet.fleet import Fleet
from monitor.fleet.formula import Formula
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import with_period
from monitor.polling.past_points import POINT_MINUTES, PastPoints
from monitor.polling.plan import MAX_METRICS_PER_CALL, MetricRequest
from monitor.polling.reader import MetricReader
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats, distinct_values
from rules.forecast import BINS

FORTNIGHT_POINTS: Final = BINS * BIN_MINUTES // POINT_MINUTES  # of five minutes
METRICS_AT_ONCE: Final = 10  # per call: decoding 4,000 points of each blocks the event loop for milliseconds

Metrics = dict[int, bytes]  # queries by row


class PastMetrics:
    """Reads points of one length.

    limiter: admits requested metrics; a metric of more than FORTNIGHT_POINTS points counts as several.
    point_minutes: the length of a point. max_cached: the most metrics whose points are cached, for other
    series that use them.
    """

    def __init__(self, fleet: Fleet, limiter: RateLimiter, point_minutes: int, max_cached: int) -> None:
        self._fleet, self._limiter = fleet, limiter
        self.point_minutes, self._max_cached = point_minutes, max_cached
        self._cached: dict[tuple[CellKey, bytes, range], Floats] = {}

    async def read(
        self, reader: MetricReader, metrics: Metrics, minutes: range, now: int
    ) -> tuple[list[Failure], Mapping[int, Floats]]:
        """Return the failures, and the points of the metrics by row; none if the budget does not allow them.

        minutes: whole periods of all metrics. now: the present minute.
        """
        if len(self._cached) > self._max_cached:
            self._cached = {}
        keys = {row: (reader.cell.key, query, minutes) for row, query in metrics.items()}
        uncached = {row: query for row, query in metrics.items() if keys[row] not in self._cached}
        past = PastPoints(reader.source, self.point_minutes)
        past.points.update({row: self._cached[key] for row, key in keys.items() if row not in uncached})
        failures: list[Failure] = []
        async with self._budget_allows(reader, len(uncached)) as is_allowed:
            for region, request in self._requests(reader, uncached, minutes, now) if is_allowed else ():
                weight = max(1.0, self._point_count(minutes) / FORTNIGHT_POINTS)
                await self._limiter.acquire(len(request.metrics) * weight)
                failures += await reader.send(past, region, [request])
        self._cached |= {keys[row]: past.points[row] for row in uncached if row in past.points}
        return failures, past.points

    def _point_count(self, minutes: range) -> int:
        return len(minutes) // self.point_minutes

    @asynccontextmanager
    async def _budget_allows(self, reader: MetricReader, metrics: int) -> AsyncIterator[bool]:
        """Yield whether the budget allows a request for this number of metrics."""
        budget = reader.planner.budget if reader.planner else None
        if budget is None or not metrics:
            yield True
            return
        async with budget.grant(self._fleet.payer_of(reader.cell.key)[0], metrics) as granted:
            yield granted >= metrics

    def _requests(
        self, reader: MetricReader, metrics: Metrics, minutes: range, now: int
    ) -> Iterator[tuple[str, MetricRequest]]:
        """Yield requests, each with its region; metrics of the same period share a request."""
        rings, row_by_query = self._fleet.rings, {query: row for row, query in metrics.items()}
        points_per_call = METRICS_AT_ONCE * FORTNIGHT_POINTS
        at_once = min(MAX_METRICS_PER_CALL, max(1, points_per_call // self._point_count(minutes)))
        for region, region_rows in reader.metric_services.by_region(row_by_query).items():
            rows = np.fromiter(region_rows.values(), np.int32, len(region_rows))
            periods = np.maximum(rings.period[rows], self.point_minutes)
            for period in distinct_values(periods).tolist():
                same_period = rows[periods == period]
                for first in range(0, same_period.size, at_once):
                    request_rows = same_period[first : first + at_once]
                    queries = [with_period(metrics[row], period) for row in request_rows.tolist()]
                    yield (
                        region or reader.cell.region,
                        MetricRequest(queries, request_rows, minutes, now, period),
                    )


def past_queries(fleet: Fleet, formula: Formula | None) -> Metrics:
    """Return the metrics of a formula by row; none if a part of the formula is not from CloudWatch."""
    if formula is None or formula.shape.has_lag_operation:
        return {}
    rings = fleet.rings
    queries = {row: rings.metric[row] for row in formula.rows}
    # The row of a usage that an API returned holds the id of the series instead of a query.
    return queries if all(query.startswith(b"{") or b"\2" in query for query in queries.values()) else {}
