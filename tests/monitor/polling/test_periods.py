"""Metrics of a longer period beside those of a minute, read from an HTTP server minute by minute."""

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from collectors.base import PERIODS, Metric, Observed, Op, Usage, per_second, ratio, total
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.publication_delay import MAX_DELAY, MIN_DELAY
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.reader import MetricReader
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import Body, FakeCloudWatch, Response, fake_credentials, result
from tests.registries import OWNERS, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_040  # a multiple of every period
DELAY = 3
CELL = "123456789012", "eu-west-1"
KEY = Key(*CELL, "dynamodb", "reads", "orders")

consumed = Metric("AWS/DynamoDB", "ConsumedReadCapacityUnits", "Sum")
provisioned = Metric("AWS/DynamoDB", "ProvisionedReadCapacityUnits", "Average", period=300)
scanned = Metric("AWS/DynamoDB", "Scanned", "Sum", period=300)
throttled = Metric("AWS/DynamoDB", "Throttles", "Sum", zero_when_absent=True, period=300)

Values = Callable[[int], float | None]  # by minute: the first one of the period


@dataclass
class CloudWatch:
    """A CloudWatch with a value of each metric for each period, `late` minutes after the period's end."""

    values: Mapping[Metric, Values]
    late: int = 0
    minute: int = NOW
    requested: list[tuple[int, Metric]] = field(default_factory=list)

    def answer(self, body: Body) -> Response:
        start, end = body["StartTime"] // 60, body["EndTime"] // 60
        names = {(one.name, one.stat): one for one in self.values}
        results, periods = [], {query["MetricStat"]["Period"] // 60 for query in body["MetricDataQueries"]}
        (period,) = periods  # those of one call have the same
        assert start % period == end % period == 0
        assert start < end <= self.minute
        for query in body["MetricDataQueries"]:
            metric = names[query["MetricStat"]["Metric"]["MetricName"], query["MetricStat"]["Stat"]]
            self.requested.append((self.minute, metric))
            there = range(start, min(end, self.minute - self.late - period + 1), period)
            points = {minute: self.values[metric](minute) for minute in there}
            results.append(result(query, {minute: one for minute, one in points.items() if one is not None}))
        return {"MetricDataResults": results}

    def requests(self, metric: Metric) -> list[int]:
        """The minutes in which a metric was requested."""
        return [minute for minute, one in self.requested if one is metric]


@dataclass
class PolledSeries:
    """A series that is polled."""

    cloudwatch: CloudWatch
    server: FakeCloudWatch
    reader: MetricReader
    fleet: Fleet
    telemetry: Telemetries

    async def poll(self, minutes: int = 1) -> None:
        """Poll once a minute from now on."""
        for _ in range(minutes):
            self.server.minute = self.cloudwatch.minute
            assert await self.reader.read(self.cloudwatch.minute) == []
            self.cloudwatch.minute += 1

    def history(self) -> SeriesHistory:
        return SeriesHistory.of(self.fleet, self.fleet.series[KEY], self.cloudwatch.minute - 1)

    def usage(self, minute: int) -> float:
        history = self.history()
        return float(history.usage[minute - history.start])

    def row(self, metric: Metric) -> int:
        return self.fleet.metrics(CELL)[metric_query(metric)]

    def judge(self) -> Zone:
        judge(self.fleet, self.cloudwatch.minute)
        return Zone(int(self.fleet.zone[self.fleet.series[KEY].slot]))


@asynccontextmanager
async def watched(
    usage: Usage, values: Mapping[Metric, Values], throttles: Usage | None = None, late: int = 0
) -> AsyncIterator[PolledSeries]:
    """Yield a polled with one series, whose metrics have these values."""
    fleet, telemetry, cloudwatch = Fleet(), Telemetries(), CloudWatch(values, late)
    observed = Observed(signal="reads", resource=resource("orders"), usage=usage, throttled=throttles)
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(100.0, LimitSource.API, 0), band=Band(), delay=DELAY
    )
    fleet.put(KEY, observed, settings, NOW)
    async with FakeCloudWatch(cloudwatch.answer, minute=NOW) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(cell, fleet, OWNERS, points_per_second=1e9)
        yield PolledSeries(cloudwatch, server, reader, fleet, telemetry)
        await cell.close()


def rising(minute: int) -> float:
    """Return a value that grows by 1 each minute."""
    return float(minute - NOW + WINDOW)


