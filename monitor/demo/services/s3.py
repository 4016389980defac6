"""S3: moto keeps the buckets, and knows nothing of request metrics."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, Emitted, accepted, refused
from monitor.demo.region import AwsError, Params, Region, Service
from monitor.demo.traffic import Floats, Minutes, Traffic

WRITES = 3500 * 60  # a minute and prefix
READS = 5500 * 60
QUIET = Traffic(mean=0.0, day=0.0, noise=0.002)
WRITE_PARTS = {"PutRequests": 0.8, "PostRequests": 0.15, "DeleteRequests": 0.05}
READ_PARTS = {"GetRequests": 0.85, "HeadRequests": 0.15}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A metrics configuration; `write` and `read` are shares of what one prefix takes."""

    id: str
    prefix: str | None = None  # None: the whole bucket
    write: Traffic = QUIET
    read: Traffic = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket; without a filter it has no request metrics."""

    name: str
    filters: tuple[Filter, ...] = ()


def emitted(region: Region) -> Iterator[Emitted]:
    for bucket in region.all(Bucket):
        for filter_ in bucket.filters:
            yield from of_filter(bucket.name, filter_)


def of_filter(bucket: str, filter_: Filter) -> Iterator[Emitted]:
    where = {"BucketName": bucket, "FilterId": filter_.id}

    def writes(minutes: Minutes) -> Floats:
        return filter_.write.at(f"{bucket}/{filter_.id}/write", minutes)

    def reads(minutes: Minutes) -> Floats:
        return filter_.read.at(f"{bucket}/{filter_.id}/read", minutes)

    def slowed(minutes: Minutes) -> Floats:
        over = (
            np.nan_to_num(refused(writes(minutes))) * WRITES + np.nan_to_num(refused(reads(minutes))) * READS
        )
        return np.where(over > 0, over, np.nan)

    def part(demand: Callable[[Minutes], Floats], requests: float) -> Callable[[Minutes], Floats]:
        return lambda m: accepted(demand(m)) * requests

    for name, share in WRITE_PARTS.items():
        yield Emitted("AWS/S3", name, where, EVENTS, part(writes, share * WRITES))
    for name, share in READ_PARTS.items():
        yield Emitted("AWS/S3", name, where, EVENTS, part(reads, share * READS))
    yield Emitted("AWS/S3", "5xxErrors", where, EVENTS, slowed)


def seed(region: Region, s3: Any) -> None:
    abroad = {} if region.name == "us-east-1" else {"LocationConstraint": region.name}
    for bucket in region.all(Bucket):
        s3.create_bucket(Bucket=bucket.name, **({"CreateBucketConfiguration": abroad} if abroad else {}))


def list_metrics(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    for bucket in region.all(Bucket):
        if bucket.name == params["Bucket"]:
            return {
                "IsTruncated": False,
                "MetricsConfigurationList": [
                    {"Id": filter_.id, **({"Filter": {"Prefix": filter_.prefix}} if filter_.prefix else {})}
                    for filter_ in bucket.filters
                ],
            }
    raise AwsError("NoSuchBucket", "The specified bucket does not exist")


SERVICE = Service(
    name="s3", emitted=emitted, seed=seed, answers={"ListBucketMetricsConfigurations": list_metrics}
)
