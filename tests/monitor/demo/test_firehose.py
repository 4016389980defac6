"""The simulated Firehose delivers to a real endpoint what GetMetricData would answer."""

import time

import aiohttp
import numpy as np

from collectors.base import Metric
from monitor.demo import firehose
from monitor.demo.cloudwatch import CloudWatch
from monitor.demo.firehose import Firehose
from monitor.demo.region import ACCOUNT, Region
from monitor.demo.services.kinesis import Stream
from monitor.demo.services.lambda_ import Function
from monitor.demo.traffic import Traffic
from monitor.fleet import Fleet, fragment
from tests.monitor.stream.endpoint import KEYS, serving
from tests.monitor.stream.fleets import ingest_of, polled, watch

START = int(time.time() // 60)
REGION = Region(
    "us-east-1",
    (
        Stream(name="orders", shards=4, write=Traffic(mean=0.5)),
        Function(name="checkout", concurrency=100, traffic=Traffic(mean=0.5)),
    ),
    start=START,
)
INCOMING = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="orders")
RUNNING = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum")


async def test_what_it_delivers_is_in_the_fleet_and_is_refused_with_a_wrong_key() -> None:
    fleet, metrics = Fleet(), CloudWatch(REGION)
    watch(fleet, INCOMING, RUNNING, account=ACCOUNT, region=REGION.name)
    polled(fleet, START)
    minutes = range(START - 5, START)
    async with (
        serving(ingest_of(fleet, clock=time.time)) as endpoint,
        aiohttp.ClientSession() as session,
    ):
        assert not await Firehose(metrics, endpoint.url, "wrong").deliver(session, minutes)
        assert await Firehose(metrics, endpoint.url, KEYS[0]).deliver(session, minutes)
    listed = fleet.metrics((ACCOUNT, REGION.name))
    at = np.arange(START - 5, START, dtype=np.int32)
    row = np.full(5, listed[fragment(INCOMING)], np.int32)
    emitted = metrics.metrics["AWS/Kinesis", "IncomingBytes", frozenset({("StreamName", "orders")})]
    expected = emitted.values("Sum", np.arange(-5, 0), 1)
    np.testing.assert_allclose(fleet.rings.at(row, at), expected, rtol=1e-6)
    other = np.full(5, listed[fragment(RUNNING)], np.int32)
    assert np.isnan(fleet.rings.at(other, at)).all()  # left to polling
    assert RUNNING.namespace not in firehose.STREAMED


async def test_nobody_to_deliver_to_is_no_error() -> None:
    async with aiohttp.ClientSession() as session:
        there = Firehose(CloudWatch(REGION), "http://127.0.0.1:9/firehose/v1", "key")
        assert not await there.deliver(session, range(START - 1, START))
