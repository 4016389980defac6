from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from collectors import COLLECTORS
from collectors.base import ACCOUNT, Aws, Collector, Metric, Observed, Part, per_second, total
from collectors.kinesis import MIB
from monitor.config import Config
from monitor.fleet import Fleet, Key
from monitor.inventory import Inventory, stale_after
from rules.limits import Band, catalogue
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied

BY_SERVICE = {collector.service: collector for collector in COLLECTORS}
KINESIS, LAMBDA, SQS = (BY_SERVICE[name] for name in ("kinesis", "lambda", "sqs"))
NO_QUOTAS: dict[str, Any] = {"get_service_quota": denied("GetServiceQuota")}
SHARDS = {"OpenShardCount": 40, "ShardLimit": 50, "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 50}


class World:
    """A cell over a table of answers, its inventory, and the fleet that it fills."""

    def __init__(self, config: Config | None = None, account_name: str = "", **answers: Any) -> None:
        self.aws = FakeAws(**answers)
        self.fleet = Fleet()
        self.inventory = Inventory(self.aws.cell, self.fleet, config or Config(), account_name)

    async def look(self, collector: Collector, **changed: Any) -> None:
        self.aws.answers |= changed
        await self.inventory.look(collector)

    @property
    def names(self) -> set[tuple[str, str]]:
        return {(key.signal, key.resource) for key in self.fleet.series}

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        outcomes = self.inventory.outcomes.values()
        return [(one.operation, one.item, one.code) for outcome in outcomes for one in outcome.failures]

    def limit(self, service: str, signal: str, resource: str = ACCOUNT) -> tuple[float, str] | None:
        key = Key(ACCOUNT_ID, "eu-west-1", service, signal, resource)
        limit = self.fleet.series[key].ruling.limit
        return (limit.value, limit.source.value) if limit else None


def quota(value: float) -> dict[str, Any]:
    return {"Quota": {"Value": value}}


def streams(**shards: int) -> dict[str, Any]:
    """Answers of a Kinesis that holds these streams, of so many shards each."""

    def describe(**params: Any) -> dict[str, Any]:
        return stream(params["StreamName"], shards[params["StreamName"]])

    return {
        "describe_limits": SHARDS,
        "list_streams": {"StreamNames": [*shards], "HasMoreStreams": False},
        "describe_stream_summary": describe,
    }


def stream(name: str, shards: int, **more: Any) -> dict[str, Any]:
    return {
        "StreamDescriptionSummary": {
            "StreamName": name,
            "StreamARN": f"arn:aws:kinesis:eu-west-1:{ACCOUNT_ID}:stream/{name}",
            "StreamStatus": "ACTIVE",
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": "2026-01-01T00:00:00Z",
            "EnhancedMonitoring": [{}],
            "OpenShardCount": shards,
            **more,
        }
    }


def functions(*names: str) -> dict[str, Any]:
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function"
    return {
        "list_functions": {
            "Functions": [{"FunctionName": one, "FunctionArn": f"{arn}:{one}"} for one in names]
        },
        "get_function_concurrency": {},
        "list_provisioned_concurrency_configs": {"ProvisionedConcurrencyConfigs": []},
    }


def settings(concurrency: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": concurrency}}


def queues(*names: str) -> dict[str, Any]:
    return {
        "list_queues": {
            "QueueUrls": [f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT_ID}/{name}" for name in names]
        }
    }


# The limit in force


ACCOUNT_LIMITS = [
    # override, API, applied, default; in force
    (50, 400, 300, 200, (50, "override")),
    (None, 400, 300, 200, (400, "api")),
    (None, None, 300, 200, (300, "quota_applied")),
    (None, None, None, 200, (200, "quota_default")),
    (None, None, None, None, (1000, "documented")),
    (50, None, None, None, (50, "override")),
    (None, 400, None, None, (400, "api")),
    (None, 0, 300, None, (300, "quota_applied")),
]


@pytest.mark.parametrize(("override", "api", "applied", "default", "in_force"), ACCOUNT_LIMITS)
async def test_the_limit_in_force_is_that_of_the_first_source_that_tells_one(
    override: float | None,
    api: int | None,
    applied: float | None,
    default: float | None,
    in_force: tuple[float, str],
) -> None:
    limits = [{"signal": "lambda.account_concurrency", "limit": override}] if override else []
    world = World(
        Config.model_validate({"limits": limits}),
        **functions(),
        get_account_settings=denied("GetAccountSettings") if api is None else settings(api),
        get_service_quota=quota(applied) if applied else denied("GetServiceQuota", "NoSuchResourceException"),
        get_aws_default_service_quota=quota(default) if default else denied("GetAWSDefaultServiceQuota"),
    )
    await world.look(LAMBDA)
    assert world.limit("lambda", "account_concurrency") == in_force


async def test_a_series_whose_limit_nobody_knows_is_shown_as_unobservable() -> None:
    async def unlimited(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="efo_read_bytes", resource="orders/app", usage=1.0)

    world = World(**NO_QUOTAS)
    await world.look(collector(unlimited))
    (series,) = world.fleet.series.values()
    assert series.ruling.limit is None
    assert series.unobservable is not None


async def test_a_documented_default_is_that_of_the_region() -> None:
    world = World(**streams(), **NO_QUOTAS)
    await world.look(KINESIS, describe_limits={**SHARDS, "ShardLimit": 0})
    assert world.limit("kinesis", "shards_per_region") == (20_000, "documented")


async def test_an_override_may_name_the_account_as_the_configuration_does() -> None:
    config = Config.model_validate({"limits": [{"account": "prod*", "limit": 9, "service": "kinesis"}]})
    world = World(config, "production", **streams(), **NO_QUOTAS)
    await world.look(KINESIS)
    assert world.limit("kinesis", "shards_per_region") == (9, "override")


async def test_a_changed_limit_shows_at_the_next_inventory() -> None:
    world = World(**streams(orders=2), **NO_QUOTAS)
    await world.look(KINESIS)
    place = world.fleet.series[Key(ACCOUNT_ID, "eu-west-1", "kinesis", "stream_write_bytes", "orders")].place
    assert world.fleet.limit[place] == 2 * MIB
    await world.look(KINESIS, **streams(orders=4))
    assert world.limit("kinesis", "stream_write_bytes", "orders") == (4 * MIB, "api")
    assert world.fleet.limit[place] == 4 * MIB


async def test_a_quota_that_cannot_be_read_any_more_keeps_the_value_last_read() -> None:
    world = World(**queues("jobs"), get_service_quota=quota(240_000.0))
    await world.look(SQS)
    (read,) = world.fleet.series.values()
    await world.look(SQS, get_service_quota=denied("GetServiceQuota"))
    assert world.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")
    assert world.fleet.series[read.key].ruling.limit == read.ruling.limit  # read_at is when it was read
    assert world.failures == [("GetServiceQuota", "L-C491D5A4", "AccessDeniedException")]


async def test_a_limit_that_the_api_fails_to_tell_stays_the_one_it_told_last() -> None:
    """A throttled GetAccountSettings must not turn a limit of 10 into the documented 1,000 for a while."""
    world = World(**functions(), **NO_QUOTAS, get_account_settings=settings(10))
    await world.look(LAMBDA)
    read = world.fleet.series[Key(ACCOUNT_ID, "eu-west-1", "lambda", "account_concurrency", ACCOUNT)]
    await world.look(LAMBDA, get_account_settings=denied("GetAccountSettings", "TooManyRequestsException"))
    assert world.limit("lambda", "account_concurrency") == (10, "api")
    assert world.fleet.series[read.key].ruling.limit == read.ruling.limit  # read_at is when it was read


async def test_a_limit_that_the_api_does_not_tell_any_more_falls_to_the_next_source() -> None:
    world = World(**functions(), **NO_QUOTAS, get_account_settings=settings(10))
    await world.look(LAMBDA)
    await world.look(LAMBDA, get_account_settings={"AccountLimit": {}})
    assert world.limit("lambda", "account_concurrency") == (1000, "documented")


async def test_an_override_counts_even_while_the_api_fails() -> None:
    answers = {**functions(), **NO_QUOTAS, "get_account_settings": settings(10)}
    world = World(**answers)
    await world.look(LAMBDA)
    config = Config.model_validate({"limits": [{"signal": "lambda.account_concurrency", "limit": 7}]})
    after_reload = Inventory(world.aws.cell, world.fleet, config)
    world.aws.answers["get_account_settings"] = denied("GetAccountSettings")
    await after_reload.look(LAMBDA)
    assert world.limit("lambda", "account_concurrency") == (7, "override")


# What comes and goes


async def test_a_resource_that_vanishes_is_forgotten_after_one_inventory() -> None:
    world = World(**streams(orders=2, clicks=1), **NO_QUOTAS)
    await world.look(KINESIS)
    assert {resource for _, resource in world.names} == {ACCOUNT, "orders", "clicks"}
    metrics = len(world.fleet.metrics(world.aws.cell.key))
    await world.look(KINESIS, **streams(orders=2))
    assert {resource for _, resource in world.names} == {ACCOUNT, "orders"}
    assert len(world.fleet.metrics(world.aws.cell.key)) < metrics  # nor is it paid for any more


async def test_a_resource_that_comes_back_is_there_again() -> None:
    world = World(**streams(orders=2), **NO_QUOTAS)
    for answers in (streams(orders=2), streams(), streams(orders=3)):
        await world.look(KINESIS, **answers)
    assert world.limit("kinesis", "stream_write_records", "orders") == (3000, "api")


async def test_a_part_that_fails_keeps_its_series_and_costs_no_other_part() -> None:
    world = World(**streams(orders=2), **NO_QUOTAS)
    await world.look(KINESIS)
    before = world.names
    await world.look(
        KINESIS, list_streams=denied("ListStreams"), describe_limits={**SHARDS, "ShardLimit": 70}
    )
    assert world.names == before
    assert world.limit("kinesis", "shards_per_region") == (70, "api")
    assert ("ListStreams", "", "AccessDeniedException") in world.failures


async def test_a_collector_that_fails_costs_no_other_collector() -> None:
    world = World(**streams(orders=2), **NO_QUOTAS)
    await world.look(SQS)
    await world.look(KINESIS)
    assert world.inventory.outcomes["sqs"].failures
    assert ("stream_write_bytes", "orders") in world.names


def describing(**broken: Exception) -> Any:
    def describe(**params: Any) -> dict[str, Any]:
        name = params["StreamName"]
        if name in broken:
            raise broken[name]
        return stream(name, 2, EnhancedMonitoring=[{"ShardLevelMetrics": ["ALL"]}])

    return describe


async def test_a_resource_that_cannot_be_asked_about_is_kept_with_its_children_while_others_vanish() -> None:
    world = World(
        **streams(orders=2, clicks=2, orders2=2),
        **NO_QUOTAS,
        list_shards={"Shards": [shard("shardId-0")]},
    )
    await world.look(KINESIS, describe_stream_summary=describing())
    of_orders = {name for name in world.names if name[1].split("/")[0] == "orders"}
    assert ("shard_write_bytes", "orders/shardId-0") in of_orders
    await world.look(
        KINESIS,
        list_streams=streams(orders=2)["list_streams"],
        describe_stream_summary=describing(orders=denied("DescribeStreamSummary")),
    )
    assert world.names == of_orders | {("shards_per_region", ACCOUNT)}
    assert ("DescribeStreamSummary", "orders", "AccessDeniedException") in world.failures


def shard(name: str) -> dict[str, Any]:
    hashes = {"StartingHashKey": "0", "EndingHashKey": "1"}
    return {"ShardId": name, "HashKeyRange": hashes, "SequenceNumberRange": {"StartingSequenceNumber": "0"}}


async def test_a_part_that_cannot_list_what_it_asks_about_forgets_nothing() -> None:
    """Whatever else failed for single resources: what was not listed is not known to be gone."""
    world = World(**streams(orders=2, clicks=2), **NO_QUOTAS)
    await world.look(KINESIS)
    await world.look(KINESIS, list_streams=[streams(orders=2)["list_streams"], denied("ListStreams")])
    assert {resource for _, resource in world.names} == {ACCOUNT, "orders", "clicks"}


async def steady(aws: Aws) -> AsyncIterator[Observed]:
    yield Observed(signal="shards_per_region", resource=ACCOUNT, limit=50, usage=40.0)


def odd_after(*resources: str) -> Part:
    """A part that sees these streams, then meets an answer nobody foresaw."""

    async def odd(aws: Aws) -> AsyncIterator[Observed]:
        for resource in resources:
            yield Observed(signal="stream_write_bytes", resource=resource, limit=MIB, usage=0.5)
        answer: dict[str, Any] = {}
        yield answer["StreamDescriptionSummary"]

    return odd


def collector(*parts: Part, service: str = "kinesis", delay: int = 3) -> Collector:
    return Collector(service=service, parts=parts, metrics=(), actions=(), delay=delay)


async def test_an_answer_nobody_foresaw_costs_its_part_only_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(**NO_QUOTAS)
    await world.look(collector(odd_after("orders", "clicks"), steady))
    assert world.names == {
        ("stream_write_bytes", "orders"),
        ("stream_write_bytes", "clicks"),
        ("shards_per_region", ACCOUNT),
    }
    await world.look(collector(odd_after("orders"), steady))
    assert ("stream_write_bytes", "clicks") in world.names
    assert "KeyError" in [code for _, _, code in world.failures]
    assert world.inventory.outcomes["kinesis"].succeeded is None
    assert "unexpected answer" in caplog.text
    assert "Traceback" in caplog.text


async def test_an_inventory_without_a_failure_has_succeeded() -> None:
    world = World(get_service_quota=quota(100.0))
    await world.look(collector(steady))
    outcome = world.inventory.outcomes["kinesis"]
    assert outcome.failures == ()
    assert outcome.succeeded is not None
    assert outcome.attempted is not None
    assert outcome.attempted <= outcome.succeeded
    labels = {"account": ACCOUNT_ID, "region": "eu-west-1", "service": "kinesis"}
    sampled = world.aws.telemetry.registry.get_sample_value("headroom_inventory_timestamp_seconds", labels)
    assert sampled == outcome.succeeded


async def test_what_an_earlier_inventory_found_vanishes_too_when_it_is_handed_over() -> None:
    """After a reload of the configuration a new inventory continues."""
    world = World(**streams(orders=2, clicks=2), **NO_QUOTAS)
    await world.look(KINESIS)
    exclude = Config.model_validate({"exclude": [{"resource": "clicks"}]})
    after = Inventory(world.aws.cell, world.fleet, exclude)
    after.known |= world.inventory.known
    await after.look(KINESIS)
    assert {resource for _, resource in world.names} == {ACCOUNT, "orders"}


# What the configuration says


async def test_excluded_series_are_left_alone() -> None:
    exclude = [{"resource": "test-*"}, {"signal": "stream_write_*", "resource": "orders"}]
    config = Config.model_validate({"exclude": exclude})
    world = World(config, **streams(orders=2, **{"test-1": 2}), **NO_QUOTAS)
    await world.look(KINESIS)
    assert {resource for _, resource in world.names} == {ACCOUNT, "orders"}
    assert {signal for signal, resource in world.names if resource == "orders"} == {
        "shard_get_records_rate",
        "retention_iterator_age",
    }


async def test_only_the_tags_that_are_named_are_exported() -> None:
    async def tagged(aws: Aws) -> AsyncIterator[Observed]:
        tags = {"team": "a", "cost-center": "42", "password": "secret"}
        yield Observed(signal="stream_write_bytes", resource="orders", usage=1.0, tags=tags)
        yield Observed(signal="stream_write_bytes", resource="clicks", usage=1.0)

    for config, tags in [
        (Config(), {}),
        (Config(tags=("cost-center", "owner")), {"tag_cost_center": "42"}),
    ]:
        world = World(config, **NO_QUOTAS)
        await world.look(collector(tagged))
        told = {key.resource: dict(series.ruling.tags) for key, series in world.fleet.series.items()}
        assert told == {"orders": tags, "clicks": {}}


async def test_the_band_is_the_configured_one_unless_the_signal_has_its_own() -> None:
    bands = [{"resource": "orders", "low": 0.1, "high": 0.2, "critical": 0.3}]
    config = Config.model_validate({"band": {"high": 0.6}, "bands": bands})
    world = World(config, **streams(orders=2, clicks=2), **NO_QUOTAS)
    await world.look(KINESIS)
    ruling = {(key.signal, key.resource): series.ruling.band for key, series in world.fleet.series.items()}
    assert ruling["stream_write_bytes", "orders"] == Band(low=0.1, high=0.2, critical=0.3)
    assert ruling["stream_write_bytes", "clicks"] == Band(low=0.4, high=0.6, critical=0.9)
    own = catalogue()["kinesis"].signals["retention_iterator_age"].band
    assert own is not None
    assert ruling["retention_iterator_age", "orders"] == own


# How long a sample counts


@pytest.mark.parametrize(
    ("interval", "delay", "minutes"),
    [
        (10, 3, 15),
        (300, 3, 15),
        (300, 5, 17),
        (301, 3, 17),
        (600, 3, 25),
        (3600, 3, 125),
        (86_400, 5, 2887),
    ],
)
def test_a_sample_counts_until_two_turns_were_missed(interval: float, delay: int, minutes: int) -> None:
    assert stale_after(interval, delay) == minutes


async def test_what_the_api_tells_counts_until_the_next_inventories_and_metrics_until_the_next_polls() -> (
    None
):
    metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum")

    async def both(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="shards_per_region", resource=ACCOUNT, usage=40.0)
        yield Observed(signal="stream_write_bytes", resource="orders", usage=per_second(metric))
        yield Observed(signal="stream_write_records", resource="orders", usage=total(metric))

    world = World(Config(interval=900, inventory_interval=3600), **NO_QUOTAS)
    await world.look(collector(both, delay=5))
    stale = {key.signal: series.ruling.stale_after for key, series in world.fleet.series.items()}
    assert stale == {
        "shards_per_region": stale_after(3600, 5),
        "stream_write_bytes": stale_after(900, 5),
        "stream_write_records": stale_after(900, 5),
    }
    assert {series.ruling.delay for series in world.fleet.series.values()} == {5}


# What an inventory costs


FIFO = {"Attributes": {"DeduplicationScope": "queue"}}
WORLDS: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "kinesis, empty": (
        "kinesis",
        streams(),
        {"kinesis:DescribeLimits": 1, "kinesis:ListStreams": 1},
    ),
    "kinesis, three plain streams": (
        "kinesis",
        streams(a=1, b=2, c=3),
        {"kinesis:DescribeLimits": 1, "kinesis:ListStreams": 1, "kinesis:DescribeStreamSummary": 3},
    ),
    "kinesis, two pages of streams": (
        "kinesis",
        {
            **streams(a=1, b=2),
            "list_streams": [
                {"StreamNames": ["a"], "HasMoreStreams": True},
                {"StreamNames": ["b"], "HasMoreStreams": False},
            ],
        },
        {"kinesis:DescribeLimits": 1, "kinesis:ListStreams": 2, "kinesis:DescribeStreamSummary": 2},
    ),
    "lambda, empty": (
        "lambda",
        {**functions(), "get_account_settings": settings(1000)},
        {"lambda:GetAccountSettings": 1, "lambda:ListFunctions": 1},
    ),
    "lambda, three functions": (
        "lambda",
        {**functions("a", "b", "c"), "get_account_settings": settings(1000)},
        {
            "lambda:GetAccountSettings": 1,
            "lambda:ListFunctions": 1,
            "lambda:GetFunctionConcurrency": 3,
            "lambda:ListProvisionedConcurrencyConfigs": 3,
        },
    ),
    "sqs, standard queues cost nothing each": ("sqs", queues("a", "b", "c"), {"sqs:ListQueues": 1}),
    "sqs, a FIFO queue costs one": (
        "sqs",
        {**queues("a", "b.fifo"), "get_queue_attributes": FIFO},
        {"sqs:ListQueues": 1, "sqs:GetQueueAttributes": 1},
    ),
    "s3, two buckets here and one elsewhere": (
        "s3",
        {
            "list_buckets": {
                "Buckets": [
                    {"Name": "a", "BucketRegion": "eu-west-1"},
                    {"Name": "b", "BucketRegion": "eu-west-1"},
                    {"Name": "c", "BucketRegion": "us-east-1"},
                ]
            },
            "list_bucket_metrics_configurations": {},
        },
        {"s3:ListBuckets": 1, "s3:ListBucketMetricsConfigurations": 2},
    ),
    "autoscaling": (
        "autoscaling",
        {
            "describe_account_limits": {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 0},
            "describe_auto_scaling_groups": {"AutoScalingGroups": []},
        },
        {"autoscaling:DescribeAccountLimits": 1, "autoscaling:DescribeAutoScalingGroups": 1},
    ),
    "apigateway, two REST APIs": (
        "apigateway",
        {
            "get_account": {"throttleSettings": {"rateLimit": 10_000.0}},
            "get_rest_apis": {"items": [{"id": "r1", "name": "a"}, {"id": "r2", "name": "b"}]},
            "get_apis": {},
            "get_stages": {},
            "get_usage_plans": {},
        },
        {
            "apigateway:GetAccount": 1,
            "apigateway:GetRestApis": 2,
            "apigatewayv2:GetApis": 2,
            "apigateway:GetStages": 2,
            "apigateway:GetUsagePlans": 1,
        },
    ),
}


@pytest.mark.parametrize("name", WORLDS)
async def test_an_inventory_makes_exactly_these_calls(name: str) -> None:
    service, answers, calls = WORLDS[name]
    world = World(**answers, get_service_quota=quota(100.0))
    await world.look(BY_SERVICE[service])
    assert world.failures == []
    codes = {signal.quota for signal in catalogue()[service].signals.values() if signal.quota}
    asked = {"service-quotas:GetServiceQuota": len(codes)} if codes else {}
    assert Counter(world.aws.calls) == calls | asked


async def test_every_inventory_costs_the_same() -> None:
    world = World(**streams(a=1, b=2), get_service_quota=quota(100.0))
    await world.look(KINESIS)
    first = Counter(world.aws.calls)
    await world.look(KINESIS)
    assert Counter(world.aws.calls) == first + first
