"""The resources of the world, which have the utilization that their comments describe."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from monitor.demo.metric import AnyMetric
from monitor.demo.region import ACCOUNT, DemoRegion
from monitor.demo.services import SERVICES
from monitor.demo.services.s3 import DemoBucket
from monitor.demo.traffic import Traffic
from monitor.demo.world import ACCOUNTS, create_world

MINUTES = np.arange(-180, 60)


def production_regions() -> dict[str, DemoRegion]:
    """Return the regions of production, with names of resources in place of moto's ids."""
    regions = {region.name: region for region in create_world(start=0) if region.account == ACCOUNT}
    for region in regions.values():
        region.ids.update({resource.name: resource.name for resource in region.resources})
    return regions


WORLD = production_regions()


def demo_metric(region: str, namespace: str, name: str, **dimensions: str) -> AnyMetric:
    """Return a metric of the demo by its names."""
    (metric,) = [
        metric
        for service in SERVICES
        for metric in service.metrics(WORLD[region])
        if (metric.namespace, metric.name, metric.dimensions) == (namespace, name, dimensions)
    ]
    return metric


def utilization_by_minute(
    limit: float, stat: str, *identity: str, **dimensions: str
) -> Callable[[], np.ndarray]:
    """Return a function that returns the utilization in each minute; sums are converted to rates per second.

    identity: the region, the namespace and the name of the metric.
    """
    seconds = 60 if stat == "Sum" else 1
    return lambda: demo_metric(*identity, **dimensions).values(stat, MINUTES, 1) / seconds / limit


IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
MIB = 2**20
# Utilization by minute; the range of its lowest value; the range of its highest value.
UTILIZATIONS = {
    "a stream that surges above its limit": (
        utilization_by_minute(4 * MIB, "Sum", IRELAND, "AWS/Kinesis", "IncomingBytes", StreamName="orders"),
        (0.4, 0.7),
        (1.0, 1.0),
    ),
    "a stream within its band": (
        utilization_by_minute(4 * MIB, "Sum", IRELAND, "AWS/Kinesis", "IncomingBytes", StreamName="payments"),
        (0.4, 0.5),
        (0.4, 0.5),
    ),
    "the hot shard of a stream within its band": (
        utilization_by_minute(
            MIB,
            "Sum",
            IRELAND,
            "AWS/Kinesis",
            "IncomingBytes",
            StreamName="payments",
            ShardId="shardId-000000000002",
        ),
        (0.85, 1.0),
        (0.85, 1.0),
    ),
    "an idle stream": (
        utilization_by_minute(8 * MIB, "Sum", IRELAND, "AWS/Kinesis", "IncomingBytes", StreamName="audit"),
        (0.0, 0.2),
        (0.0, 0.2),
    ),
    "a Lambda account at 92 %": (
        utilization_by_minute(1000, "Maximum", IRELAND, "AWS/Lambda", "ClaimedAccountConcurrency"),
        (0.88, 0.94),
        (0.9, 0.96),
    ),
    "a FIFO queue at its limit": (
        utilization_by_minute(
            3000, "Sum", IRELAND, "AWS/SQS", "NumberOfMessagesSent", QueueName="orders.fifo"
        ),
        (0.95, 1.0),
        (1.0, 1.0),
    ),
    "messages in flight that leave the band": (
        utilization_by_minute(
            120_000,
            "Maximum",
            IRELAND,
            "AWS/SQS",
            "ApproximateNumberOfMessagesNotVisible",
            QueueName="exports",
        ),
        (0.4, 0.7),
        (0.7, 0.85),
    ),
    "a group at its maximum": (
        utilization_by_minute(
            12, "Maximum", IRELAND, "AWS/AutoScaling", "GroupDesiredCapacity", AutoScalingGroupName="web"
        ),
        (1.0, 1.0),
        (1.0, 1.0),
    ),
    "an idle group": (
        utilization_by_minute(
            100, "Average", IRELAND, "AWS/EC2", "CPUUtilization", AutoScalingGroupName="batch"
        ),
        (0.0, 0.2),
        (0.0, 0.2),
    ),
    "a group with missing instances": (
        utilization_by_minute(
            8, "Minimum", IRELAND, "AWS/AutoScaling", "GroupInServiceInstances", AutoScalingGroupName="gpu"
        ),
        (5 / 8, 5 / 8),
        (5 / 8, 5 / 8),
    ),
    "a method that surges above its throttle": (
        utilization_by_minute(
            200,
            "Sum",
            IRELAND,
            "AWS/ApiGateway",
            "Count",
            ApiName="storefront",
            Stage="prod",
            Resource="/checkout",
            Method="POST",
        ),
        (0.5, 0.7),
        (1.05, 1.3),
    ),
    "WebSocket messages": (
        utilization_by_minute(1000, "Sum", IRELAND, "AWS/ApiGateway", "MessageCount", ApiId="live-scores"),
        (0.2, 0.4),
        (0.5, 0.9),
    ),
}


