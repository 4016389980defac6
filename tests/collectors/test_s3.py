"""S3: the request rates of prefixes, which the filters of request metrics count."""

import json
import shlex
from typing import Any

import pytest

from collectors.base import Metric, Observed, Op, Unobservable, Usage, per_second
from collectors.s3 import COLLECTOR, buckets, error_ratio, errors
from tests.fake_aws import FakeAws, denied
from tests.registries import REGISTRY

WRITES = {"PutRequests", "PostRequests", "DeleteRequests"}
READS = {"GetRequests", "HeadRequests"}
RATE_SIGNALS = {"prefix_write_rate", "prefix_read_rate"}
SIGNALS = {*RATE_SIGNALS, "prefix_errors"}


def bucket_list(*names: str, region: str = "eu-west-1") -> dict[str, Any]:
    """Return a response of ListBuckets."""
    return {"Buckets": [{"Name": name, "BucketRegion": region} for name in names]}


def configuration_list(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a response of ListBucketMetricsConfigurations with these filters."""
    configurations = [{"Id": f"filter-{number}", "Filter": filter_} for number, filter_ in enumerate(filters)]
    return {"IsTruncated": False, "MetricsConfigurationList": configurations, **more}


async def filter_series(*filters: dict[str, Any]) -> dict[tuple[str, str], Observed]:
    """Return the series of a bucket `media` with these filters."""
    aws = FakeAws(
        list_buckets=bucket_list("media"), list_bucket_metrics_configurations=configuration_list(*filters)
    )
    return await aws.run_scan(buckets)


def weights(usage: Usage | float | Unobservable) -> dict[str, float]:
    """Return the weight of each metric of a sum, by its name."""
    assert isinstance(usage, Usage)
    return {term.name: weight for term, weight in usage.terms if isinstance(term, Metric)}


def rate_series(series: dict[tuple[str, str], Observed]) -> dict[tuple[str, str], Observed]:
    """Return the series of the write rates and read rates."""
    return {key: observed for key, observed in series.items() if key[0] in RATE_SIGNALS}


async def test_the_rates_of_a_prefix_are_writes_and_reads_per_second() -> None:
    series = await filter_series({"Prefix": "uploads/"})
    assert set(series) == {(signal, "media/uploads/") for signal in SIGNALS}
    writes = weights(series["prefix_write_rate", "media/uploads/"].usage)
    reads = weights(series["prefix_read_rate", "media/uploads/"].usage)
    assert {name: weight for name, weight in writes.items() if weight} == dict.fromkeys(WRITES, 1 / 60)
    assert {name: weight for name, weight in reads.items() if weight} == dict.fromkeys(READS, 1 / 60)


async def test_each_rate_uses_the_metrics_of_all_requests() -> None:
    """A point of any metric proves that the minute was published: a prefix that is only read has 0 writes."""
    for observed in rate_series(await filter_series({"Prefix": "uploads/"})).values():
        assert set(weights(observed.usage)) == WRITES | READS


async def test_server_errors_are_counted_once_for_the_prefix_and_not_for_reads_or_writes() -> None:
    series = await filter_series({"Prefix": "uploads/"})
    assert {observed.throttled for observed in rate_series(series).values()} == {None}
    error_series = series["prefix_errors", "media/uploads/"]
    dimensions = {"BucketName": "media", "FilterId": "filter-0"}
    assert error_series.throttled == per_second(errors.of(**dimensions))
    assert error_series.usage == Usage(Op.SUM, ((error_ratio.of(**dimensions), 100.0),))


async def test_the_limits_are_those_that_aws_documents() -> None:
    assert {observed.limit for observed in (await filter_series({"Prefix": "uploads/"})).values()} == {None}
    signals = REGISTRY.services["s3"].signals
    limits = {name: signal.default_limit("eu-west-1") for name, signal in signals.items()}
    assert limits == {"prefix_write_rate": 3500, "prefix_read_rate": 5500, "prefix_errors": 100}


@pytest.mark.parametrize("prefix", ['a "quoted" naïve/', "日本/", "two\nlines"])
async def test_a_prefix_may_contain_any_characters(prefix: str) -> None:
    assert ("prefix_read_rate", f"media/{prefix}") in await filter_series({"Prefix": prefix})


def filter_ids(usage: Usage | float | Unobservable) -> set[str]:
    """Return the filters whose metrics a usage is computed from."""
    assert isinstance(usage, Usage)
    return {dict(metric.dimensions)["FilterId"] for metric in usage.metrics}


TAGS = [{"Key": "team", "Value": "video"}]
ACCESS_POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/a"


@pytest.mark.parametrize(
    ("conditions", "narrowed_by"),
    [
        ({"Tags": TAGS}, "by tags,"),
        ({"AccessPointArn": ACCESS_POINT}, "by an access point,"),
        ({"Tags": TAGS, "AccessPointArn": ACCESS_POINT}, "by tags and an access point,"),
    ],
)
async def test_the_rates_of_a_filter_that_is_narrowed_by_tags_or_access_point_are_lower_bounds(
    conditions: dict[str, Any], narrowed_by: str
) -> None:
    series = await filter_series({"And": {"Prefix": "uploads/", **conditions}})
    assert {resource for _, resource in series} == {"media/uploads/ (filter filter-0)"}
    for observed in rate_series(series).values():
        assert isinstance(observed.usage, Usage)
        assert observed.upper_bound is None
        assert observed.bounded_because and narrowed_by in observed.bounded_because.reason
        assert proposed_filter(observed.bounded_because) == {
            "Id": "uploads",
            "Filter": {"Prefix": "uploads/"},
        }


async def test_filters_of_the_same_prefix_with_different_tags_have_separate_series() -> None:
    other_tags = [{"Key": "version", "Value": "older"}]
    series = await filter_series(*({"And": {"Prefix": "x/", "Tags": tags}} for tags in (TAGS, other_tags)))
    assert {resource for _, resource in series} == {
        "media/x/ (filter filter-0)",
        "media/x/ (filter filter-1)",
    }
    for (_, resource), observed in series.items():
        assert filter_ids(observed.usage) == {resource.rpartition(" ")[2].rstrip(")")}


async def test_a_filter_of_the_prefix_alone_replaces_filters_of_prefix_and_tag() -> None:
    narrowed_filter = {"And": {"Prefix": "uploads/", "Tags": TAGS}}
    series = await filter_series(
        narrowed_filter, {"Prefix": "uploads/"}, {"Prefix": "logs/"}, {"Prefix": "uploads/"}
    )
    assert {resource for _, resource in series} == {"media/uploads/", "media/logs/"}
    reads = series["prefix_read_rate", "media/uploads/"]
    assert filter_ids(reads.usage) == {"filter-1"}
    assert reads.bounded_because is None


async def test_a_prefix_within_another_prefix_has_its_own_series() -> None:
    series = await filter_series({"Prefix": "a/"}, {"Prefix": "a/b/"})
    assert {resource for _, resource in series} == {"media/a/", "media/a/b/"}
    assert [observed.bounded_because for observed in series.values()] == [None] * 2 * len(SIGNALS)


def proposed_filter(reason: Unobservable) -> dict[str, Any]:
    """Return the configuration that the command of a reason adds."""
    words = shlex.split(reason.enable_command or "")
    options = dict(zip(words[3::2], words[4::2], strict=True))
    configuration: dict[str, Any] = json.loads(options["--metrics-configuration"])
    assert options["--id"] == configuration["Id"]
    return configuration


@pytest.mark.parametrize(
    ("prefix", "ids", "proposed_id"),
    [
        ("logs/", [], "logs"),
        ("logs/", ["logs"], "logs-2"),
        ("logs/", ["logs", "logs-2"], "logs-3"),
        ("/a b/c.d/", [], "a-b-c-d"),
        ("日本/", [], "prefix"),
        ("x" * 500, [], "x" * 40),
    ],
)
async def test_the_command_that_adds_a_filter_replaces_no_existing_filter(
    prefix: str, ids: list[str], proposed_id: str
) -> None:
    configurations = [{"Id": id_, "Filter": {"Tag": TAGS[0]}} for id_ in ids]
    configurations.append({"Id": "narrowed", "Filter": {"And": {"Prefix": prefix, "Tags": TAGS}}})
    answer = {"MetricsConfigurationList": configurations}
    aws = FakeAws(list_buckets=bucket_list("media"), list_bucket_metrics_configurations=answer)
    series = await aws.run_scan(buckets)
    (reads,) = [observed for (signal, _), observed in series.items() if signal == "prefix_read_rate"]
    assert reads.bounded_because
    assert proposed_filter(reads.bounded_because) == {"Id": proposed_id, "Filter": {"Prefix": prefix}}


@pytest.mark.parametrize(
    ("configurations", "reason"),
    [
        ({}, "request metrics are not enabled"),
        (configuration_list(), "request metrics are not enabled"),
        ({"MetricsConfigurationList": [{"Id": "EntireBucket"}]}, "no prefix filter"),
        (configuration_list({"Prefix": ""}), "no prefix filter"),
        (configuration_list({"Tag": {"Key": "team", "Value": "video"}}), "no prefix filter"),
        (configuration_list({"And": {"Tags": [{"Key": "a", "Value": "b"}] * 2}}), "no prefix filter"),
        (
            configuration_list({"AccessPointArn": "arn:aws:s3:eu-west-1:1:accesspoint/a"}),
            "no prefix filter",
        ),
    ],
)
async def test_a_bucket_without_a_prefix_filter_is_unobservable(
    configurations: dict[str, Any], reason: str
) -> None:
    aws = FakeAws(list_buckets=bucket_list("media"), list_bucket_metrics_configurations=configurations)
    series = await aws.run_scan(buckets)
    assert set(series) == {(signal, "media") for signal in SIGNALS}
    for observed in series.values():
        assert isinstance(observed.usage, Unobservable)
        assert reason in observed.usage.reason


async def test_the_command_that_enables_request_metrics_is_complete() -> None:
    aws = FakeAws(list_buckets=bucket_list("media"), list_bucket_metrics_configurations={})
    usage = (await aws.run_scan(buckets))["prefix_write_rate", "media"].usage
    assert isinstance(usage, Unobservable) and usage.enable_command
    words = shlex.split(usage.enable_command)
    assert words[:3] == ["aws", "s3api", "put-bucket-metrics-configuration"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert json.loads(options.pop("--metrics-configuration")) == {
        "Id": "PREFIX",
        "Filter": {"Prefix": "PREFIX/"},
    }
    assert options == {"--bucket": "media", "--id": "PREFIX", "--region": "eu-west-1"}


async def test_filters_without_a_prefix_are_ignored_beside_a_prefix_filter() -> None:
    series = await filter_series({"Tag": {"Key": "team", "Value": "video"}}, {"Prefix": "logs/"})
    assert {resource for _, resource in series} == {"media/logs/"}


async def test_all_pages_of_configurations_are_read() -> None:
    pages = {
        None: configuration_list({"Prefix": "a/"}, IsTruncated=True, NextContinuationToken="more"),
        "more": configuration_list({"Prefix": "b/"}, IsTruncated=True, NextContinuationToken="last"),
        "last": configuration_list({"Prefix": "c/"}),
    }

    def page(Bucket: str, ContinuationToken: str | None = None) -> dict[str, Any]:
        return pages[ContinuationToken]

    aws = FakeAws(list_buckets=bucket_list("media"), list_bucket_metrics_configurations=page)
    resources = {resource for _, resource in await aws.run_scan(buckets)}
    assert resources == {"media/a/", "media/b/", "media/c/"}


async def test_every_page_of_buckets_is_requested_for_the_region() -> None:
    requested = []

    def page(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return bucket_list(f"bucket-{len(requested)}")

    aws = FakeAws(list_buckets=[page, page], list_bucket_metrics_configurations={})
    assert {resource for _, resource in await aws.run_scan(buckets)} == {"bucket-1", "bucket-2"}
    assert requested == [{"BucketRegion": "eu-west-1", "MaxBuckets": 1000}] * 2


async def test_a_bucket_of_another_region_is_left_out_even_if_it_is_listed() -> None:
    aws = FakeAws(
        list_buckets=bucket_list("media", region="us-west-2"), list_bucket_metrics_configurations={}
    )
    assert await aws.run_scan(buckets) == {}
    assert aws.calls == ["s3:ListBuckets"]


@pytest.mark.parametrize(
    ("region", "location", "has_series"),
    [
        ("us-east-1", {}, True),
        ("us-east-1", {"LocationConstraint": ""}, True),
        ("eu-west-1", {"LocationConstraint": "EU"}, True),
        ("eu-west-1", {"LocationConstraint": "eu-west-1"}, True),
        ("eu-west-1", {}, False),
        ("eu-west-1", {"LocationConstraint": "eu-west-2"}, False),
    ],
)
async def test_the_region_of_a_bucket_is_queried_if_the_list_does_not_contain_it(
    region: str, location: dict[str, Any], has_series: bool
) -> None:
    aws = FakeAws(
        region=region,
        list_buckets={"Buckets": [{"Name": "old"}]},
        get_bucket_location=location,
        list_bucket_metrics_configurations={},
    )
    assert bool(await aws.run_scan(buckets)) is has_series


async def test_a_bucket_that_cannot_be_queried_affects_only_itself() -> None:
    aws = FakeAws(
        list_buckets=bucket_list("media", "secret"),
        list_bucket_metrics_configurations=lambda Bucket: (
            denied("ListBucketMetricsConfigurations", "AccessDenied")
            if Bucket == "secret"
            else configuration_list({"Prefix": "logs/"})
        ),
    )
    assert {resource for _, resource in await aws.run_scan(buckets)} == {"media/logs/"}
    failures = [(failure.operation, failure.resource, failure.code) for failure in aws.scan.failures]
    assert failures == [("ListBucketMetricsConfigurations", "secret", "AccessDenied")]


async def test_the_collector_declares_exactly_the_permissions_and_metrics_that_it_uses() -> None:
    aws = FakeAws(
        list_buckets={"Buckets": [{"Name": "media"}]},
        get_bucket_location={"LocationConstraint": "eu-west-1"},
        list_bucket_metrics_configurations=configuration_list({"Prefix": "logs/"}),
    )
    series = await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
    used_metrics = {name for observed in series.values() for name in weights(observed.usage)}
    assert used_metrics | {errors.name} == {metric.name for metric in COLLECTOR.metrics}


@pytest.mark.parametrize(
    ("prefix", "folders"),
    [
        ("a/", []),
        ("a", []),
        ("a/b/", ["a/"]),
        ("a/b/c", ["a/", "a/b/"]),
        ("//", ["/"]),
        ("/a", ["/"]),
    ],
)
async def test_a_prefix_has_the_folders_above_it_as_ancestors_and_a_narrowed_filter_has_its_prefix(
    prefix: str, folders: list[str]
) -> None:
    for filter_ in ({"Prefix": prefix}, {"And": {"Prefix": prefix, "Tags": TAGS}}):
        aws = FakeAws(
            list_buckets=bucket_list("media"), list_bucket_metrics_configurations=configuration_list(filter_)
        )
        async for observed in buckets(aws.scan):
            ancestors = set(observed.resource.ancestor_paths)
            assert {("media", folder) for folder in folders} <= ancestors
            assert (("media", prefix) in ancestors) is ("And" in filter_)
