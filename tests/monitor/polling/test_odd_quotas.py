"""Quotas that no usage can be divided by: 0, -1 for no limit, without an end, and without a number."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from collectors.service_quotas.known_quotas import DAY, KnownQuotas
from monitor.config.config import Config
from monitor.fleet.judge import judge
from monitor.fleet.rows import rows_of
from rules.signals import Quota
from tests.monitor.polling.inventories import BY_SERVICE, SQS, FakeAccount, queues, quota

DOCUMENTED = 120_000, "documented"


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf])
@pytest.mark.parametrize("names", [("jobs",), ()], ids=["in use", "not in use"])
async def test_a_quota_that_is_no_limit_is_not_the_documented_one(value: float, names: Any) -> None:
    account = FakeAccount(malformed=True, **queues(*names), get_service_quota=quota(value))
    await account.run_inventory(SQS)
    assert {name: account.limit("sqs", "standard_in_flight", name) for name in names} == dict.fromkeys(names)
    assert account.failures == []


async def test_the_documented_limit_applies_if_the_quota_is_no_number() -> None:
    account = FakeAccount(malformed=True, **queues("jobs"), get_service_quota=quota(math.nan))
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == DOCUMENTED


async def test_a_quota_that_becomes_unlimited_removes_the_limit() -> None:
    account = FakeAccount(
        malformed=True, quota_interval=0.0, **queues("jobs"), get_service_quota=quota(240_000.0)
    )
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == (240_000, "quota_applied")
    account.aws.answers["get_service_quota"] = quota(-1.0)
    await account.quotas.read()
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") is None


AUTHORITIES = Quota(service="acm-pca", code="L-799883CD")  # of `counts.yaml`
USED: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": [{}, {}]}}
UNUSED: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": []}}


async def counted(described: Mapping[str, Any], **answers: Any) -> FakeAccount:
    """Return an account after an inventory of a quota that no signal declares, as AWS describes it."""
    account = FakeAccount(
        Config.model_validate({"signals": {"quotas": ["acm-pca"]}}),
        malformed=True,
        list_metrics={"Metrics": []},
        list_service_quotas={"Quotas": [{"QuotaCode": AUTHORITIES.code, **described}]},
        list_aws_default_service_quotas={"Quotas": []},
        **answers,
    )
    await account.run_inventory(BY_SERVICE["quotas"])
    return account


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
async def test_a_count_is_shown_without_a_limit_if_the_value_of_its_quota_means_none(value: float) -> None:
    account = await counted({"Value": value}, **USED)
    judge(account.fleet, account.aws.cell.clock.minute())
    (row,) = rows_of(account.fleet, lambda key: key.signal == "count")
    assert (row.usage, row.limit, row.utilization, account.failures) == (2.0, None, None, [])


@pytest.mark.parametrize("value", [-1.0, math.inf])
async def test_resources_without_a_limit_are_counted_once_a_day(value: float) -> None:
    account = await counted({"Value": value}, **USED)
    (group,) = account.aws.scan.state(KnownQuotas).counted.values()
    assert group.interval == DAY


@pytest.mark.parametrize(("described", "answers"), [({"Value": 0.0}, UNUSED), ({}, USED)])
async def test_a_quota_of_0_that_is_not_used_or_without_a_value_has_no_series(
    described: Mapping[str, Any], answers: Mapping[str, Any]
) -> None:
    account = await counted(described, **answers)
    assert (account.names, account.failures) == (set(), [])
