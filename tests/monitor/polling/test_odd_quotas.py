"""Quotas that no usage can be divided by: 0, -1 for no limit, without an end, and without a number."""

import math
from typing import Any

import pytest

from tests.monitor.polling.inventories import SQS, World, queues, quota

DOCUMENTED = 120_000, "documented"


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf])
@pytest.mark.parametrize("names", [("jobs",), ()], ids=["in use", "not in use"])
async def test_a_quota_that_is_no_limit_is_not_the_documented_one(value: float, names: Any) -> None:
    world = World(malformed=True, **queues(*names), get_service_quota=quota(value))
    await world.run_inventory(SQS)
    assert {name: world.limit("sqs", "standard_in_flight", name) for name in names} == dict.fromkeys(names)
    assert world.failures == []


async def test_a_quota_that_is_no_number_tells_nothing() -> None:
    world = World(malformed=True, **queues("jobs"), get_service_quota=quota(math.nan))
    await world.run_inventory(SQS)
    assert world.limit("sqs", "standard_in_flight", "jobs") == DOCUMENTED


async def test_a_quota_that_becomes_no_limit_is_none_from_then_on() -> None:
    world = World(malformed=True, quota_interval=0.0, **queues("jobs"), get_service_quota=quota(240_000.0))
    await world.run_inventory(SQS)
    assert world.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")
    world.aws.answers["get_service_quota"] = quota(-1.0)
    await world.quotas.read()
    await world.run_inventory(SQS)
    assert world.limit("sqs", "standard_in_flight", "jobs") is None
