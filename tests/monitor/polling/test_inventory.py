"""An inventory: the limit in force of each series, and which series are kept or dropped."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from collectors.base import ACCOUNT, Aws, Metric, Observed, Resource, ScanFunction, total
from collectors.errors import ResourceNotFoundError, ServiceNotOfferedError
from collectors.kinesis import MIB
from collectors.quota_requests import QuotaRequest
from collectors.registry import build_registry
from monitor.aws.run_status import FailureStreak
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.polling.inventory import YIELD_EVERY
from monitor.render.commands import increase_command
from rules.limits import PUBLISHED_ONLY
from tests.background import background
from tests.fake_aws import ACCOUNT_ID, denied
from tests.kinesis_answers import SHARD_LIMITS, stream_summary
from tests.monitor.polling.inventories import (
    BY_SERVICE,
    KINESIS,
    LAMBDA,
    NO_QUOTAS,
    SQS,
    FakeAccount,
    account_settings,
    collector,
    functions,
    inventory_of,
    queues,
    quota,
    scan_of_shards,
    streams,
)
from tests.monitor.polling.service_quotas import ServiceQuotas
from tests.registries import REGISTRY
from tests.resources import resource as resource_of

ACCOUNT_LIMITS = [
    # (override, API, applied quota, default quota, limit in force)
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
async def test_the_limit_in_force_comes_from_the_first_source_with_a_limit(
    override: float | None,
    api: int | None,
    applied: float | None,
    default: float | None,
    in_force: tuple[float, str],
) -> None:
    limits = [{"signal": "lambda.account_concurrency", "limit": override}] if override else []
    account = FakeAccount(
        Config.model_validate({"limits": limits}),
        **functions("resize"),
        get_account_settings=denied("GetAccountSettings") if api is None else account_settings(api),
        get_service_quota=quota(applied) if applied else denied("GetServiceQuota", "NoSuchResourceException"),
        get_aws_default_service_quota=quota(default) if default else denied("GetAWSDefaultServiceQuota"),
    )
    await account.run_inventory(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == in_force


async def test_a_series_without_a_known_limit_is_unobservable() -> None:
    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="efo_read_bytes", resource=resource_of("orders/app"), usage=1.0)

    account = FakeAccount(**NO_QUOTAS)
    await account.run_inventory(collector(scan))
    (series,) = account.fleet.series.values()
    assert series.settings.limit is None
    assert series.unobservable is not None


@pytest.mark.parametrize(
    ("limits", "source"), [([], "metric"), ([{"service": "kinesis", "limit": 9.0}], "override")]
)
async def test_a_limit_that_only_a_metric_publishes_outranks_quotas_and_documentation(
    limits: list[dict[str, object]], source: str
) -> None:
    """The quota and the documented default may differ from the limit in force, which the metric publishes."""
    published = total(Metric("AWS/Kinesis", "Shards", "Maximum"))

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="shards_per_region", resource=ACCOUNT, usage=5.0, published_limit=published)

    account = FakeAccount(Config.model_validate({"limits": limits}), **NO_QUOTAS)
    await account.run_inventory(collector(scan))
    (series,) = account.fleet.series.values()
    assert series.settings.limit and series.settings.limit.source == source
    assert (series.settings.limit.value is PUBLISHED_ONLY) == (source == "metric")
    assert series.unobservable is None


async def test_characters_that_utf_8_cannot_encode_are_escaped_in_names() -> None:
    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="efo_read_bytes", resource=resource_of("orders\ud800/app"), usage=1.0)

    account = FakeAccount(**NO_QUOTAS)
    await account.run_inventory(collector(scan))
    assert [key.resource for key in account.fleet.series] == [r"orders\ud800/app"]


async def test_the_documented_default_is_the_one_for_the_region() -> None:
    account = FakeAccount(**streams(orders=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS, describe_limits={**SHARD_LIMITS, "ShardLimit": 0})
    assert account.limit("kinesis", "shards_per_region") == (20_000, "documented")


async def test_an_override_may_match_the_configured_name_of_the_account() -> None:
    config = Config.model_validate({"limits": [{"account": "prod*", "limit": 9, "service": "kinesis"}]})
    account = FakeAccount(config, "production", **streams(orders=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    assert account.limit("kinesis", "shards_per_region") == (9, "override")


async def test_a_changed_limit_is_in_force_after_the_next_inventory() -> None:
    account = FakeAccount(**streams(orders=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    slot = account.fleet.series[Key(ACCOUNT_ID, "eu-west-1", "kinesis", "stream_write_bytes", "orders")].slot
    assert account.fleet.limit[slot] == 2 * MIB
    await account.run_inventory(KINESIS, **streams(orders=4))
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (4 * MIB, "api")
    assert account.fleet.limit[slot] == 4 * MIB


async def test_a_quota_that_can_no_longer_be_read_keeps_its_last_value() -> None:
    account = FakeAccount(quota_interval=0.0, **queues("jobs"), get_service_quota=quota(240_000.0))
    account.aws.now = 1.8e9
    await account.run_inventory(SQS)
    account.aws.answers["get_service_quota"] = denied("GetServiceQuota")
    account.aws.now += 60
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")
    (series,) = account.fleet.series.values()
    assert series.settings.limit and series.settings.limit.read_at == 1.8e9
    assert account.failures == [("GetServiceQuota", "L-C491D5A4", "AccessDeniedException")]


async def test_a_quota_that_cannot_be_read_after_a_reload_keeps_the_limit_of_its_series() -> None:
    account = FakeAccount(**queues("jobs"), get_service_quota=quota(240_000.0))
    await account.run_inventory(SQS)
    account.aws.answers["get_service_quota"] = denied("GetServiceQuota")
    after_reload = inventory_of(account.aws.cell, account.fleet, Config())
    status = await after_reload.run(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")
    assert [failure.resource for failure in status.failures] == ["L-C491D5A4"]


async def test_a_raised_quota_is_the_limit_from_the_inventory_after_it_was_read() -> None:
    account = FakeAccount(quota_interval=0.0, **queues("jobs"), get_service_quota=quota(120_000.0))
    await account.run_inventory(SQS)
    await account.run_inventory(SQS, get_service_quota=quota(240_000.0))
    assert account.limit("sqs", "standard_in_flight", "jobs") == (120_000, "quota_applied")
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")


async def test_a_failed_reading_of_a_quota_counts_once_however_many_inventories_report_it() -> None:
    account = FakeAccount(**queues("jobs"), **NO_QUOTAS)
    await account.run_inventory(SQS)
    status = account.inventory.statuses["sqs"]
    status.streaks = {"denied": FailureStreak(1, None, 0.0)}  # the last failed run ended long ago
    for failures in (1, 2):
        await account.run_inventory(SQS)
        assert account.failures == [("GetServiceQuota", "L-C491D5A4", "AccessDeniedException")]
        assert status.streaks["denied"].failed_runs == failures
        await account.quotas.read()
    await account.run_inventory(SQS, get_service_quota=quota(240_000.0))
    assert len(account.failures) == 1
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.failures == []


async def test_a_pending_request_for_a_quota_is_part_of_the_series_that_it_limits() -> None:
    (in_flight_quota,) = REGISTRY.quotas(["sqs"])
    service = ServiceQuotas({in_flight_quota: 120_000.0}, requests={in_flight_quota: 240_000.0})
    account = FakeAccount(**queues("jobs"), **service.answers)
    await account.quotas.read()
    await account.run_inventory(SQS)
    (series,) = account.fleet.series.values()
    assert series.settings.quota_request == QuotaRequest(240_000.0, "PENDING", None)


async def test_a_quota_and_its_request_are_converted_to_the_unit_of_the_signal() -> None:
    """Storage quotas are in TiB, and usage is in bytes."""
    (in_flight_quota,) = REGISTRY.quotas(["sqs"])
    service = ServiceQuotas({in_flight_quota: 120_000.0}, requests={in_flight_quota: 240_000.0})
    account = FakeAccount(**queues("jobs"), **service.answers)
    entry = REGISTRY.services["sqs"]
    signal = entry.signals["standard_in_flight"].model_copy(update={"quota_unit": 1000.0})
    changed = entry.model_copy(update={"signals": {**entry.signals, signal.name: signal}})
    account.inventory.registry = build_registry([SQS], [changed])
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (120_000_000, "quota_applied")
    (series,) = account.fleet.series.values()
    assert series.settings.quota_request == QuotaRequest(240_000_000.0, "PENDING", None)
    command = increase_command(signal, series, 0.9)
    assert "--desired-value 196364 " in (command or "")


async def test_a_resource_with_a_quota_of_its_own_has_the_limit_and_the_request_of_that_quota() -> None:
    (in_flight_quota,) = REGISTRY.quotas(["sqs"])
    arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
    context = {"ContextScope": "RESOURCE", "ContextId": arn}
    request = {
        "ServiceCode": "sqs",
        "QuotaCode": in_flight_quota.code,
        "DesiredValue": 5e5,
        "Status": "PENDING",
    }
    service = ServiceQuotas(
        {in_flight_quota: 120_000.0},
        resource_values={in_flight_quota: {arn: 240_000.0}},
        decided=[{**request, "QuotaContext": context}],
    )
    account = FakeAccount(**queues("jobs", "orders"), **service.answers)
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (120_000, "quota_applied")
    assert account.limit("sqs", "standard_in_flight", "orders") == (240_000, "quota_applied")
    by_name = {series.key.resource: series for series in account.fleet.series.values()}
    requests = [by_name[name].settings.quota_request for name in ("jobs", "orders")]
    assert [pending and pending.desired for pending in requests] == [None, 500_000.0]
    signal = REGISTRY.signal("sqs", "standard_in_flight")
    command = increase_command(signal, by_name["orders"], 0.9) or ""
    assert command.endswith(f" --context-id {arn}")


async def test_a_limit_that_the_api_fails_to_return_keeps_its_last_value() -> None:
    """A throttled GetAccountSettings must not turn a limit of 10 into the documented 1,000 for a while."""
    account = FakeAccount(**functions("resize"), **NO_QUOTAS, get_account_settings=account_settings(10))
    await account.run_inventory(LAMBDA)
    before = account.fleet.series[Key(ACCOUNT_ID, "eu-west-1", "lambda", "account_concurrency", ACCOUNT)]
    await account.run_inventory(
        LAMBDA, get_account_settings=denied("GetAccountSettings", "TooManyRequestsException")
    )
    assert account.limit("lambda", "account_concurrency") == (10, "api")
    assert account.fleet.series[before.key].settings.limit == before.settings.limit  # also the same read_at


async def test_if_the_api_no_longer_returns_a_limit_the_next_source_has_the_limit_in_force() -> None:
    account = FakeAccount(**functions("resize"), **NO_QUOTAS, get_account_settings=account_settings(10))
    await account.run_inventory(LAMBDA)
    await account.run_inventory(LAMBDA, get_account_settings={"AccountLimit": {}})
    assert account.limit("lambda", "account_concurrency") == (1000, "documented")


async def test_an_override_is_in_force_even_while_the_api_fails() -> None:
    answers = {**functions("resize"), **NO_QUOTAS, "get_account_settings": account_settings(10)}
    account = FakeAccount(**answers)
    await account.run_inventory(LAMBDA)
    config = Config.model_validate({"limits": [{"signal": "lambda.account_concurrency", "limit": 7}]})
    after_reload = inventory_of(account.aws.cell, account.fleet, config)
    account.aws.answers["get_account_settings"] = denied("GetAccountSettings")
    await after_reload.run(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == (7, "override")


# Resources that disappear and come back


async def test_a_missing_resource_is_dropped_after_one_inventory() -> None:
    account = FakeAccount(**streams(orders=2, clicks=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    assert {resource for _, resource in account.names} == {"", "orders", "clicks"}
    metric_count = len(account.fleet.metrics(account.aws.cell.key))
    for _ in range(2):
        await account.run_inventory(KINESIS, **streams(orders=2))
        assert {resource for _, resource in account.names} == {"", "orders"}
    assert (
        len(account.fleet.metrics(account.aws.cell.key)) < metric_count
    )  # its metrics are no longer requested


async def test_a_resource_that_comes_back_has_series_again() -> None:
    account = FakeAccount(**streams(orders=2), **NO_QUOTAS)
    for answers in (streams(orders=2), streams(), streams(orders=3)):
        await account.run_inventory(KINESIS, **answers)
    assert account.limit("kinesis", "stream_write_records", "orders") == (3000, "api")


async def test_a_scan_that_fails_keeps_its_series_and_affects_no_other_scan() -> None:
    account = FakeAccount(**streams(orders=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    names_before = account.names
    await account.run_inventory(
        KINESIS, list_streams=denied("ListStreams"), describe_limits={**SHARD_LIMITS, "ShardLimit": 70}
    )
    assert account.names == names_before
    assert account.limit("kinesis", "shards_per_region") == (70, "api")
    assert ("ListStreams", "", "AccessDeniedException") in account.failures


async def test_a_collector_that_fails_affects_no_other_collector() -> None:
    account = FakeAccount(**streams(orders=2), **NO_QUOTAS)
    await account.run_inventory(SQS)
    await account.run_inventory(KINESIS)
    assert account.inventory.statuses["sqs"].failures
    assert ("stream_write_bytes", "orders") in account.names


async def test_a_missing_series_that_was_dropped_before_raises_no_error() -> None:
    """A reload that excludes the series has dropped it, for example."""
    account = FakeAccount(**streams(orders=2, clicks=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    for key in [key for key in account.fleet.series if key.resource == "orders"][:1]:
        account.fleet.drop(key)
    await account.run_inventory(KINESIS, **streams(clicks=1))
    assert {resource for _, resource in account.names} == {"", "clicks"}


async def test_other_tasks_run_while_an_inventory_drops_thousands_of_series() -> None:
    counts = []

    async def count_series(fleet: Fleet) -> None:
        while True:
            counts.append(len(fleet.series))
            await asyncio.sleep(0)

    account = FakeAccount(**streams(**{f"s{n}": 1 for n in range(500)}), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    async with background(count_series(account.fleet)):
        await account.run_inventory(KINESIS, **streams())
    counts.append(len(account.fleet.series))
    assert (counts[0], counts[-1]) == (2501, 0)
    assert max(before - after for before, after in pairwise(counts)) <= YIELD_EVERY


def answer_of_describe(**errors: Exception) -> Any:
    """Return an answer of DescribeStreamSummary. errors: by stream, the error that AWS returns for it."""

    def describe(**params: Any) -> dict[str, Any]:
        name = params["StreamName"]
        if name in errors:
            raise errors[name]
        return stream_summary(name, 2, EnhancedMonitoring=[{"ShardLevelMetrics": ["ALL"]}])

    return describe


async def test_a_resource_that_cannot_be_queried_stays_with_its_parts_while_a_missing_one_is_dropped() -> (
    None
):
    account = FakeAccount(
        **streams(orders=2, clicks=2, orders2=2),
        **NO_QUOTAS,
        list_shards={"Shards": [shard("shardId-0")]},
    )
    await account.run_inventory(KINESIS, describe_stream_summary=answer_of_describe())
    names_of_orders = {name for name in account.names if name[1].split("/")[0] == "orders"}
    assert ("shard_write_bytes", "orders/shardId-0") in names_of_orders
    await account.run_inventory(
        KINESIS,
        list_streams=streams(orders=2)["list_streams"],
        describe_stream_summary=answer_of_describe(orders=denied("DescribeStreamSummary")),
    )
    assert account.names == names_of_orders | {("shards_per_region", "")}
    assert ("DescribeStreamSummary", "orders", "AccessDeniedException") in account.failures


def shard(name: str) -> dict[str, Any]:
    """Return AWS's description of a shard."""
    hashes = {"StartingHashKey": "0", "EndingHashKey": "1"}
    return {"ShardId": name, "HashKeyRange": hashes, "SequenceNumberRange": {"StartingSequenceNumber": "0"}}


