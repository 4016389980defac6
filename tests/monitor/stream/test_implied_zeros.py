"""Zeros that a stream implies: a metric had no point while other metrics of its namespace had points."""

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
    row,
    throttled_writes,
    value,
    written,
)

REFUSED = throttled_writes.of(StreamName="orders")
WRITTEN = Update(ago=0)
THROTTLED = Update(
    metric=throttled_writes.name, dimensions=(("StreamName", "payments"),), unit="Count", ago=3
)


async def test_a_carried_metric_was_zero_while_only_other_metrics_of_its_namespace_had_points() -> None:
    fleet = fleet_of(
        *(
            metric.of(StreamName=name)
            for metric in (written, throttled_writes)
            for name in ("orders", "payments")
        )
    )
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITTEN])))
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER))  # the stream may not carry the metric
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN.but(ago=-1)]), request="2"))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER + 1))  # neither streamed nor polled
    assert value(fleet, throttled_writes.of(StreamName="payments"), 3) == THROTTLED.sum
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER - 2))  # the point may still arrive
    mark_polled(fleet, MINUTE + 3)  # polls have reached the start of the stream
    assert bool(fleet.rings.is_streamed(np.array([row(fleet, REFUSED)]), MINUTE)[0])
    late = THROTTLED.but(dimensions=(("StreamName", "orders"),), ago=ABSENT_AFTER - 1)
    await ingest.ingest(delivery(lines([late]), request="3"))
    assert value(fleet, REFUSED, ABSENT_AFTER - 1) == THROTTLED.sum
    ingest.close()


async def test_points_ahead_of_the_clock_imply_no_zeros_for_minutes_that_have_not_ended() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN.but(ago=-5)])))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    assert all(math.isnan(value(fleet, REFUSED, ago)) for ago in range(-5, ABSENT_AFTER))
    ingest.close()


async def test_points_of_another_cell_or_namespace_imply_no_zeros() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    add_series(fleet, written.of(StreamName="orders"), region="us-east-1")
    mark_polled(fleet)
    ingest = ingest_of(fleet)
    elsewhere = [THROTTLED.but(region="us-east-1"), WRITTEN.but(region="us-east-1")]
    queue = WRITTEN.but(namespace="AWS/SQS", metric="NumberOfMessagesSent", dimensions=(("QueueName", "q"),))
    await ingest.ingest(delivery(lines([THROTTLED, *elsewhere, queue])))
    assert math.isnan(value(fleet, REFUSED, ABSENT_AFTER))
    ingest.close()


async def test_zeros_are_implied_when_the_carried_metric_arrives_after_the_others() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITTEN])))
    await ingest.ingest(delivery(lines([THROTTLED]), request="2"))
    assert value(fleet, REFUSED, ABSENT_AFTER) == 0.0
    ingest.close()


async def test_points_of_a_resource_without_series_imply_zeros_too() -> None:
    fleet = fleet_of(written.of(StreamName="orders"), REFUSED)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLED, WRITTEN])))  # payments has no series
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
