from collections.abc import AsyncIterator
from typing import Any

import pytest

from collectors.base import ACCOUNT, Aws, Observed, Part
from collectors.kinesis import MIB
from monitor.config import Config
from monitor.fleet import Key
from monitor.inventory import Inventory
from tests.fake_aws import ACCOUNT_ID, denied
from tests.monitor.inventories import (
    KINESIS,
    LAMBDA,
    NO_QUOTAS,
    SHARDS,
    SQS,
    World,
    collector,
    functions,
    queues,
    quota,
    settings,
    steady,
    stream,
    streams,
)

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


async def test_a_name_that_utf_8_cannot_carry_is_made_one_that_it_can() -> None:
    async def broken(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="efo_read_bytes", resource="orders\ud800/app", usage=1.0)

    world = World(**NO_QUOTAS)
    await world.look(collector(broken))
    assert [key.resource for key in world.fleet.series] == ["orders?/app"]


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
    for _ in range(2):
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


def odd_after(*resources: str) -> Part:
    """A part that sees these streams, then meets an answer nobody foresaw."""

    async def odd(aws: Aws) -> AsyncIterator[Observed]:
        for resource in resources:
            yield Observed(signal="stream_write_bytes", resource=resource, limit=MIB, usage=0.5)
        answer: dict[str, Any] = {}
        yield answer["StreamDescriptionSummary"]

    return odd


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