async def test_a_scan_that_cannot_list_its_resources_drops_no_series() -> None:
    """A resource that is missing from an incomplete list may still exist."""
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    await account.run_inventory(
        KINESIS, list_streams=[streams(orders=2)["list_streams"], denied("ListStreams")]
    )
    assert {resource for _, resource in account.names} == {"", "orders", "clicks"}


def scan_that_fails_after(*resources: str) -> ScanFunction:
    """Return a scan function that observes these streams, and then fails at an unexpected response."""

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        for resource in resources:
            yield Observed(signal="stream_write_bytes", resource=resource_of(resource), limit=MIB, usage=0.5)
        answer: dict[str, Any] = {}
        yield answer["StreamDescriptionSummary"]

    return scan


async def test_an_unexpected_response_affects_only_its_scan_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = FakeAccount(**NO_QUOTAS)
    await account.run_inventory(collector(scan_that_fails_after("orders", "clicks"), scan_of_shards))
    assert account.names == {
        ("stream_write_bytes", "orders"),
        ("stream_write_bytes", "clicks"),
        ("shards_per_region", ""),
    }
    await account.run_inventory(collector(scan_that_fails_after("orders"), scan_of_shards))
    assert ("stream_write_bytes", "clicks") in account.names
    assert "KeyError" in [code for _, _, code in account.failures]
    assert account.inventory.statuses["kinesis"].succeeded_at is None
    assert account.inventory.statuses["kinesis"].unread is None
    assert "unexpected response" in caplog.text
    assert "Traceback" in caplog.text


