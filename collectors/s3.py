"""S3: requests per prefix, as far as request metrics with a prefix filter are enabled.

A limit holds per prefix. Metrics of a whole bucket are a sum over its prefixes and tell of none of them, so a
bucket that has only those is as unobservable as one without.

Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
Metrics: https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
"""

import json
import shlex
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from collectors.base import PER_MINUTE, Aws, Collector, Metric, Observed, Op, Unobservable, Usage, per_second

PAGE = 1000  # buckets
LOCATIONS = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}  # what GetBucketLocation says otherwise

puts = Metric("AWS/S3", "PutRequests", "Sum")
posts = Metric("AWS/S3", "PostRequests", "Sum")
deletes = Metric("AWS/S3", "DeleteRequests", "Sum")
gets = Metric("AWS/S3", "GetRequests", "Sum")
heads = Metric("AWS/S3", "HeadRequests", "Sum")
errors = Metric("AWS/S3", "5xxErrors", "Sum", zero_when_absent=True)

REQUESTS = (puts, posts, deletes, gets, heads)
COUNTED = {"prefix_write_rate": (puts, posts, deletes), "prefix_read_rate": (gets, heads)}

Bucket = dict[str, Any]  # an item of ListBuckets
Configuration = dict[str, Any]  # a MetricsConfiguration


async def buckets(aws: Aws) -> AsyncIterator[Observed]:
    listed = aws.pages("s3", "ListBuckets", "Buckets", BucketRegion=aws.region, MaxBuckets=PAGE)
    async for bucket, found in aws.each(listed, partial(configurations, aws), bucket_name):
        if found is not None:
            for observed in of_bucket(bucket_name(bucket), found, aws.region):
                yield observed


def bucket_name(bucket: Bucket) -> str:
    return str(bucket["Name"])


async def configurations(aws: Aws, bucket: Bucket) -> list[Configuration] | None:
    """The request-metrics configurations of a bucket; None for a bucket of another region.

    botocore has no paginator for them.
    """
    if await region_of(aws, bucket) != aws.region:
        return None
    found: list[Configuration] = []
    asked = {"Bucket": bucket_name(bucket)}
    while True:
        answer = await aws.call("s3", "ListBucketMetricsConfigurations", **asked)
        found += answer.get("MetricsConfigurationList") or ()
        if not (token := answer.get("NextContinuationToken")):
            return found
        asked["ContinuationToken"] = token


async def region_of(aws: Aws, bucket: Bucket) -> str:
    """The region of a bucket; not everything that speaks S3 tells it when it lists buckets."""
    if told := bucket.get("BucketRegion"):
        return str(told)
    answer = await aws.call("s3", "GetBucketLocation", Bucket=bucket_name(bucket))
    location = answer.get("LocationConstraint")
    return LOCATIONS.get(location, str(location))


def of_bucket(bucket: str, found: list[Configuration], region: str) -> Iterator[Observed]:
    filters = by_prefix(found)
    for signal in COUNTED:
        for prefix, filter_id in filters.items():
            yield of_prefix(signal, bucket, prefix, filter_id)
        if not filters:
            yield Observed(signal=signal, resource=bucket, usage=unobservable(bucket, region, bool(found)))


def by_prefix(found: Iterable[Configuration]) -> Mapping[str, str]:
    """The ids of the filters that have a prefix, by prefix.

    Of several on one prefix, one that is not narrowed by tags or an access point sees all of its requests.
    """
    filters: dict[str, str] = {}
    for configuration in sorted(found, key=lambda one: "And" in one.get("Filter", {})):
        chosen = configuration.get("Filter", {})
        if prefix := chosen.get("Prefix") or chosen.get("And", {}).get("Prefix"):
            filters.setdefault(prefix, configuration["Id"])
    return filters


def of_prefix(signal: str, bucket: str, prefix: str, filter_id: str) -> Observed:
    """Any request that was counted tells that the minute was delivered, so the others weigh nothing but are
    asked too: a prefix that is only read is written 0 times a second, and not an unknown number of times."""
    terms = tuple(
        (metric.of(BucketName=bucket, FilterId=filter_id), PER_MINUTE if metric in COUNTED[signal] else 0.0)
        for metric in REQUESTS
    )
    return Observed(
        signal=signal,
        resource=f"{bucket}/{prefix}",
        usage=Usage(Op.SUM, terms),
        refused=per_second(errors.of(BucketName=bucket, FilterId=filter_id)),
    )


def unobservable(bucket: str, region: str, configured: bool) -> Unobservable:
    if configured:
        reason = "its request metrics have no prefix filter, and a sum over prefixes hides each of them"
    else:
        reason = "request metrics are not enabled"
    configuration = json.dumps({"Id": "PREFIX", "Filter": {"Prefix": "PREFIX/"}})
    command = ["aws", "s3api", "put-bucket-metrics-configuration", "--bucket", bucket, "--id", "PREFIX"]
    command += ["--metrics-configuration", configuration, "--region", region]
    return Unobservable(f"{reason}; enable them for each busy prefix", shlex.join(command))


COLLECTOR = Collector(
    service="s3",
    parts=(buckets,),
    metrics=(*REQUESTS, errors),
    actions=("s3:ListAllMyBuckets", "s3:GetBucketLocation", "s3:GetMetricsConfiguration"),
    delay=5,
)
