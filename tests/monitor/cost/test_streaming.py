"""The advice which metrics to stream, and which to poll."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Metric, per_second
from monitor.cost.bills import MetricUse
from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, SECONDS_PER_MONTH, AccountPrices
from monitor.cost.streaming import Activity, StreamAdvice, stream_advice
from monitor.fleet.columns import Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.fleet.ring_columns import WINDOW
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key, traffic

STREAMED = LIST_PRICES.amount(updates=1) or 0.0  # an update with its delivery

CELL = ACCOUNT, REGION
MONTH = SECONDS_PER_MONTH / 60  # in minutes
# Dollars of a month for one metric.
POLLED_EACH_MINUTE = MONTH * LIST_PRICES.metric
ALWAYS_STREAMED = MONTH * STREAMED


def fleet_of(metrics: Mapping[Metric, Sequence[int] | None], cadence: int = 1) -> Fleet:
    """A fleet of a series for each metric, with points in these minutes of the window; None: not read."""
    fleet = Fleet()
    for number, metric in enumerate(metrics):
        add(fleet, key(f"s{number}"), usage=per_second(metric), throttled=None)
    rings = fleet.rings
    rings.cadence[: rings.size] = cadence
    for metric, minutes in metrics.items():
        row = fleet.metrics(CELL)[metric_query(metric)]
        if minutes is None:
            continue
        rows = np.full(len(minutes), row, np.int32)
        rings.write(rows, NOW - WINDOW + 1 + np.array(minutes, np.int32), np.ones(len(minutes), np.float32))
        rings.mark_read(rows[:1] if minutes else np.array([row], np.int32), NOW)
    return fleet


async def advice(
    fleet: Fleet, interval: float = 60, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS
) -> list[StreamAdvice]:
    """Return the advice on streaming for a fleet that is polled at an interval."""
    use = MetricUse.of(fleet, NOW, prices)
    return stream_advice(use, await Activity.of(fleet, use.cells), interval)


def stream(name: str, metric: Metric = traffic) -> Metric:
    return metric.of(StreamName=name)


EVERY = range(WINDOW)
HALF = range(0, WINDOW, 2)
IDLE: Sequence[int] = ()
sometimes = replace(traffic, name="PutRecords.Throttled", zero_when_absent=True)
gauge = replace(traffic, name="Gauge", zero_when_absent=False)


async def test_metrics_polled_each_minute_cost_less_as_a_stream() -> None:
    (one,) = await advice(fleet_of({stream("a"): EVERY, stream("b"): HALF}))
    assert (one.account, one.region, one.namespace) == (ACCOUNT, REGION, "AWS/Kinesis")
    assert (one.names, one.metrics) == ([traffic.name], 2)
    assert one.polled_dollars == pytest.approx(2 * POLLED_EACH_MINUTE)
    assert one.streamed_dollars == pytest.approx(1.5 * ALWAYS_STREAMED)
    assert one.saved_dollars == pytest.approx(one.polled_dollars - one.streamed_dollars)


async def test_no_stream_is_advised_for_metrics_that_are_polled_seldom() -> None:
    assert await advice(fleet_of({stream("a"): EVERY}, cadence=5)) == []
    assert await advice(fleet_of({stream("a"): EVERY}), interval=300) == []


async def test_a_stream_is_advised_for_metrics_that_seldom_have_points() -> None:
    metrics = {stream(str(n), sometimes): [7] if n == 0 else IDLE for n in range(10)}
    (one,) = await advice(fleet_of(metrics, cadence=5))
    assert one.polled_dollars == pytest.approx(10 * POLLED_EACH_MINUTE / 5)
    assert one.streamed_dollars == pytest.approx(ALWAYS_STREAMED / WINDOW)


async def test_a_metric_without_points_stays_polled_unless_absence_is_zero() -> None:
    assert await advice(fleet_of({stream("a", sometimes): IDLE})) == []  # nothing shows that it is streamed
    (one,) = await advice(fleet_of({stream("a", gauge): HALF, stream("b", gauge): IDLE}))
    assert one.streamed_dollars == pytest.approx(ALWAYS_STREAMED / 2 + POLLED_EACH_MINUTE)


async def test_names_of_a_namespace_are_streamed_where_that_is_cheaper_and_the_others_polled() -> None:
    fleet = fleet_of({stream("a"): EVERY, stream("a", gauge): EVERY})
    fleet.rings.cadence[fleet.metrics(CELL)[metric_query(stream("a", gauge))]] = 15
    (one,) = await advice(fleet)
    assert (one.names, one.metrics) == ([traffic.name], 1)


async def test_statistics_of_one_metric_are_one_update_and_additional_ones_another() -> None:
    highest, percentile = replace(traffic, stat="Maximum"), replace(traffic, stat="p99")
    (one,) = await advice(fleet_of({stream("a"): EVERY, stream("a", highest): EVERY}))
    assert one.streamed_dollars == pytest.approx(ALWAYS_STREAMED)
    (one,) = await advice(fleet_of({stream("a"): EVERY, stream("a", percentile): EVERY}))
    assert one.streamed_dollars == pytest.approx(2 * ALWAYS_STREAMED)


async def test_metrics_of_longer_periods_or_other_partitions_or_streamed_are_left_out() -> None:
    assert await advice(fleet_of({replace(stream("a"), period=300): EVERY})) == []
    fleet = Fleet()
    add(fleet, key("a")._replace(region="cn-north-1"))
    assert await advice(fleet, prices=AccountPrices(partitions={ACCOUNT: "aws-cn"})) == []
    fleet = fleet_of({stream("a"): EVERY})
    rows: Ints = np.array([0], np.int32)
    fleet.rings.write_streamed(rows, np.array([NOW - 1], np.int32), np.ones(1, np.float32), NOW)
    fleet.rings.mark_read(rows, NOW - 1)
    assert await advice(fleet) == []


async def test_metrics_of_unknown_density_are_assumed_to_have_a_point_each_minute() -> None:
    (one,) = await advice(fleet_of({stream("a"): None}))
    assert one.streamed_dollars == pytest.approx(ALWAYS_STREAMED)
