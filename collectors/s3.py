"""S3: the requests to each prefix, if request metrics with a filter by the prefix are enabled.

The limits apply to each prefix. A filter by just a prefix counts all requests to the prefix. A filter that is
also narrowed by tags or an access point counts a part of these requests. A filter without a prefix (by tags,
an access point, or of the whole bucket) counts a sum over prefixes, which says nothing about a single prefix.

Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
Metrics: https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
Filters: https://docs.aws.amazon.com/AmazonS3/latest/API/API_MetricsFilter.html
"""

import json
import re
import shlex
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from collectors.base import (
    PER_MINUTE,
    Aws,
    Collector,
    Metric,
    Observed,
    Op,
    Resource,
    SettingCost,
    Unobservable,
    Usage,
    per_second,
    total,
)
from collectors.readable_items import ReadableItems
from collectors.response_members import is_text, members_of

PAGE_SIZE = 1000  # buckets per page
# The region for each value of GetBucketLocation that is no name of a region.
REGION_OF_LOCATION = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}

puts = Metric("AWS/S3", "PutRequests", "Sum")
posts = Metric("AWS/S3", "PostRequests", "Sum")
deletes = Metric("AWS/S3", "DeleteRequests", "Sum")
gets = Metric("AWS/S3", "GetRequests", "Sum")
heads = Metric("AWS/S3", "HeadRequests", "Sum")
errors = Metric("AWS/S3", "5xxErrors", "Sum", zero_when_absent=True)
error_ratio = Metric("AWS/S3", "5xxErrors", "Average", zero_when_absent=True)  # each request reports 0 or 1

REQUESTS = (puts, posts, deletes, gets, heads)
REQUESTS_BY_SIGNAL = {"prefix_write_rate": (puts, posts, deletes), "prefix_read_rate": (gets, heads)}
ERRORS_SIGNAL = "prefix_errors"

MAX_ID_LENGTH = 40  # characters of a proposed filter's id; S3 accepts 64

Bucket = dict[str, Any]  # an item of ListBuckets
Configuration = dict[str, Any]  # a MetricsConfiguration
FILTER_COST = SettingCost(
    "Request metrics cost as custom metrics of CloudWatch do, in us-east-1 $0.30 a month each (the first "
    "10,000): a filter has 16 at most, each only while there are requests that it counts.",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudwatch-monitoring.html",
    "2026-11-29",
    16 * 0.30,
)


@dataclass(frozen=True, slots=True)
class PrefixFilter:
    """A request-metrics filter by a prefix.

    narrowed_by: the further conditions of the filter, in words; empty if the prefix is the only condition.
    """

    id: str
    prefix: str
    narrowed_by: str = ""

    @classmethod
    def parse(cls, configuration: Configuration) -> "PrefixFilter | None":
        """Return the filter of a configuration; None if the filter has no prefix."""
        filter_ = configuration.get("Filter", {})
        conditions = filter_.get("And", filter_)
        if not conditions.get("Prefix"):
            return None
        others = {"tags": conditions.get("Tags"), "an access point": conditions.get("AccessPointArn")}
        narrowed_by = " and ".join(name for name, value in others.items() if value)
        return cls(configuration["Id"], conditions["Prefix"], narrowed_by)


