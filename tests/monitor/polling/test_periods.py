"""Metrics with periods longer than a minute, polled each minute from a fake CloudWatch over HTTP."""

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
from tests.fake_cloudwatch import Body, FakeCloudWatch, Response, fake_credentials, query_result
from tests.registries import METRIC_SERVICES, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_040  # minutes since the epoch; a multiple of every period
DELAY = 3  # minutes, as it is declared
CELL = "123456789012", "eu-west-1"
KEY = Key(*CELL, "dynamodb", "reads", "orders")

CONSUMED = Metric("AWS/DynamoDB", "ConsumedReadCapacityUnits", "Sum")
PROVISIONED = Metric("AWS/DynamoDB", "ProvisionedReadCapacityUnits", "Average", period=300)
SCANNED = Metric("AWS/DynamoDB", "Scanned", "Sum", period=300)
THROTTLES = Metric("AWS/DynamoDB", "Throttles", "Sum", zero_when_absent=True, period=300)

Values = Callable[[int], float | None]  # the value of a period, by its first minute


@dataclass
class CloudWatch:
    """A fake CloudWatch that has a point of each metric for each period.

    values: a function by metric, which returns the value of a period. late_minutes: the minutes from the end
    of a period until its point is published. minute: the present minute. requests: the minute and metric of
    each query so far.
    """

    values: Mapping[Metric, Values]
    late_minutes: int = 0
    minute: int = NOW
    requests: list[tuple[int, Metric]] = field(default_factory=list)

    def answer(self, body: Body) -> Response:
        start, end = body["StartTime"] // 60, body["EndTime"] // 60
        metrics = {(metric.name, metric.stat): metric for metric in self.values}
        results, periods = [], {query["MetricStat"]["Period"] // 60 for query in body["MetricDataQueries"]}
        (period,) = periods  # all metrics of a call have the same period
        assert start % period == end % period == 0
        assert start < end <= self.minute
        for query in body["MetricDataQueries"]:
            metric = metrics[query["MetricStat"]["Metric"]["MetricName"], query["MetricStat"]["Stat"]]
            self.requests.append((self.minute, metric))
            published = range(start, min(end, self.minute - self.late_minutes - period + 1), period)
            points = {minute: self.values[metric](minute) for minute in published}
            results.append(
                query_result(query, {minute: value for minute, value in points.items() if value is not None})
            )
        return {"MetricDataResults": results}

    def request_minutes(self, metric: Metric) -> list[int]:
        """Return the minutes in which a metric was requested."""
        return [minute for minute, requested_metric in self.requests if requested_metric is metric]


@dataclass
class PolledSeries:
    """A reader of one series, and the fake CloudWatch that it polls."""

    cloudwatch: CloudWatch
    server: FakeCloudWatch
    reader: MetricReader
    fleet: Fleet
    telemetry: Telemetries

    async def poll(self, minutes: int = 1) -> None:
        """Poll once in each of the next minutes."""
        for _ in range(minutes):
            self.server.minute = self.cloudwatch.minute
            assert await self.reader.read(self.cloudwatch.minute) == []
            self.cloudwatch.minute += 1

    def history(self) -> SeriesHistory:
        """Return the history of the series up to the last poll."""
        return SeriesHistory.of(self.fleet, self.fleet.series[KEY], self.cloudwatch.minute - 1)

    def usage(self, minute: int) -> float:
        """Return the usage in a minute."""
        history = self.history()
        return float(history.usage[minute - history.start])

    def row(self, metric: Metric) -> int:
        """Return the row of a metric in the rings."""
        return self.fleet.metrics(CELL)[metric_query(metric)]

    def judge(self) -> Zone:
        """Judge the fleet, and return the zone of the series."""
        judge(self.fleet, self.cloudwatch.minute)
        return Zone(int(self.fleet.zone[self.fleet.series[KEY].slot]))


@asynccontextmanager
async def polled_series(
    usage: Usage, values: Mapping[Metric, Values], throttles: Usage | None = None, late_minutes: int = 0
) -> AsyncIterator[PolledSeries]:
    """Yield a polled series. usage, throttles: its formulas. values: of each metric in the formulas."""
    fleet, telemetry, cloudwatch = Fleet(), Telemetries(), CloudWatch(values, late_minutes)
    observed = Observed(signal="reads", resource=resource("orders"), usage=usage, throttled=throttles)
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(100.0, LimitSource.API, 0), band=Band(), delay=DELAY
    )
    fleet.put(KEY, observed, settings, NOW)
    async with FakeCloudWatch(cloudwatch.answer, minute=NOW) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(cell, fleet, METRIC_SERVICES, points_per_second=1e9)
        yield PolledSeries(cloudwatch, server, reader, fleet, telemetry)
        await cell.close()


