"""The advice on which metrics to stream and which to poll."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Metric, per_second
from monitor.cost.bills import MetricUse
from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, SECONDS_PER_MONTH, AccountPrices
from monitor.cost.streaming import Activity, StreamAdvice, stream_advice
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Ints
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key, traffic

UPDATE_DOLLARS = LIST_PRICES.amount(updates=1) or 0.0  # for an update with its delivery

CELL = ACCOUNT, REGION
MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60
# Dollars a month for one metric.
POLLED_EACH_MINUTE = MINUTES_PER_MONTH * LIST_PRICES.metric
ALWAYS_STREAMED = MINUTES_PER_MONTH * UPDATE_DOLLARS


def fleet_of(metrics: Mapping[Metric, Sequence[int] | None], cadence: int = 1) -> Fleet:
    """Return a fleet with a series for each metric.

    metrics: by metric, the minutes of the window in which it has points; None: it was not read.
    """
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


async def advice_for(
    fleet: Fleet, interval: float = 60, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS
) -> list[StreamAdvice]:
    """Return the advice on streaming for a fleet that is polled at an interval."""
    use = MetricUse.of(fleet, NOW, prices)
    return stream_advice(use, await Activity.of(fleet, use.cells), interval)


def metric_of_stream(name: str, metric: Metric = traffic) -> Metric:
    return metric.of(StreamName=name)


EVERY_MINUTE = range(WINDOW)
EVERY_OTHER_MINUTE = range(0, WINDOW, 2)
NO_MINUTE: Sequence[int] = ()
ABSENT_IS_ZERO = replace(traffic, name="PutRecords.Throttled", zero_when_absent=True)
ABSENT_IS_UNKNOWN = replace(traffic, name="Gauge", zero_when_absent=False)


async def test_metrics_polled_each_minute_cost_less_as_a_stream() -> None:
    (advice,) = await advice_for(
        fleet_of({metric_of_stream("a"): EVERY_MINUTE, metric_of_stream("b"): EVERY_OTHER_MINUTE})
    )
    assert (advice.account, advice.region, advice.namespace) == (ACCOUNT, REGION, "AWS/Kinesis")
    assert (advice.names, advice.metric_count) == ([traffic.name], 2)
    assert advice.polled_dollars == pytest.approx(2 * POLLED_EACH_MINUTE)
    assert advice.streamed_dollars == pytest.approx(1.5 * ALWAYS_STREAMED)
    assert advice.saved_dollars == pytest.approx(advice.polled_dollars - advice.streamed_dollars)


async def test_no_stream_is_advised_for_metrics_that_are_polled_seldom() -> None:
    assert await advice_for(fleet_of({metric_of_stream("a"): EVERY_MINUTE}, cadence=5)) == []
    assert await advice_for(fleet_of({metric_of_stream("a"): EVERY_MINUTE}), interval=300) == []


async def test_a_stream_is_advised_for_metrics_that_seldom_have_points() -> None:
    metrics = {metric_of_stream(str(n), ABSENT_IS_ZERO): [7] if n == 0 else NO_MINUTE for n in range(10)}
    (advice,) = await advice_for(fleet_of(metrics, cadence=5))
    assert advice.polled_dollars == pytest.approx(10 * POLLED_EACH_MINUTE / 5)
    assert advice.streamed_dollars == pytest.approx(ALWAYS_STREAMED / WINDOW)


async def test_a_metric_without_points_stays_polled_unless_absence_is_zero() -> None:
    # A name is not streamed if none of its metrics has a point.
    assert await advice_for(fleet_of({metric_of_stream("a", ABSENT_IS_ZERO): NO_MINUTE})) == []
    (advice,) = await advice_for(
        fleet_of(
            {
                metric_of_stream("a", ABSENT_IS_UNKNOWN): EVERY_OTHER_MINUTE,
                metric_of_stream("b", ABSENT_IS_UNKNOWN): NO_MINUTE,
            }
        )
    )
    assert advice.streamed_dollars == pytest.approx(ALWAYS_STREAMED / 2 + POLLED_EACH_MINUTE)


async def test_only_the_metric_names_that_are_cheaper_to_stream_are_advised() -> None:
    fleet = fleet_of(
        {metric_of_stream("a"): EVERY_MINUTE, metric_of_stream("a", ABSENT_IS_UNKNOWN): EVERY_MINUTE}
    )
    fleet.rings.cadence[fleet.metrics(CELL)[metric_query(metric_of_stream("a", ABSENT_IS_UNKNOWN))]] = 15
    (advice,) = await advice_for(fleet)
    assert (advice.names, advice.metric_count) == ([traffic.name], 1)


async def test_additional_statistics_of_a_metric_cost_another_update() -> None:
    maximum, percentile = replace(traffic, stat="Maximum"), replace(traffic, stat="p99")
    (advice,) = await advice_for(
        fleet_of({metric_of_stream("a"): EVERY_MINUTE, metric_of_stream("a", maximum): EVERY_MINUTE})
    )
    assert advice.streamed_dollars == pytest.approx(ALWAYS_STREAMED)
    (advice,) = await advice_for(
        fleet_of({metric_of_stream("a"): EVERY_MINUTE, metric_of_stream("a", percentile): EVERY_MINUTE})
    )
    assert advice.streamed_dollars == pytest.approx(2 * ALWAYS_STREAMED)


async def test_no_stream_is_advised_for_longer_periods_or_other_partitions_or_streamed_metrics() -> None:
    assert await advice_for(fleet_of({replace(metric_of_stream("a"), period=300): EVERY_MINUTE})) == []
    fleet = Fleet()
    add(fleet, key("a")._replace(region="cn-north-1"))
    assert await advice_for(fleet, prices=AccountPrices(partitions={ACCOUNT: "aws-cn"})) == []
    fleet = fleet_of({metric_of_stream("a"): EVERY_MINUTE})
    rows: Ints = np.array([0], np.int32)
    fleet.rings.write_streamed(rows, np.array([NOW - 1], np.int32), np.ones(1, np.float32), NOW)
    fleet.rings.mark_read(rows, NOW - 1)
    assert await advice_for(fleet) == []


async def test_metrics_whose_points_are_unknown_are_assumed_to_have_a_point_each_minute() -> None:
    (advice,) = await advice_for(fleet_of({metric_of_stream("a"): None}))
    assert advice.streamed_dollars == pytest.approx(ALWAYS_STREAMED)