async def buckets(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the buckets of the region."""
    params: dict[str, Any] = {"BucketRegion": aws.region, "MaxBuckets": PAGE_SIZE}
    listed = ReadableItems(aws.list_items("s3", "ListBuckets", "Buckets", **params), "buckets", bucket_of)

    async def series_of(bucket: Bucket) -> list[Observed]:
        name, read = bucket_name(bucket), partial(list_configurations, aws, bucket)
        configurations = await aws.in_turn(name, listed_bucket_resource(bucket), read)
        if configurations is None:
            return []
        make = partial(bucket_series, name, configurations, aws.region)
        return [*aws.series(name, configurations, make)]

    async for _, series in aws.map(listed.items(), series_of, listed_bucket_resource):
        for observed in series:
            yield observed
    listed.check()


def bucket_of(item: Any) -> Bucket | None:
    """Return the members of a bucket in ListBuckets that are read; None if it has no name."""
    bucket = members_of(item, {"Name": is_text, "BucketRegion": is_text})
    return bucket if bucket.get("Name") else None


def bucket_name(bucket: Bucket) -> str:
    """Return the name of a bucket of ListBuckets."""
    return str(bucket["Name"])


def bucket_resource(name: str) -> Resource:
    """Return the resource of a bucket."""
    return Resource("bucket", (name,))


def listed_bucket_resource(bucket: Bucket) -> Resource:
    """Return the resource of a bucket of ListBuckets."""
    return bucket_resource(bucket_name(bucket))


async def list_configurations(aws: Aws, bucket: Bucket) -> list[Configuration] | None:
    """List the request-metrics configurations of a bucket; None for a bucket of another region.

    Raises UnreadableItemsError if a configuration has no id, or a condition of a wrong type.
    """
    if await get_bucket_region(aws, bucket) != aws.region:
        return None
    items = aws.list_items(
        "s3", "ListBucketMetricsConfigurations", "MetricsConfigurationList", Bucket=bucket_name(bucket)
    )
    listed = ReadableItems(items, "configurations of request metrics", configuration_of)
    configurations = [configuration async for configuration in listed.items()]
    listed.check()
    return configurations


def configuration_of(item: Any) -> Configuration | None:
    """Return the members of a configuration that are read; None if a member has a wrong type."""
    id_member = members_of(item, {"Id": is_text})
    if not id_member.get("Id"):
        return None
    conditions = item.get("Filter") or {}
    if not are_readable(conditions) or not are_readable(conditions.get("And") or {}):
        return None
    return {**id_member, "Filter": conditions}


def are_readable(conditions: Any) -> bool:
    """Return whether the conditions of a filter can be read."""
    return isinstance(conditions, Mapping) and is_text(conditions.get("Prefix") or "")


async def get_bucket_region(aws: Aws, bucket: Bucket) -> str:
    """Get the region of a bucket, with a call if ListBuckets did not return the region.

    ListBuckets of some S3-compatible services does not return regions.
    """
    if region := bucket.get("BucketRegion"):
        return str(region)
    response = await aws.call("s3", "GetBucketLocation", Bucket=bucket_name(bucket))
    location = response.get("LocationConstraint")
    return REGION_OF_LOCATION.get(location, str(location))


def bucket_series(bucket: str, configurations: list[Configuration], region: str) -> Iterator[Observed]:
    """Yield the series of a bucket with these request-metrics configurations."""
    filters = filters_to_show(configurations)
    command = partial(
        filter_command, bucket, region, {configuration["Id"] for configuration in configurations}
    )
    for prefix_filter in filters:
        yield from filter_series(bucket, prefix_filter, command)
    if not filters:
        unobservable = missing_filter(bool(configurations), command("PREFIX/"))
        for signal in (*REQUESTS_BY_SIGNAL, ERRORS_SIGNAL):
            yield Observed(signal=signal, resource=bucket_resource(bucket), usage=unobservable)


def filters_to_show(configurations: Iterable[Configuration]) -> list[PrefixFilter]:
    """Return the filters to show: of each prefix, a filter by just the prefix, or else all narrowed ones."""
    ordered = sorted(configurations, key=lambda configuration: str(configuration["Id"]))
    filters = [prefix_filter for prefix_filter in map(PrefixFilter.parse, ordered) if prefix_filter]
    complete_filters: dict[str, PrefixFilter] = {}  # by prefix: its first filter by just the prefix
    for prefix_filter in filters:
        if not prefix_filter.narrowed_by:
            complete_filters.setdefault(prefix_filter.prefix, prefix_filter)
    return [
        prefix_filter
        for prefix_filter in filters
        if complete_filters.get(prefix_filter.prefix, prefix_filter) is prefix_filter
    ]


def prefix_resource(bucket: str, prefix: str) -> Resource:
    """Return the resource of a prefix; it is a part of the prefixes of all folders above it."""
    folders = (prefix[: end + 1] for end, character in enumerate(prefix[:-1]) if character == "/")
    containing_paths = tuple((bucket, folder) for folder in folders)
    return replace(bucket_resource(bucket).child("prefix", prefix), containing_paths=containing_paths)


def filter_series(
    bucket: str, prefix_filter: PrefixFilter, command: Callable[[str], str]
) -> Iterator[Observed]:
    """Yield the series of a prefix: its write rate, its read rate, and the errors of writes and reads.

    command: returns the command that adds a filter by just a prefix.
    Each rate uses the metrics of all requests; the metrics of the other rate have weight 0. A point of any of
    these metrics proves that the minute was published, so that the write rate of a prefix that is only read
    is 0 instead of unknown.
    """
    dimensions = {"BucketName": bucket, "FilterId": prefix_filter.id}
    resource, bounded_because = prefix_resource(bucket, prefix_filter.prefix), None
    if prefix_filter.narrowed_by:
        name = f"{prefix_filter.prefix} (filter {prefix_filter.id})"
        path = (*resource.path, prefix_filter.id)
        parent_kinds = (*resource.parent_kinds, resource.kind)
        resource = replace(
            resource, kind="filter", path=path, names=(bucket, name), parent_kinds=parent_kinds
        )
        reason = f"the filter is narrowed by {prefix_filter.narrowed_by}"
        reason += ", so that it counts a part of the prefix's requests"
        bounded_because = Unobservable(reason, command(prefix_filter.prefix), FILTER_COST)
    for signal, counted_metrics in REQUESTS_BY_SIGNAL.items():
        terms = tuple(
            (metric.of(**dimensions), PER_MINUTE if metric in counted_metrics else 0.0) for metric in REQUESTS
        )
        yield Observed(
            signal=signal, resource=resource, usage=Usage(Op.SUM, terms), bounded_because=bounded_because
        )
    yield Observed(
        signal=ERRORS_SIGNAL,
        resource=resource,
        usage=total(error_ratio.of(**dimensions)).scaled(100),
        throttled=per_second(errors.of(**dimensions)),
        served=per_second(*(metric.of(**dimensions) for metric in REQUESTS)),
    )


def missing_filter(has_other_filters: bool, command: str) -> Unobservable:
    """Return why a bucket without a prefix filter is unobservable. command: adds such a filter."""
    if has_other_filters:
        reason = "its request metrics have no prefix filter, and a sum over prefixes hides each of them"
    else:
        reason = "request metrics are not enabled"
    return Unobservable(f"{reason}; enable them for each busy prefix", command, FILTER_COST)


def filter_command(bucket: str, region: str, used_ids: Collection[str], prefix: str) -> str:
    """Return the command that adds a filter by just a prefix. used_ids: the ids of the bucket's filters."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", prefix).strip("-")[:MAX_ID_LENGTH] or "prefix"
    candidates = (name if number == 1 else f"{name}-{number}" for number in count(1))
    free_id = next(candidate for candidate in candidates if candidate not in used_ids)
    configuration = json.dumps({"Id": free_id, "Filter": {"Prefix": prefix}}, ensure_ascii=False)
    command = ["aws", "s3api", "put-bucket-metrics-configuration", "--bucket", bucket, "--id", free_id]
    return shlex.join([*command, "--metrics-configuration", configuration, "--region", region])


COLLECTOR = Collector(
    service="s3",
    scans=(buckets,),
    metrics=(*REQUESTS, errors, error_ratio),
    iam_actions=("s3:ListAllMyBuckets", "s3:GetBucketLocation", "s3:GetMetricsConfiguration"),
    publication_delay=5,
    arns={"bucket": "arn:{partition}:s3:::{bucket}"},
)
