"""A fake CloudWatch with a fortnight of points, and a fleet with its reader and forecaster."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import numpy as np

from collectors.base import Metric, Observed, Usage, total
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.forecast.forecaster import Forecaster
from monitor.forecast.history import UsageHistory
from monitor.planning.planner import Planner
from monitor.polling.reader import MetricReader
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import Body, FakeCloudWatch, Query, Response, fake_credentials, query_result
from tests.registries import METRIC_SERVICES, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

CELL = "123456789012", "eu-west-1"
DAY_MINUTES = 24 * 60
# Minutes by which `daily` is moved, so that it is as at 9 o'clock whenever a test runs.
SHIFT = 9 * 60 - int(time.time() // 60)
Array = np.ndarray[Any, Any]


def daily(minute: int) -> float:
    """A usage per minute that goes from 20 to 80 and back once a day; it is 50, rising, at the start."""
    return 50 - 30 * cos(2 * pi * ((minute + SHIFT) % DAY_MINUTES) / DAY_MINUTES)


def metric(name: object, stat: str = "Sum", **options: Any) -> Metric:
    return Metric("AWS/Kinesis", "IncomingBytes", stat, **options).of(StreamName=str(name))


def stream_name_of(query: Query) -> str:
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def points_of(value_at: Callable[[int], float | None], query: Query, body: Body) -> dict[int, float]:
    """Return the value of each period of a query that is within the time of the request, by minute."""
    period, stat = query["MetricStat"]["Period"] // 60, query["MetricStat"]["Stat"]
    start, end = body["StartTime"] // 60, body["EndTime"] // 60
    starts = range(-(-start // period) * period, end - period + 1, period)
    values = {minute: value_at(minute) for minute in starts}
    factor = period if stat == "Sum" else 1
    return {minute: value * factor for minute, value in values.items() if value is not None}


def is_of_past(body: Body) -> bool:
    """Return whether a request begins more than five hours ago."""
    return bool(body["StartTime"] < time.time() - 5 * 3600)


def is_of_minutes(body: Body) -> bool:
    """Return whether a request is for points of a minute."""
    return all(query["MetricStat"]["Period"] == 60 for query in body["MetricDataQueries"])


def answer_with(value_at: Callable[[int], float | None] = daily) -> Callable[[Body], Response]:
    """Return a function that answers requests with these values by minute, the same for all metrics."""
    return lambda body: {
        "MetricDataResults": [
            query_result(query, points_of(value_at, query, body)) for query in body["MetricDataQueries"]
        ]
    }


@dataclass
class Fortnight:
    """A fleet with the reader of its metrics and its forecaster."""

    fleet: Fleet
    server: FakeCloudWatch
    reader: MetricReader
    forecaster: Forecaster
    telemetry: Telemetries

    @property
    def now(self) -> int:
        """The minute of AWS's clock."""
        return self.reader.cell.clock.minute()

    def put(
        self,
        name: object,
        usage: Usage | float | None = None,
        limit: float = 100.0,
        paid: bool = False,
        **observed: Any,
    ) -> Series:
        """Add a series to the fleet."""
        settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES,
            limit=Limit(limit, LimitSource.API, 0),
            band=Band(),
            delay=3,
            paid=paid,
        )
        key = Key(*CELL, "kinesis", "stream_write_bytes", str(name))
        observation = Observed(
            signal="rate", resource=resource(str(name)), usage=usage or total(metric(name)), **observed
        )
        return self.fleet.put(key, observation, settings, self.now)

    async def poll(self) -> None:
        """Read the metrics of the last hours, and judge the fleet."""
        await self.reader.read(self.now)
        judge(self.fleet, self.now)

    async def read_past(self) -> None:
        """Read the past of all series whose past is not read yet, and forecast all series."""
        await self.poll()
        await self.forecaster.forecast_all()
        await self.forecaster.past_reader.read_all(np.arange(self.fleet.size, dtype=np.int32))
        await self.forecaster.forecast_all()

    def probability(self, series: Series) -> list[float]:
        """The probability of reaching the limit, by horizon."""
        probabilities: list[float] = self.fleet.reach_probability[series.slot].tolist()
        return probabilities

    def usage(self, series: Series) -> Array:
        """The usage of a fortnight, the oldest bin first."""
        block, column = self.forecaster.recorder.history.block_and_column(
            int(self.forecaster.recorder.rows[series.slot])
        )
        usage = block.recent()[:, column].astype(np.float64)
        return usage * float(block.scale[column] or 1)

    @property
    def past_requests(self) -> list[Body]:
        """The requests for a fortnight in points of five minutes or more."""
        return [body for body in self.server.bodies if is_of_past(body) and not is_of_minutes(body)]

    @property
    def minute_requests(self) -> list[Body]:
        """The requests for single minutes of the past."""
        return [body for body in self.server.bodies if is_of_past(body) and is_of_minutes(body)]

    @property
    def requested_past_metrics(self) -> list[str]:
        """The names of the metrics whose past was requested."""
        return [stream_name_of(query) for body in self.past_requests for query in body["MetricDataQueries"]]


@asynccontextmanager
async def fortnight(
    answer: Callable[[Body], Response] | None = None,
    history: UsageHistory | None = None,
    planner: Callable[[Fleet], Planner] | None = None,
) -> AsyncIterator[Fortnight]:
    """Yield an empty fleet whose metrics are read from a fake CloudWatch that gives these answers."""
    fleet, telemetry = Fleet(), Telemetries()
    async with FakeCloudWatch(answer or answer_with()) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(
            cell, fleet, METRIC_SERVICES, points_per_second=1e9, planner=planner(fleet) if planner else None
        )
        forecaster = Forecaster(
            fleet,
            UsageHistory() if history is None else history,
            lambda: cell.clock.minute() * 60.0,
            lambda: {CELL: reader},
        )
        try:
            yield Fortnight(fleet, server, reader, forecaster, telemetry)
        finally:
            await cell.close()