@pytest.mark.parametrize("name", UTILIZATIONS)
def test_a_resource_has_the_expected_lowest_and_highest_utilization(name: str) -> None:
    compute_utilization, range_of_lowest, range_of_highest = UTILIZATIONS[name]
    utilization = compute_utilization()
    assert not np.isnan(utilization).any()
    assert range_of_lowest[0] <= utilization.min() <= range_of_lowest[1]
    assert range_of_highest[0] <= utilization.max() <= range_of_highest[1]


def test_a_stream_is_throttled_within_the_first_ten_minutes() -> None:
    throttled = demo_metric(
        IRELAND, "AWS/Kinesis", "WriteProvisionedThroughputExceeded", StreamName="orders"
    ).values("Sum", np.arange(0, 10), 1)
    assert throttled[0] == 0
    assert throttled[9] > 0


def test_an_account_is_near_its_api_throttle() -> None:
    rest_requests = demo_metric(VIRGINIA, "AWS/ApiGateway", "Count", ApiName="public-api").values(
        "Sum", MINUTES, 1
    )
    http_requests = demo_metric(VIRGINIA, "AWS/ApiGateway", "Count", ApiId="partners").values(
        "Sum", MINUTES, 1
    )
    requests_per_second = (rest_requests + http_requests) / 60
    assert requests_per_second.min() > 8500
    assert requests_per_second.max() < 10_000  # the limit of the account


@pytest.mark.parametrize(
    "identity",
    [
        (IRELAND, "AWS/Lambda", "Throttles", {"FunctionName": "thumbnails"}),
        (IRELAND, "AWS/S3", "5xxErrors", {"BucketName": "media-uploads", "FilterId": "uploads"}),
        (IRELAND, "AWS/Kinesis", "WriteProvisionedThroughputExceeded", {"StreamName": "orders"}),
    ],
)
def test_some_metrics_of_throttled_demand_are_above_0(identity: tuple[str, str, str, dict[str, str]]) -> None:
    region, namespace, name, dimensions = identity
    throttled = demo_metric(region, namespace, name, **dimensions).values("Sum", MINUTES, 1)
    assert np.nanmax(throttled) > 0


def test_a_queue_has_had_no_points_for_hours() -> None:
    metric = demo_metric(IRELAND, "AWS/SQS", "NumberOfMessagesSent", QueueName="partner-callbacks")
    minutes_with_points = MINUTES[~np.isnan(metric.values("Sum", MINUTES, 1))]
    assert minutes_with_points.max() < -120


def test_the_demo_has_no_metrics_that_a_bucket_or_group_does_not_enable() -> None:
    buckets_without_metrics = {
        bucket.name
        for region in WORLD.values()
        for bucket in region.resources_of(DemoBucket)
        if not bucket.filters
    }
    assert buckets_without_metrics == {"backups", "legal-archive"}
    metrics = [metric for service in SERVICES for metric in service.metrics(WORLD[IRELAND])]
    assert not buckets_without_metrics & {metric.dimensions.get("BucketName") for metric in metrics}
    namespaces_of_workers = {
        metric.namespace for metric in metrics if metric.dimensions.get("AutoScalingGroupName") == "workers"
    }
    assert namespaces_of_workers == {"AWS/EC2"}


def test_the_world_is_large_enough_and_its_metrics_are_unambiguous() -> None:
    assert sum(len(region.resources) for region in WORLD.values()) >= 40
    assert len([region for region in WORLD.values() if region.resources]) >= 2
    assert [region.name for region in WORLD.values() if region.denied] == ["ap-southeast-2"]
    for region in WORLD.values():
        count_by_identity = Counter(
            (metric.namespace, metric.name, frozenset(metric.dimensions.items()))
            for service in SERVICES
            for metric in service.metrics(region)
        )
        assert max(count_by_identity.values(), default=1) == 1, count_by_identity.most_common(1)


def test_a_week_has_two_quiet_days() -> None:
    minutes = np.arange(-14 * 1440, 0)
    demand = Traffic(mean=0.6, daily=0.0, noise=0.0, weekly=0.3).demand("views", minutes)
    quiet_days_of_two_weeks = np.count_nonzero(demand < 0.35) / 1440
    assert quiet_days_of_two_weeks / 2 == pytest.approx(2, abs=0.2)
    assert demand.max() == pytest.approx(0.6)


def test_every_account_has_the_home_region() -> None:
    regions = {(region.account, region.name) for region in create_world(start=0)}
    assert {(account.id, "us-east-1") for account in ACCOUNTS} <= regions
