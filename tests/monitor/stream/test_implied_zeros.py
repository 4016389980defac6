"""Zeros that a stream implies: its other metrics went on while one had no point."""

import math

import numpy as np

from monitor.fleet.ring_columns import WINDOW
from monitor.polling.plan import due_metrics, plan_requests
from monitor.stream.implied_zeros import ABSENT_AFTER
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION, Update, delivery, lines
from tests.monitor.stream.fleets import (
    MINUTE,
    add_series,
    fleet_of,
    ingest_of,
    mark_polled,
    refused,
    row,
    value,
    written,
)

REFUSED = refused.of(StreamName="orders")
WRITTEN = Update(ago=0)
THROTTLED = Update(metric=refused.name, dimensions=(("StreamName", "payments"),), unit="Count", ago=3)


async def test_a_metric_that_the_stream_carries_was_zero_where_its_neighbours_went_on() -> None:
    fleet = fleet_of(
        *(metric.of(StreamName=name) for metric in (written, refused) for name in ("orders", "payments"))
    )
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITTEN])))
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER))  # it is unknown whether the stream carries it
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN.but(ago=-1)]), request="2"))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER + 1))  # before the stream began, and not polled
    assert value(fleet, refused.of(StreamName="payments"), 3) == THROTTLED.sum
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER - 2))  # it may still come
    mark_polled(fleet, MINUTE + 3)  # up to where the stream began
    assert bool(fleet.rings.is_streamed(np.array([row(fleet, REFUSED)]), MINUTE)[0])
    late = THROTTLED.but(dimensions=(("StreamName", "orders"),), ago=ABSENT_AFTER - 1)
    await ingest.ingest(delivery(lines([late]), request="3"))
    assert value(fleet, REFUSED, ABSENT_AFTER - 1) == THROTTLED.sum
    ingest.close()


async def test_points_of_the_future_imply_nothing_of_minutes_that_are_not_over() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN.but(ago=-5)])))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    assert all(math.isnan(value(fleet, REFUSED, ago)) for ago in range(-5, ABSENT_AFTER))
    ingest.close()


async def test_another_cell_and_another_namespace_imply_nothing() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    add_series(fleet, written.of(StreamName="orders"), region="us-east-1")
    mark_polled(fleet)
    ingest = ingest_of(fleet)
    elsewhere = [THROTTLED.but(region="us-east-1"), WRITTEN.but(region="us-east-1")]
    queue = WRITTEN.but(namespace="AWS/SQS", metric="NumberOfMessagesSent", dimensions=(("QueueName", "q"),))
    await ingest.ingest(delivery(lines([THROTTLED, *elsewhere, queue])))
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER))
    ingest.close()


async def test_a_metric_may_be_the_last_of_its_namespace() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITTEN])))
    await ingest.ingest(delivery(lines([THROTTLED]), request="2"))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    ingest.close()


async def test_a_metric_without_series_implies_zeros_too() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN])))  # payments is no series
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    ingest.close()


async def test_a_metric_that_the_stream_no_longer_carries_is_polled_again() -> None:
    fleet, now = fleet_of(written.of(StreamName="orders"), REFUSED), NOW
    ingest = ingest_of(fleet, clock=lambda: now)
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN])))
    for _ in range(WINDOW + 10):
        now += 60
        await ingest.ingest(delivery(lines([WRITTEN.but(ago=(NOW - now) // 60)]), request=str(now)))
    mark_polled(fleet, now // 60 + 3)
    due = due_metrics(fleet.rings, fleet.metrics((ACCOUNT, REGION)), now // 60)
    requests = plan_requests(fleet.rings, due, now // 60)
    (requested,) = [metric for request in requests for metric in request.metrics]
    assert REFUSED.name.encode() in requested
    ingest.close()