def rising(minute: int) -> float:
    """Return a value that grows by 1 each minute."""
    return float(minute - NOW + WINDOW)


@pytest.mark.parametrize("late_minutes", [0, 2, 7])
async def test_a_formula_of_metrics_with_two_periods_is_right_in_every_minute(late_minutes: int) -> None:
    """The result is the same however late the points come."""
    values = {CONSUMED: rising, PROVISIONED: rising}
    async with polled_series(
        ratio(per_second(CONSUMED), PROVISIONED), values, late_minutes=late_minutes
    ) as polled:
        await polled.poll(60)
        for minute in range(NOW - 100, NOW + 40):
            assert polled.usage(minute) == pytest.approx(rising(minute) / 60 / rising(minute // 5 * 5))


@pytest.mark.parametrize("period", PERIODS)
async def test_the_rate_of_a_sum_is_per_second_whatever_the_period(period: int) -> None:
    metric = Metric("AWS/DynamoDB", "Scanned", "Sum", period=period)
    async with polled_series(per_second(metric), {metric: lambda minute: 20.0 * period}) as polled:
        await polled.poll(70)
        known_usage = polled.history().usage
        assert set(known_usage[~np.isnan(known_usage)].round(3)) == {20.0}
        newest = polled.fleet.rings.newest_point[polled.row(metric)]
        assert newest == (NOW + 69) // (period // 60) * (period // 60) - 1


@pytest.mark.parametrize("period", [60, 300, 900])
async def test_the_rise_of_a_counter_is_per_minute_whatever_the_period(period: int) -> None:
    counter = Metric("AWS/ES", "Rejected", "Maximum", period=period)
    rise = Usage(Op.RISE, ((counter, 1.0),))
    async with polled_series(rise, {counter: lambda minute: 7.0 * (minute - NOW) + 5000}) as polled:
        await polled.poll(40)
        history = polled.history()
        known = history.usage[~np.isnan(history.usage)]
        assert known.size >= 120
        assert set(known.tolist()) == {7.0}


async def test_an_average_over_a_longer_period_is_not_divided() -> None:
    async with polled_series(total(PROVISIONED), {PROVISIONED: lambda minute: 70.0}) as polled:
        await polled.poll()
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 70.0


async def test_a_missing_point_of_five_minutes_makes_five_minutes_unknown() -> None:
    async with polled_series(
        total(SCANNED), {SCANNED: lambda minute: None if minute == NOW else 10.0}
    ) as polled:
        await polled.poll(20)
        history = polled.history()
        unknown = np.flatnonzero(np.isnan(history.usage[-30:])) + history.end - 29
        assert unknown[unknown < NOW + 15].tolist() == [*range(NOW, NOW + 5)]


@pytest.mark.parametrize("late_minutes", [0, 2])
async def test_a_metric_is_requested_once_in_a_period_after_the_publication_delay(
    late_minutes: int,
) -> None:
    values = {CONSUMED: rising, PROVISIONED: rising}
    async with polled_series(ratio(CONSUMED, PROVISIONED), values, late_minutes=late_minutes) as polled:
        await polled.poll(60)
        assert polled.cloudwatch.request_minutes(CONSUMED) == [*range(NOW, NOW + 60)]
        request_minutes = polled.cloudwatch.request_minutes(PROVISIONED)
        assert request_minutes[:4] == [NOW, NOW + DELAY, NOW + DELAY + 5, NOW + DELAY + 10]
        learned_delay = max(late_minutes, MIN_DELAY)
        assert request_minutes[-6:] == [*range(NOW + 30 + learned_delay, NOW + 60, 5)]
        labels = {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "dynamodb"}
        requested = polled.telemetry.registry.get_sample_value("headroom_metrics_requested_total", labels)
        assert requested == 60 + len(request_minutes)


async def test_a_publication_delay_longer_than_declared_is_learned() -> None:
    values = {PROVISIONED: rising}
    async with polled_series(total(PROVISIONED), values, late_minutes=DELAY + 2) as polled:
        await polled.poll(180)
        assert polled.cloudwatch.request_minutes(PROVISIONED)[-1] % 5 == (DELAY + 2) % 5
        assert len(polled.cloudwatch.request_minutes(PROVISIONED)) <= 180 / 5 + MAX_DELAY
        assert polled.fleet.rings.newest_point[polled.row(PROVISIONED)] == NOW + 169


async def test_a_period_is_complete_after_its_end_and_the_publication_delay() -> None:
    async with polled_series(total(SCANNED), {SCANNED: rising}) as polled:
        rings, row = polled.fleet.rings, polled.row(SCANNED)
        await polled.poll(2)
        assert rings.newest_point[row] == NOW - 1  # of the period that has just ended
        assert rings.read_through[row] == NOW - 6  # the value of that period may still grow
        await polled.poll(2)
        assert rings.read_through[row] == rings.polled_through[row] == NOW - 1
        await polled.poll(4)
        assert rings.newest_point[row] == NOW - 1  # the next period has not ended


async def test_a_revised_point_replaces_the_values_of_all_its_minutes() -> None:
    first_values = {NOW - 5: 10.0}
    async with polled_series(
        total(SCANNED), {SCANNED: lambda minute: first_values.get(minute, 50.0)}
    ) as polled:
        await polled.poll(4)
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 2.0
        first_values.clear()
        await polled.poll(10)
        assert polled.usage(NOW - 1) == polled.usage(NOW - 5) == 10.0


async def test_a_missing_point_is_zero_once_its_period_has_ended_and_is_proven() -> None:
    """Points of another metric of the namespace prove that CloudWatch has published the period."""
    async with polled_series(
        total(CONSUMED), {CONSUMED: rising, THROTTLES: lambda _: None}, total(THROTTLES)
    ) as polled:
        await polled.poll(DELAY + 1)
        throttles = dict(
            zip(range(polled.history().start, NOW + 60), polled.history().throttled, strict=False)
        )
        assert [throttles[NOW - minutes_ago] for minutes_ago in (1, 5, 100)] == [0.0] * 3
        assert math.isnan(throttles[NOW])
        assert polled.fleet.rings.proven_through[polled.row(THROTTLES)] == NOW - 1


async def test_throttled_demand_with_a_longer_period_stays_known_until_its_next_point() -> None:
    values = {CONSUMED: rising, THROTTLES: lambda minute: 3000.0 if minute >= NOW else None}
    async with polled_series(total(CONSUMED), values, per_second(THROTTLES)) as polled:
        await polled.poll(5)
        for _ in range(DELAY):
            await polled.poll()
            assert polled.judge() is not Zone.SATURATED
            assert polled.fleet.saturation[0] == 0
        for _ in range(20):
            await polled.poll()
            assert polled.judge() is Zone.SATURATED
            assert polled.fleet.saturation[0] == pytest.approx(10.0)


async def test_a_missing_hourly_point_is_requested_again_before_the_next_hour() -> None:
    hourly = Metric("AWS/DynamoDB", "Stored", "Average", period=3600)
    async with polled_series(total(hourly), {hourly: rising}, late_minutes=12) as polled:
        polled.cloudwatch.minute = NOW + 20
        await polled.poll(60)
        request_minutes = polled.cloudwatch.request_minutes(hourly)
        assert request_minutes == [NOW + 20, NOW + 60 + DELAY, NOW + 65 + DELAY, NOW + 70 + DELAY]
        assert polled.usage(NOW + 59) == rising(NOW)


@pytest.mark.parametrize("period", [59, 120, 0, 86_400])
def test_a_period_that_is_not_supported_raises_an_error(period: int) -> None:
    with pytest.raises(ValueError, match="a period is one of"):
        Metric("AWS/EC2", "NetworkAddressUsage", "Maximum", period=period)
