"""The points of past hours or days that CloudWatch returns for the metrics of one cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collectors.usage import SUMMED_STATISTICS
from monitor.aws.failure import Failure
from monitor.fleet.columns import Floats
from monitor.fleet.metric_query import statistic
from monitor.polling.codec import MetricResult
from monitor.polling.metric_caller import CallPart, MetricCaller
from monitor.polling.metric_source import MetricSource
from monitor.polling.plan import MetricRequest
from monitor.polling.rejected_metrics import InvalidRequestError

POINT_MINUTES: Final = 5  # minutes of a point


@dataclass(eq=False)
class PastPoints:
    """Receives the results of calls for the metrics of a cell. points: by row, of five minutes each."""

    source: MetricSource
    points: dict[int, Floats] = field(default_factory=dict)

    async def read_alone(self, caller: MetricCaller, request: MetricRequest) -> list[Failure]:
        """Send a request, in halves if CloudWatch rejects all because of one metric; return the failures."""
        try:
            return [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) == 1:
                return [error.failure]
            first, second = request.halves
            return await self.read_alone(caller, first) + await self.read_alone(caller, second)

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Store complete results, by the number of the metric in the request."""
        for number, result in results.items():
            row = int(request.rows[number])
            self.points[row] = _five_minute_points(request, result, statistic(request.metrics[number]))


def _five_minute_points(request: MetricRequest, result: MetricResult, stat: str) -> Floats:
    """Return a point for each five minutes of a request; sums become those of one minute."""
    start, steps = request.minutes.start, len(request.minutes) // POINT_MINUTES
    at = (np.array(result.timestamps, np.float64) // 60 - start) // POINT_MINUTES
    values = np.array(result.values, np.float64)  # also where one is the text NaN
    inside = (at >= 0) & (at < steps) & np.isfinite(values)
    points = np.full(steps, np.nan)
    for step in range(request.period // POINT_MINUTES):
        places = at[inside].astype(np.intp) + step
        points[places[places < steps]] = values[inside][places < steps]
    with np.errstate(over="ignore"):
        found = (points / (request.period if stat in SUMMED_STATISTICS else 1)).astype(np.float32)
    found[np.isinf(found)] = np.nan
    return found