async def test_an_inventory_without_a_failure_has_succeeded() -> None:
    account = FakeAccount(get_service_quota=quota(100.0))
    await account.run_inventory(collector(scan_of_shards))
    status = account.inventory.statuses["kinesis"]
    assert status.failures == ()
    assert status.succeeded_at is not None
    assert status.started_at is not None
    assert status.started_at <= status.succeeded_at
    labels = {"aws_account": ACCOUNT_ID, "aws_region": "eu-west-1", "aws_service": "kinesis"}
    exported_time = account.aws.registry.get_sample_value("headroom_inventory_timestamp_seconds", labels)
    assert exported_time == status.succeeded_at


async def test_a_reload_drops_excluded_series_of_an_earlier_inventory() -> None:
    """After a reload of the configuration, a new inventory takes over the discovered series."""
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    exclude = Config.model_validate({"exclude": [{"resource": "clicks"}]})
    after_reload = inventory_of(account.aws.cell, account.fleet, exclude)
    after_reload.discovered |= account.inventory.discovered
    await after_reload.run(KINESIS)
    assert {resource for _, resource in account.names} == {"", "orders"}


async def test_a_resource_that_cannot_be_queried_keeps_only_its_own_parts() -> None:
    part = Resource("stream", ("orders",)).child("consumer", "app")
    unrelated = Resource("stream", ("orders/app",))  # not a part of `orders`, in spite of its name

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        async def describe(name: str) -> str:
            if len(runs) > 1:
                raise denied("DescribeStreamSummary")
            return name

        runs.append(1)
        async for _ in aws.map(["orders"], describe, lambda name: Resource("stream", (name,))):
            for resource in (part, unrelated):
                yield Observed(signal="efo_read_bytes", resource=resource, usage=1.0)

    runs: list[int] = []
    account = FakeAccount(**NO_QUOTAS)
    await account.run_inventory(collector(scan))
    assert {key.subject for key in account.fleet.series} == {part, unrelated}
    await account.run_inventory(collector(scan))
    assert {key.subject for key in account.fleet.series} == {part}


