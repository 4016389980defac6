"""Reads points of metrics that no series uses, such as the invocations of one function."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np

from collectors.base import Metric
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import metric_query
from monitor.polling.past_points import POINT_MINUTES, PastPoints
from monitor.polling.plan import MAX_METRICS_PER_CALL, MetricRequest
from monitor.polling.reader import MetricReader
from rules.arrays import Floats


class MetricPointsResult(NamedTuple):
    """The points that were read, one per five minutes, and a sentence for each failure."""

    points: Mapping[Metric, Floats]
    failures: Sequence[str]


class MetricPointReader:
    """Reads points of five minutes each, within the budget. readers: returns a reader by cell.

    A metric without points gets NaN only; a metric that could not be read is missing in the result.
    """

    def __init__(self, fleet: Fleet, readers: Callable[[], Mapping[CellKey, MetricReader]]) -> None:
        self._fleet, self._readers = fleet, readers

    async def read(self, cell: CellKey, metrics: Sequence[Metric], minutes: range) -> MetricPointsResult:
        """Read metrics of a cell, which have a period of five minutes, over a range of minutes."""
        reader = self._readers().get(cell)
        if reader is None:
            return MetricPointsResult({}, ["it was not opened yet, or cannot be opened"])
        numbers = {metric_query(metric): number for number, metric in enumerate(metrics)}
        past, failures = PastPoints(reader.source), list[str]()
        async with self._granted(reader, len(numbers)) as is_granted:
            if not is_granted:
                return MetricPointsResult({}, ["the budget does not allow it now"])
            for region, request in _requests(reader, numbers, minutes):
                failures += [failure.sentence for failure in await reader.send(past, region, [request])]
        return MetricPointsResult(
            {metrics[number]: points for number, points in past.points.items()}, failures
        )

    @asynccontextmanager
    async def _granted(self, reader: MetricReader, metric_count: int) -> AsyncIterator[bool]:
        """Yield whether the budget allows a request for this number of metrics."""
        budget = reader.planner.budget if reader.planner else None
        if budget is None:
            yield True
            return
        async with budget.grant(self._fleet.payer_of(reader.cell.key)[0], metric_count) as granted_count:
            yield granted_count >= metric_count


def _requests(
    reader: MetricReader, numbers: Mapping[bytes, int], minutes: range
) -> Iterator[tuple[str, MetricRequest]]:
    """Yield requests, each with the region to send it to. numbers: of the metrics, by query."""
    for region, region_numbers in reader.metric_services.by_region(numbers).items():
        queries = [*region_numbers]
        for first in range(0, len(queries), MAX_METRICS_PER_CALL):
            part = queries[first : first + MAX_METRICS_PER_CALL]
            rows = np.array([region_numbers[query] for query in part], np.int32)
            now = reader.cell.clock.minute()
            yield region or reader.cell.region, MetricRequest(part, rows, minutes, now, POINT_MINUTES)
