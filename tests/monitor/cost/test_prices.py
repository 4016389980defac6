"""The service to which each requested metric and each streamed update is charged."""

import pytest

from collectors.base import Metric
from monitor.cost.prices import LIST_PRICES
from monitor.fleet.metric_query import metric_query
from monitor.stream.ingest import Ingest, IngestOptions
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION, Update, delivery, lines
from tests.monitor.stream.fleets import fleet_of
from tests.registries import DECLARED, METRIC_SERVICES, REGISTRY
from tests.telemetries import Telemetries

UPDATE_DOLLARS = LIST_PRICES.amount(updates=1) or 0.0  # for an update with its delivery

THROTTLES = {"namespace": "AWS/Lambda", "metric": "Throttles", "dimensions": (("FunctionName", "f"),)}
CPU = {"namespace": "AWS/EC2", "metric": "CPUUtilization", "dimensions": (("AutoScalingGroupName", "web"),)}
NOT_READ = {"namespace": "AWS/Kinesis", "metric": "PutRecord.Success"}


def test_every_metric_of_a_collector_is_charged_to_one_service() -> None:
    for collector in REGISTRY.collectors:
        for metric in collector.metrics:
            query = metric_query(metric.of(Name='"Dimensions"'))
            service = DECLARED.owners[metric.namespace, metric.name]
            assert list(METRIC_SERVICES.count([query])) == [service]
            assert service in REGISTRY.services


def test_a_requested_metric_is_charged_to_the_service_that_reads_it() -> None:
    names = [
        ("AWS/Kinesis", "IncomingBytes"),
        ("AWS/Kinesis", "IncomingRecords"),
        ("AWS/EC2", "CPUUtilization"),
        ("AWS/Nosuch", "Metric"),
    ]
    queries = [metric_query(Metric(*name, stat="Sum").of(Name="x")) for name in names]
    assert METRIC_SERVICES.count(queries) == {"kinesis": 2, "autoscaling": 1, "": 1}


async def test_an_update_is_charged_once_to_the_service_that_reads_it_or_to_none() -> None:
    telemetry, update = Telemetries(), Update()
    ingest = Ingest(fleet_of(), lambda: DECLARED, telemetry.stream, options=IngestOptions(clock=lambda: NOW))
    updates_sent = [
        update,
        update.but(dimensions=(("StreamName", "unknown"),)),
        update.but(minutes_ago=10**6),  # too late for a sample, but billed
        update.but(**THROTTLES),
        update.but(**CPU),
        update.but(**NOT_READ),
        update.but(account="999999999999"),  # this account is not watched
    ]
    for _ in range(2):  # the second delivery repeats the first, as Firehose does, and is not billed
        await ingest.ingest(delivery(lines(updates_sent)))
    ingest.close()

    def counter_value(family: str, account: str, region: str, service: str) -> float | None:
        labels = {"aws_account": account, "aws_region": region, "aws_service": service}
        return telemetry.registry.get_sample_value(family, labels)

    updates_family = "headroom_stream_updates_total"
    updates_by_service = {
        service: counter_value(updates_family, ACCOUNT, REGION, service) for service in ("kinesis", "lambda")
    }
    assert updates_by_service == {"kinesis": 3, "lambda": 1}
    assert counter_value(updates_family, ACCOUNT, REGION, "autoscaling") == 1
    assert counter_value(updates_family, "", "", "") == 1
    assert counter_value(updates_family, "", "", "kinesis") == 1
    assert counter_value(updates_family, "999999999999", REGION, "kinesis") is None
    assert counter_value(
        "headroom_estimated_cost_dollars_total", ACCOUNT, REGION, "kinesis"
    ) == pytest.approx(3 * UPDATE_DOLLARS)
