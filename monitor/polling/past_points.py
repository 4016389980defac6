"""Points of past hours or days that CloudWatch returns for the metrics of one cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collectors.usage import SUMMED_STATISTICS
from monitor.aws.failure import Failure
from monitor.fleet.metric_query import statistic
from monitor.polling.codec import MetricResult
from monitor.polling.metric_caller import CallPart, MetricCaller
from monitor.polling.metric_source import MetricSource
from monitor.polling.plan import MetricRequest
from monitor.polling.rejected_metrics import InvalidRequestError
from rules.arrays import Floats

POINT_MINUTES: Final = 5  # the length of a point, unless a reader asks for another


@dataclass(eq=False)
class PastPoints:
    """Receives the results of calls for the metrics of a cell.

    point_minutes: the length of a point; the period of each metric is a multiple of it. points: by row, one
    point for every `point_minutes`.
    """

    source: MetricSource
    point_minutes: int = POINT_MINUTES
    points: dict[int, Floats] = field(default_factory=dict)

    async def read_in_own_calls(self, caller: MetricCaller, request: MetricRequest) -> list[Failure]:
        """Send a request, or its halves if CloudWatch rejects a metric in it; return the failures."""
        try:
            return [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) == 1:
                return [error.failure]
            first, second = request.halves
            return await self.read_in_own_calls(caller, first) + await self.read_in_own_calls(caller, second)

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Store complete results. results: by the number of the metric in the request."""
        for number, result in results.items():
            row = int(request.rows[number])
            stat = statistic(request.metrics[number])
            self.points[row] = _points(request, result, stat, self.point_minutes)


def _points(request: MetricRequest, result: MetricResult, stat: str, point_minutes: int) -> Floats:
    """Return the points of a request, one for each `point_minutes`; NaN is missing. Sums are per minute."""
    start, point_count = request.minutes.start, len(request.minutes) // point_minutes
    indices = (np.array(result.timestamps, np.float64) // 60 - start) // point_minutes
    values = np.array(result.values, np.float64)  # converts the text NaN, too
    is_usable = (indices >= 0) & (indices < point_count) & np.isfinite(values)
    points = np.full(point_count, np.nan)
    for step in range(request.period // point_minutes):
        positions = indices[is_usable].astype(np.intp) + step
        points[positions[positions < point_count]] = values[is_usable][positions < point_count]
    with np.errstate(over="ignore"):
        scaled = (points / (request.period if stat in SUMMED_STATISTICS else 1)).astype(np.float32)
    scaled[np.isinf(scaled)] = np.nan
    return scaled