@pytest.mark.parametrize("late", [0, 2, 7])
async def test_a_formula_of_two_periods_is_right_in_every_minute(late: int) -> None:
    """However late the points come, once they are there."""
    values = {consumed: rising, provisioned: rising}
    async with watched(ratio(per_second(consumed), provisioned), values, late=late) as polled:
        await polled.poll(60)
        for minute in range(NOW - 100, NOW + 40):
            assert polled.usage(minute) == pytest.approx(rising(minute) / 60 / rising(minute // 5 * 5))


@pytest.mark.parametrize("period", PERIODS)
async def test_a_sum_is_per_minute_whatever_the_period(period: int) -> None:
    metric = Metric("AWS/DynamoDB", "Scanned", "Sum", period=period)
    async with watched(per_second(metric), {metric: lambda minute: 20.0 * period}) as polled:
        await polled.poll(70)
        used = polled.history().usage
        assert set(used[~np.isnan(used)].round(3)) == {20.0}
        newest = polled.fleet.rings.newest_point[polled.row(metric)]
        assert newest == (NOW + 69) // (period // 60) * (period // 60) - 1


@pytest.mark.parametrize("period", [60, 300, 900])
async def test_the_rise_of_a_counter_is_per_minute_whatever_the_period(period: int) -> None:
    counter = Metric("AWS/ES", "Rejected", "Maximum", period=period)
    rise = Usage(Op.RISE, ((counter, 1.0),))
    async with watched(rise, {counter: lambda minute: 7.0 * (minute - NOW) + 5000}) as polled:
        await polled.poll(40)
        history = polled.history()
        known = history.usage[~np.isnan(history.usage)]
        assert known.size >= 120
        assert set(known.tolist()) == {7.0}


async def test_other_statistics_of_a_longer_period_are_not_divided() -> None:
    async with watched(total(provisioned), {provisioned: lambda minute: 70.0}) as polled:
        await polled.poll()
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 70.0


async def test_a_missing_point_is_five_unknown_minutes() -> None:
    async with watched(total(scanned), {scanned: lambda minute: None if minute == NOW else 10.0}) as polled:
        await polled.poll(20)
        history = polled.history()
        unknown = np.flatnonzero(np.isnan(history.usage[-30:])) + history.end - 29
        assert unknown[unknown < NOW + 15].tolist() == [*range(NOW, NOW + 5)]


@pytest.mark.parametrize("late", [0, 2])
async def test_a_metric_is_requested_once_in_a_period_after_the_publication_delay(
    late: int,
) -> None:
    values = {consumed: rising, provisioned: rising}
    async with watched(ratio(consumed, provisioned), values, late=late) as polled:
        await polled.poll(60)
        assert polled.cloudwatch.requests(consumed) == [*range(NOW, NOW + 60)]
        request_minutes = polled.cloudwatch.requests(provisioned)
        assert request_minutes[:4] == [NOW, NOW + DELAY, NOW + DELAY + 5, NOW + DELAY + 10]
        learned = max(late, MIN_DELAY)
        assert request_minutes[-6:] == [*range(NOW + 30 + learned, NOW + 60, 5)]
        billed = {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "dynamodb"}
        requested = polled.telemetry.registry.get_sample_value("headroom_metrics_requested_total", billed)
        assert requested == 60 + len(request_minutes)


async def test_a_delay_that_was_declared_too_short_is_learned() -> None:
    values = {provisioned: rising}
    async with watched(total(provisioned), values, late=DELAY + 2) as polled:
        await polled.poll(180)
        assert polled.cloudwatch.requests(provisioned)[-1] % 5 == (DELAY + 2) % 5
        assert len(polled.cloudwatch.requests(provisioned)) <= 180 / 5 + MAX_DELAY
        assert polled.fleet.rings.newest_point[polled.row(provisioned)] == NOW + 169


async def test_a_period_is_complete_after_its_end_and_the_publication_delay() -> None:
    async with watched(total(scanned), {scanned: rising}) as polled:
        rings, row = polled.fleet.rings, polled.row(scanned)
        await polled.poll(2)
        assert rings.newest_point[row] == NOW - 1  # the period that is over
        assert rings.read_through[row] == NOW - 6  # but it may still grow
        await polled.poll(2)
        assert rings.read_through[row] == rings.polled_through[row] == NOW - 1
        await polled.poll(4)
        assert rings.newest_point[row] == NOW - 1  # the next one is not over


async def test_a_point_that_is_revised_replaces_all_of_its_minutes() -> None:
    grown = {NOW - 5: 10.0}
    async with watched(total(scanned), {scanned: lambda minute: grown.get(minute, 50.0)}) as polled:
        await polled.poll(4)
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 2.0
        grown.clear()
        await polled.poll(10)
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 10.0


async def test_a_missing_point_is_zero_once_its_period_is_over_and_proven() -> None:
    """The metrics of the namespace that have a point each minute prove it."""
    async with watched(total(consumed), {consumed: rising, throttled: lambda _: None}, total(throttled)) as (
        polled
    ):
        await polled.poll(DELAY + 1)
        throttles = dict(
            zip(range(polled.history().start, NOW + 60), polled.history().throttled, strict=False)
        )
        assert [throttles[NOW - ago] for ago in (1, 5, 100)] == [0.0] * 3
        assert math.isnan(throttles[NOW])
        assert polled.fleet.rings.proven_through[polled.row(throttled)] == NOW - 1


async def test_throttled_demand_of_a_longer_period_is_known_between_two_of_its_points() -> None:
    values = {consumed: rising, throttled: lambda minute: 3000.0 if minute >= NOW else None}
    async with watched(total(consumed), values, per_second(throttled)) as polled:
        await polled.poll(5)
        for _ in range(DELAY):
            await polled.poll()
            assert polled.judge() is not Zone.SATURATED
            assert polled.fleet.saturation[0] == 0
        for _ in range(20):
            await polled.poll()
            assert polled.judge() is Zone.SATURATED
            assert polled.fleet.saturation[0] == pytest.approx(10.0)


async def test_a_point_of_an_hour_that_is_missing_is_requested_again_before_the_next_hour() -> None:
    hourly = Metric("AWS/DynamoDB", "Stored", "Average", period=3600)
    async with watched(total(hourly), {hourly: rising}, late=12) as polled:
        polled.cloudwatch.minute = NOW + 20
        await polled.poll(60)
        request_minutes = polled.cloudwatch.requests(hourly)
        assert request_minutes == [NOW + 20, NOW + 60 + DELAY, NOW + 65 + DELAY, NOW + 70 + DELAY]
        assert polled.usage(NOW + 59) == rising(NOW)


@pytest.mark.parametrize("period", [59, 120, 0, 86_400])
def test_a_period_that_does_not_divide_an_hour_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match="a period is one of"):
        Metric("AWS/EC2", "NetworkAddressUsage", "Maximum", period=period)
