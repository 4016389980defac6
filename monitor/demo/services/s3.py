"""S3: moto stores the buckets; their request metrics are simulated."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, DemoMetric, excess_demand
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, RequestParams
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s

MAX_WRITES = 3500 * 60  # requests per minute and prefix
MAX_READS = 5500 * 60  # requests per minute and prefix
QUIET = Traffic(mean=0.0, daily=0.0, noise=0.002)
WRITE_SHARES = {"PutRequests": 0.8, "PostRequests": 0.15, "DeleteRequests": 0.05}
READ_SHARES = {"GetRequests": 0.85, "HeadRequests": 0.15}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoBucketFilter:
    """A metrics configuration; `write` and `read` are demand as shares of the limits of one prefix."""

    id: str
    prefix: str | None = None  # None: the whole bucket
    function: str = ""  # name of the function that each new object invokes
    write: Traffic = QUIET
    read: Traffic = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoBucket:
    """A bucket; without a filter it has no request metrics."""

    name: str
    filters: tuple[DemoBucketFilter, ...] = ()


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all buckets."""
    for bucket in region.resources_of(DemoBucket):
        for filter_ in bucket.filters:
            yield from filter_metrics(bucket.name, filter_)


def filter_metrics(bucket: str, filter_: DemoBucketFilter) -> Iterator[DemoMetric]:
    """Yield the metrics of a metrics configuration."""
    dimensions = {"BucketName": bucket, "FilterId": filter_.id}

    def writes(minutes: Minutes) -> Float64s:
        return filter_.write.demand(f"{bucket}/{filter_.id}/write", minutes)

    def reads(minutes: Minutes) -> Float64s:
        return filter_.read.demand(f"{bucket}/{filter_.id}/read", minutes)

    def requests(minutes: Minutes) -> Float64s:
        return writes(minutes) * MAX_WRITES + reads(minutes) * MAX_READS

    def throttled(minutes: Minutes) -> Float64s:
        excesses = (excess_demand(writes(minutes)), MAX_WRITES), (excess_demand(reads(minutes)), MAX_READS)
        return sum((np.nan_to_num(share) * limit for share, limit in excesses), np.zeros(len(minutes)))

    def multiplied(demand: Callable[[Minutes], Float64s], factor: float) -> Callable[[Minutes], Float64s]:
        return lambda minutes: demand(minutes) * factor

    for name, share in WRITE_SHARES.items():
        yield DemoMetric("AWS/S3", name, dimensions, EVENTS, multiplied(writes, share * MAX_WRITES))
    for name, share in READ_SHARES.items():
        yield DemoMetric("AWS/S3", name, dimensions, EVENTS, multiplied(reads, share * MAX_READS))
    yield DemoMetric("AWS/S3", "5xxErrors", dimensions, EVENTS, throttled, requests)


def seed(region: DemoRegion, s3: Any) -> None:
    """Create the buckets in moto."""
    location = {} if region.name == "us-east-1" else {"LocationConstraint": region.name}
    for bucket in region.resources_of(DemoBucket):
        s3.create_bucket(Bucket=bucket.name, **({"CreateBucketConfiguration": location} if location else {}))


def list_metrics_configurations(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListBucketMetricsConfigurations."""
    for bucket in region.resources_of(DemoBucket):
        if bucket.name == params["Bucket"]:
            return {
                "IsTruncated": False,
                "MetricsConfigurationList": [
                    {"Id": filter_.id, **({"Filter": {"Prefix": filter_.prefix}} if filter_.prefix else {})}
                    for filter_ in bucket.filters
                ],
            }
    raise AwsResponseError("NoSuchBucket", "The specified bucket does not exist")


def get_notifications(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer GetBucketNotificationConfiguration."""
    prefixes_and_functions = [
        (filter_.prefix or "", filter_.function)
        for bucket in region.resources_of(DemoBucket)
        if bucket.name == params["Bucket"]
        for filter_ in bucket.filters
        if filter_.function
    ]
    return {
        "LambdaFunctionConfigurations": [
            {
                "LambdaFunctionArn": region.arn("lambda", f"function:{function}"),
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
            }
            for prefix, function in prefixes_and_functions
        ]
    }


SERVICE = DemoService(
    name="s3",
    metrics=metrics,
    seed=seed,
    operations={
        "ListBucketMetricsConfigurations": list_metrics_configurations,
        "GetBucketNotificationConfiguration": get_notifications,
    },
)
