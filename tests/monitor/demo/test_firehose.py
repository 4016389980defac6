"""The simulated Firehose delivers the samples that GetMetricData returns."""

import time

import aiohttp
import numpy as np

from collectors.base import Metric
from monitor.demo import firehose
from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.firehose import DemoFirehose
from monitor.demo.region import ACCOUNT, DemoRegion
from monitor.demo.services.kinesis import DemoStream
from monitor.demo.services.lambda_ import DemoFunction
from monitor.demo.traffic import Traffic
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from tests.monitor.stream.endpoint import KEYS, serve_endpoint
from tests.monitor.stream.fleets import add_series, ingest_of, mark_polled

START = int(time.time() // 60)
REGION = DemoRegion(
    "us-east-1",
    (
        DemoStream(name="orders", shards=4, write=Traffic(mean=0.5)),
        DemoFunction(name="checkout", concurrency=100, traffic=Traffic(mean=0.5)),
    ),
    start=START,
)
INCOMING = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="orders")
CONCURRENCY = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum")


async def test_points_of_streamed_namespaces_reach_the_fleet_and_a_wrong_key_is_refused() -> None:
    fleet, cloudwatch = Fleet(), DemoCloudWatch(REGION)
    add_series(fleet, INCOMING, CONCURRENCY, account=ACCOUNT, region=REGION.name)
    mark_polled(fleet, START)
    minutes = range(START - 5, START)
    async with (
        serve_endpoint(ingest_of(fleet, clock=time.time)) as endpoint,
        aiohttp.ClientSession() as session,
    ):
        assert not await DemoFirehose(cloudwatch, endpoint.url, "wrong").deliver(session, minutes)
        assert await DemoFirehose(cloudwatch, endpoint.url, KEYS[0]).deliver(session, minutes)
    minute_array = np.array(minutes, np.int32)
    rows_by_metric = fleet.metrics((ACCOUNT, REGION.name))
    incoming_rows = np.full(5, rows_by_metric[metric_query(INCOMING)], np.int32)
    incoming = cloudwatch.metrics["AWS/Kinesis", "IncomingBytes", frozenset({("StreamName", "orders")})]
    expected = incoming.values("Sum", np.arange(-5, 0), 1)
    np.testing.assert_allclose(fleet.rings.at(incoming_rows, minute_array), expected, rtol=1e-6)
    concurrency_rows = np.full(5, rows_by_metric[metric_query(CONCURRENCY)], np.int32)
    assert np.isnan(fleet.rings.at(concurrency_rows, minute_array)).all()  # Lambda's metrics are polled
    assert CONCURRENCY.namespace not in firehose.STREAMED_NAMESPACES


async def test_a_delivery_without_a_listener_fails_without_an_exception() -> None:
    async with aiohttp.ClientSession() as session:
        delivery_stream = DemoFirehose(DemoCloudWatch(REGION), "http://127.0.0.1:9/firehose/v1", "key")
        assert not await delivery_stream.deliver(session, range(START - 1, START))
