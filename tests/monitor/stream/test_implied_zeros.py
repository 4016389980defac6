"""Zeros that a stream implies: a metric had no point while other metrics of its namespace had points.

THROTTLED_ORDERS is the metric whose zeros are implied. THROTTLE_UPDATE, of another stream of Kinesis, shows
that the metric stream carries metrics of this name.
"""

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
    incoming_bytes,
    ingest_of,
    mark_polled,
    row,
    throttled_writes,
    value,
)

THROTTLED_ORDERS = throttled_writes.of(StreamName="orders")
WRITE_UPDATE = Update(minutes_ago=0)
THROTTLE_UPDATE = Update(
    metric=throttled_writes.name, dimensions=(("StreamName", "payments"),), unit="Count", minutes_ago=3
)


async def test_a_carried_metric_was_zero_while_only_other_metrics_of_its_namespace_had_points() -> None:
    fleet = fleet_of(
        *(
            metric.of(StreamName=name)
            for metric in (incoming_bytes, throttled_writes)
            for name in ("orders", "payments")
        )
    )
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITE_UPDATE])))
    assert math.isnan(value(fleet, THROTTLED_ORDERS, ABSENT_AFTER))  # the stream may not carry the metric
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE, WRITE_UPDATE.but(minutes_ago=-1)]), request="2"))
    assert value(fleet, THROTTLED_ORDERS, ABSENT_AFTER) == 0.0
    assert math.isnan(value(fleet, THROTTLED_ORDERS, ABSENT_AFTER + 1))  # neither streamed nor polled
    assert value(fleet, throttled_writes.of(StreamName="payments"), 3) == THROTTLE_UPDATE.sum
    assert math.isnan(value(fleet, THROTTLED_ORDERS, ABSENT_AFTER - 2))  # the point may still arrive
    mark_polled(fleet, MINUTE + 3)  # polls have reached the start of the stream
    assert bool(fleet.rings.is_streamed(np.array([row(fleet, THROTTLED_ORDERS)]), MINUTE)[0])
    late_update = THROTTLE_UPDATE.but(dimensions=(("StreamName", "orders"),), minutes_ago=ABSENT_AFTER - 1)
    await ingest.ingest(delivery(lines([late_update]), request="3"))
    assert value(fleet, THROTTLED_ORDERS, ABSENT_AFTER - 1) == THROTTLE_UPDATE.sum
    ingest.close()


async def test_points_ahead_of_the_clock_imply_no_zeros_for_minutes_that_have_not_ended() -> None:
    fleet = fleet_of(incoming_bytes.of(StreamName="orders"), THROTTLED_ORDERS)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE, WRITE_UPDATE.but(minutes_ago=-5)])))
    assert value(fleet, THROTTLED_ORDERS, ABSENT_AFTER) == 0.0
    assert all(
        math.isnan(value(fleet, THROTTLED_ORDERS, minutes_ago)) for minutes_ago in range(-5, ABSENT_AFTER)
    )
    ingest.close()


async def test_points_of_another_cell_or_namespace_imply_no_zeros() -> None:
    fleet = fleet_of(incoming_bytes.of(StreamName="orders"), THROTTLED_ORDERS)
    add_series(fleet, incoming_bytes.of(StreamName="orders"), region="us-east-1")
    mark_polled(fleet)
    ingest = ingest_of(fleet)
    updates_elsewhere = [THROTTLE_UPDATE.but(region="us-east-1"), WRITE_UPDATE.but(region="us-east-1")]
    queue_update = WRITE_UPDATE.but(
        namespace="AWS/SQS", metric="NumberOfMessagesSent", dimensions=(("QueueName", "q"),)
    )
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE, *updates_elsewhere, queue_update])))
    assert math.isnan(value(fleet, THROTTLED_ORDERS, ABSENT_AFTER))
    ingest.close()


async def test_zeros_are_implied_when_the_carried_metric_arrives_after_the_others() -> None:
    fleet = fleet_of(incoming_bytes.of(StreamName="orders"), THROTTLED_ORDERS)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([WRITE_UPDATE])))
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE]), request="2"))
    assert value(fleet, THROTTLED_ORDERS, ABSENT_AFTER) == 0.0
    ingest.close()


async def test_points_of_a_resource_without_series_imply_zeros_too() -> None:
    fleet = fleet_of(incoming_bytes.of(StreamName="orders"), THROTTLED_ORDERS)
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE, WRITE_UPDATE])))  # payments has no series
    assert value(fleet, THROTTLED_ORDERS, ABSENT_AFTER) == 0.0
    ingest.close()


async def test_a_metric_that_the_stream_no_longer_carries_is_polled_again() -> None:
    fleet, now = fleet_of(incoming_bytes.of(StreamName="orders"), THROTTLED_ORDERS), NOW
    ingest = ingest_of(fleet, clock=lambda: now)
    await ingest.ingest(delivery(lines([THROTTLE_UPDATE, WRITE_UPDATE])))
    for _ in range(WINDOW + 10):
        now += 60
        await ingest.ingest(
            delivery(lines([WRITE_UPDATE.but(minutes_ago=(NOW - now) // 60)]), request=str(now))
        )
    mark_polled(fleet, now // 60 + 3)
    due = due_metrics(fleet.rings, fleet.metrics((ACCOUNT, REGION)), now // 60)
    requests = plan_requests(fleet.rings, due, now // 60)
    (requested,) = [metric for request in requests for metric in request.metrics]
    assert THROTTLED_ORDERS.name.encode() in requested
    ingest.close()