async def test_a_deleted_resource_does_not_drop_a_resource_of_another_kind_with_the_same_id() -> None:
    stream, consumer = Resource("stream", ("orders",)), Resource("consumer", ("orders",))

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        async def describe(name: str) -> None:
            if len(runs) > 1:
                response: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}
                raise ResourceNotFoundError(response, "DescribeStreamSummary")

        runs.append(1)
        for resource in (consumer, stream.child("shard", "shard-1")):
            yield Observed(signal="efo_read_bytes", resource=resource, usage=1.0)
        async for _ in aws.map(["orders"], describe, lambda _: stream):
            yield Observed(signal="shard_write_bytes", resource=stream, usage=1.0)

    runs: list[int] = []
    account = FakeAccount(**NO_QUOTAS)
    await account.run_inventory(collector(scan))
    assert len(account.fleet.series) == 3
    await account.run_inventory(collector(scan))
    assert [key.subject.kind for key in account.fleet.series] == ["consumer"]


async def test_a_service_that_the_region_does_not_offer_has_no_series_and_is_no_failure() -> None:
    not_offered = ServiceNotOfferedError(endpoint_url="https://dax.eu-west-1.amazonaws.com/")
    account = FakeAccount(**NO_QUOTAS, describe_clusters=not_offered, describe_parameter_groups=not_offered)
    await account.run_inventory(BY_SERVICE["dax"], describe_subnet_groups=not_offered)
    assert (account.names, account.failures) == (set(), [])
    await account.run_inventory(BY_SERVICE["dax"], describe_clusters=denied("DescribeClusters"))
    assert [code for *_, code in account.failures] == ["AccessDeniedException"]
