"""Fleets that streamed points are written to; their metrics were polled once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from prometheus_client import Counter

from collectors.base import Metric, Observed, total
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.stream.discovery import (
    Discovery,
    MayDiscover,
    RequestInventory,
    discovers_nothing,
    request_nothing,
)
from monitor.stream.ingest import Ingest, IngestOptions
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION
from tests.registries import DECLARED, STREAM_WRITE_BYTES
from tests.telemetries import Telemetries

MINUTE = NOW // 60  # since the epoch
SETTINGS = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(1000.0, LimitSource.API, NOW), band=Band())

incoming_bytes = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
throttled_writes = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
iterator_age = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum")
get_records_calls = Metric("AWS/Kinesis", "GetRecords.Success", "SampleCount")
cpu_utilization = Metric("AWS/EC2", "CPUUtilization", "Average")
instances_in_service = Metric("AWS/AutoScaling", "GroupInServiceInstances", "Minimum")
METRICS = (
    incoming_bytes.of(StreamName="orders"),
    incoming_bytes.of(StreamName="payments"),
    throttled_writes.of(StreamName="orders"),
    iterator_age.of(StreamName="orders"),
    get_records_calls.of(StreamName="orders"),
    cpu_utilization.of(AutoScalingGroupName="web"),
    instances_in_service.of(AutoScalingGroupName="web"),
)


def add_series(fleet: Fleet, *metrics: Metric, account: str = ACCOUNT, region: str = REGION) -> None:
    """Add a series for each metric, whose usage is the metric."""
    for metric in metrics:
        resource = "/".join(text for _, text in metric.dimensions)
        key = Key(account, region, metric.namespace, metric.name, resource)
        observed = Observed(signal=metric.name, resource=key.subject, usage=total(metric))
        fleet.put(key, observed, SETTINGS, MINUTE)


def mark_polled(fleet: Fleet, minute: int = MINUTE) -> None:
    """Mark all metrics as polled at a minute, without a point."""
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    fleet.rings.mark_read(rows, minute - 1 - SETTINGS.delay)


def fleet_of(*metrics: Metric) -> Fleet:
    """Return a fleet whose series use these metrics, by default METRICS, polled once without a point."""
    fleet = Fleet()
    add_series(fleet, *(metrics or METRICS))
    mark_polled(fleet)
    return fleet


def row(fleet: Fleet, metric: Metric) -> int:
    return fleet.metrics((ACCOUNT, REGION))[metric_query(metric)]


def value(fleet: Fleet, metric: Metric, minutes_ago: int = 1) -> float:
    """Return the value of a metric `minutes_ago` minutes before NOW; NaN without a value."""
    rows = np.array([row(fleet, metric)], np.int32)
    return float(fleet.rings.at(rows, np.array([MINUTE - minutes_ago], np.int32))[0])


def ingest_of(
    fleet: Fleet,
    request_inventory: RequestInventory = request_nothing,
    clock: Callable[[], float] = lambda: NOW,
    may_discover: MayDiscover = discovers_nothing,
    options: IngestOptions | None = None,
) -> Ingest:
    discovery = Discovery(request_inventory, may_discover)
    options = replace(options or IngestOptions(), clock=clock)
    return Ingest(fleet, lambda: DECLARED, Telemetries().stream, discovery, options)


def outcome_count(ingest: Ingest, outcome: str) -> float:
    """Return the number of points with this outcome."""
    return count_of(ingest.telemetry.points, "stream", outcome)


def count_of(counter: Counter, *labels: str) -> float:
    """Return the value of a counter; 0.0 if it never counted."""
    metrics = counter.labels(*labels).collect()
    return sum(
        sample.value for metric in metrics for sample in metric.samples if sample.name.endswith("_total")
    )
