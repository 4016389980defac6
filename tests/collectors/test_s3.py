import json
import shlex
from typing import Any

import pytest

from collectors.base import Observed, Unobservable, Usage, per_second
from collectors.s3 import COLLECTOR, buckets, errors
from rules.limits import catalogue
from tests.fake_aws import FakeAws, denied

WRITES = {"PutRequests", "PostRequests", "DeleteRequests"}
READS = {"GetRequests", "HeadRequests"}


def listed(*names: str, region: str = "eu-west-1") -> dict[str, Any]:
    return {"Buckets": [{"Name": name, "BucketRegion": region} for name in names]}


def configured(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = [{"Id": f"filter-{number}", "Filter": one} for number, one in enumerate(filters)]
    return {"IsTruncated": False, "MetricsConfigurationList": found, **more}


async def seen_with(*filters: dict[str, Any]) -> dict[tuple[str, str], Observed]:
    aws = FakeAws(list_buckets=listed("media"), list_bucket_metrics_configurations=configured(*filters))
    return await aws.seen(buckets)


def weights(usage: Usage | float | Unobservable) -> dict[str, float]:
    assert isinstance(usage, Usage)
    return {metric.name: weight for metric, weight in usage.terms}


async def test_writes_and_reads_of_a_prefix_are_counted_per_second() -> None:
    seen = await seen_with({"Prefix": "uploads/"})
    assert set(seen) == {("prefix_write_rate", "media/uploads/"), ("prefix_read_rate", "media/uploads/")}
    writes = weights(seen["prefix_write_rate", "media/uploads/"].usage)
    reads = weights(seen["prefix_read_rate", "media/uploads/"].usage)
    assert {name: weight for name, weight in writes.items() if weight} == dict.fromkeys(WRITES, 1 / 60)
    assert {name: weight for name, weight in reads.items() if weight} == dict.fromkeys(READS, 1 / 60)


async def test_any_counted_request_tells_that_the_minute_was_delivered() -> None:
    """So a prefix that is only read is written 0 times, at the price of no further metric."""
    seen = await seen_with({"Prefix": "uploads/"})
    for observed in seen.values():
        assert set(weights(observed.usage)) == WRITES | READS


async def test_server_errors_are_the_refused_requests() -> None:
    seen = await seen_with({"Prefix": "uploads/"})
    refused = per_second(errors.of(BucketName="media", FilterId="filter-0"))
    assert {observed.refused for observed in seen.values()} == {refused}


async def test_the_limits_are_those_that_aws_documents_in_every_region() -> None:
    assert {observed.limit for observed in (await seen_with({"Prefix": "uploads/"})).values()} == {None}
    signals = catalogue()["s3"].signals
    limits = {name: signal.documented("eu-west-1") for name, signal in signals.items()}
    assert limits == {"prefix_write_rate": 3500, "prefix_read_rate": 5500}


@pytest.mark.parametrize("prefix", ['a "quoted" naïve/', "日本/", "two\nlines"])
async def test_a_prefix_may_contain_anything(prefix: str) -> None:
    assert ("prefix_read_rate", f"media/{prefix}") in await seen_with({"Prefix": prefix})


async def test_a_prefix_narrowed_by_tags_gives_way_to_the_plain_one() -> None:
    narrowed = {"And": {"Prefix": "uploads/", "Tags": [{"Key": "team", "Value": "video"}]}}
    alone = await seen_with(narrowed)
    assert {resource for _, resource in alone} == {"media/uploads/"}
    seen = await seen_with(narrowed, {"Prefix": "uploads/"}, {"Prefix": "logs/"})
    assert {resource for _, resource in seen} == {"media/uploads/", "media/logs/"}
    used = seen["prefix_read_rate", "media/uploads/"].usage
    assert isinstance(used, Usage)
    assert {metric.dimensions for metric, _ in used.terms} == {
        (("BucketName", "media"), ("FilterId", "filter-1"))
    }


@pytest.mark.parametrize(
    ("configurations", "reason"),
    [
        ({}, "request metrics are not enabled"),
        (configured(), "request metrics are not enabled"),
        ({"MetricsConfigurationList": [{"Id": "EntireBucket"}]}, "no prefix filter"),
        (configured({"Prefix": ""}), "no prefix filter"),
        (configured({"Tag": {"Key": "team", "Value": "video"}}), "no prefix filter"),
        (
            configured({"AccessPointArn": "arn:aws:s3:eu-west-1:1:accesspoint/a"}),
            "no prefix filter",
        ),
    ],
)
async def test_a_bucket_without_a_prefix_filter_is_unobservable(
    configurations: dict[str, Any], reason: str
) -> None:
    aws = FakeAws(list_buckets=listed("media"), list_bucket_metrics_configurations=configurations)
    seen = await aws.seen(buckets)
    assert set(seen) == {("prefix_write_rate", "media"), ("prefix_read_rate", "media")}
    for observed in seen.values():
        assert isinstance(observed.usage, Unobservable)
        assert reason in observed.usage.reason


async def test_the_command_that_enables_request_metrics_is_complete() -> None:
    aws = FakeAws(list_buckets=listed("media"), list_bucket_metrics_configurations={})
    usage = (await aws.seen(buckets))["prefix_write_rate", "media"].usage
    assert isinstance(usage, Unobservable) and usage.enable
    words = shlex.split(usage.enable)
    assert words[:3] == ["aws", "s3api", "put-bucket-metrics-configuration"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert json.loads(options.pop("--metrics-configuration")) == {
        "Id": "PREFIX",
        "Filter": {"Prefix": "PREFIX/"},
    }
    assert options == {"--bucket": "media", "--id": "PREFIX", "--region": "eu-west-1"}


async def test_a_bucket_with_a_prefix_filter_beside_others_is_seen_by_its_prefix_alone() -> None:
    seen = await seen_with({"Tag": {"Key": "team", "Value": "video"}}, {"Prefix": "logs/"})
    assert set(seen) == {("prefix_write_rate", "media/logs/"), ("prefix_read_rate", "media/logs/")}


async def test_all_pages_of_configurations_are_read() -> None:
    pages = {
        None: configured({"Prefix": "a/"}, IsTruncated=True, NextContinuationToken="more"),
        "more": configured({"Prefix": "b/"}, IsTruncated=True, NextContinuationToken="last"),
        "last": configured({"Prefix": "c/"}),
    }

    def page(Bucket: str, ContinuationToken: str | None = None) -> dict[str, Any]:
        return pages[ContinuationToken]

    aws = FakeAws(list_buckets=listed("media"), list_bucket_metrics_configurations=page)
    resources = {resource for _, resource in await aws.seen(buckets)}
    assert resources == {"media/a/", "media/b/", "media/c/"}


async def test_buckets_of_the_region_are_asked_for_on_every_page() -> None:
    asked = []

    def page(**params: Any) -> dict[str, Any]:
        asked.append(params)
        return listed(f"bucket-{len(asked)}")

    aws = FakeAws(list_buckets=[page, page], list_bucket_metrics_configurations={})
    assert {resource for _, resource in await aws.seen(buckets)} == {"bucket-1", "bucket-2"}
    assert asked == [{"BucketRegion": "eu-west-1", "MaxBuckets": 1000}] * 2


async def test_a_bucket_of_another_region_is_left_out_even_if_it_is_listed() -> None:
    aws = FakeAws(list_buckets=listed("media", region="us-west-2"), list_bucket_metrics_configurations={})
    assert await aws.seen(buckets) == {}
    assert aws.calls == ["s3:ListBuckets"]


@pytest.mark.parametrize(
    ("region", "location", "seen"),
    [
        ("us-east-1", {}, True),
        ("us-east-1", {"LocationConstraint": ""}, True),
        ("eu-west-1", {"LocationConstraint": "EU"}, True),
        ("eu-west-1", {"LocationConstraint": "eu-west-1"}, True),
        ("eu-west-1", {}, False),
        ("eu-west-1", {"LocationConstraint": "eu-west-2"}, False),
    ],
)
async def test_where_a_listing_tells_no_region_each_bucket_is_asked(
    region: str, location: dict[str, Any], seen: bool
) -> None:
    aws = FakeAws(
        region=region,
        list_buckets={"Buckets": [{"Name": "old"}]},
        get_bucket_location=location,
        list_bucket_metrics_configurations={},
    )
    assert bool(await aws.seen(buckets)) is seen


async def test_a_bucket_that_may_not_be_asked_about_costs_itself_alone() -> None:
    aws = FakeAws(
        list_buckets=listed("media", "secret"),
        list_bucket_metrics_configurations=lambda Bucket: (
            denied("ListBucketMetricsConfigurations", "AccessDenied")
            if Bucket == "secret"
            else configured({"Prefix": "logs/"})
        ),
    )
    assert {resource for _, resource in await aws.seen(buckets)} == {"media/logs/"}
    failures = [(one.operation, one.item, one.code) for one in aws.look.failures]
    assert failures == [("ListBucketMetricsConfigurations", "secret", "AccessDenied")]


async def test_it_asks_for_exactly_the_permissions_and_metrics_it_uses() -> None:
    aws = FakeAws(
        list_buckets={"Buckets": [{"Name": "media"}]},
        get_bucket_location={"LocationConstraint": "eu-west-1"},
        list_bucket_metrics_configurations=configured({"Prefix": "logs/"}),
    )
    seen = await aws.all_seen(COLLECTOR)
    assert aws.actions == set(COLLECTOR.actions)
    used = {name for observed in seen.values() for name in weights(observed.usage)}
    assert used | {errors.name} == {metric.name for metric in COLLECTOR.metrics}
