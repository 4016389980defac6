"""Fleets that a stream feeds, already read once by a poll."""

from collections.abc import Callable

import numpy as np

from collectors.base import Metric, Observed, total
from monitor.fleet import Fleet, Key, Ruling, fragment
from monitor.stream.ingest import Ingest, nobody
from monitor.stream.telemetry import StreamTelemetry
from monitor.stream.writer import LookAgain
from monitor.telemetry import Telemetry
from rules.limits import Band, Limit, Source
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION

MINUTE = NOW // 60
RULING = Ruling(limit=Limit(1000.0, Source.API, NOW), band=Band())

written = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
age = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum")
calls = Metric("AWS/Kinesis", "GetRecords.Success", "SampleCount")
cpu = Metric("AWS/EC2", "CPUUtilization", "Average")
instances = Metric("AWS/AutoScaling", "GroupInServiceInstances", "Minimum")
METRICS = (
    written.of(StreamName="orders"),
    written.of(StreamName="payments"),
    refused.of(StreamName="orders"),
    age.of(StreamName="orders"),
    calls.of(StreamName="orders"),
    cpu.of(AutoScalingGroupName="web"),
    instances.of(AutoScalingGroupName="web"),
)


def watch(fleet: Fleet, *metrics: Metric, account: str = ACCOUNT, region: str = REGION) -> None:
    """Register a series for each metric."""
    for metric in metrics:
        resource = "/".join(value for _, value in metric.dimensions)
        key = Key(account, region, metric.namespace, metric.name, resource)
        observed = Observed(signal=metric.name, resource=resource, usage=total(metric))
        fleet.put(key, observed, RULING, MINUTE)


def polled(fleet: Fleet, minute: int = MINUTE) -> None:
    """Note that CloudWatch was asked for everything at a minute, and had nothing."""
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    fleet.rings.mark_read(rows, minute - 1 - RULING.delay)


def fleet_of(*metrics: Metric) -> Fleet:
    fleet = Fleet()
    watch(fleet, *(metrics or METRICS))
    polled(fleet)
    return fleet


def row(fleet: Fleet, metric: Metric) -> int:
    return fleet.metrics((ACCOUNT, REGION))[fragment(metric)]


def value(fleet: Fleet, metric: Metric, ago: int = 1) -> float:
    """The value of a metric a few minutes before NOW; NaN when it has none."""
    rows = np.array([row(fleet, metric)], np.int32)
    return float(fleet.rings.at(rows, np.array([MINUTE - ago], np.int32))[0])


def ingest_of(
    fleet: Fleet, look_again: LookAgain = nobody, clock: Callable[[], float] = lambda: NOW
) -> Ingest:
    return Ingest(fleet, StreamTelemetry(Telemetry()), look_again, clock)


def counted(ingest: Ingest, outcome: str) -> float:
    """How many points became that."""
    return float(ingest.telemetry.points.labels("stream", outcome)._value.get())
