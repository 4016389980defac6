"""Quotas that are no usable limit: 0, -1 (unlimited), infinity and NaN."""

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

DOCUMENTED_LIMIT = 120_000, "documented"


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf])
@pytest.mark.parametrize("queue_names", [("jobs",), ()], ids=["one queue", "no queue"])
async def test_a_quota_that_is_no_limit_is_not_replaced_by_the_documented_limit(
    value: float, queue_names: Any
) -> None:
    account = FakeAccount(malformed=True, **queues(*queue_names), get_service_quota=quota(value))
    await account.run_inventory(SQS)
    assert {name: account.limit("sqs", "standard_in_flight", name) for name in queue_names} == (
        dict.fromkeys(queue_names)
    )
    assert account.failures == []


async def test_the_documented_limit_applies_if_the_quota_is_nan() -> None:
    account = FakeAccount(malformed=True, **queues("jobs"), get_service_quota=quota(math.nan))
    await account.run_inventory(SQS)
    assert account.limit("sqs", "standard_in_flight", "jobs") == DOCUMENTED_LIMIT


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


AUTHORITIES_QUOTA = Quota(service="acm-pca", code="L-799883CD")  # a quota in `counts.yaml`
TWO_AUTHORITIES: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": [{}, {}]}}
NO_AUTHORITIES: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": []}}


async def account_with_count(description: Mapping[str, Any], **answers: Any) -> FakeAccount:
    """Return an account after an inventory of AUTHORITIES_QUOTA. description: of the quota, by AWS."""
    account = FakeAccount(
        Config.model_validate({"signals": {"quotas": ["acm-pca"]}}),
        malformed=True,
        list_metrics={"Metrics": []},
        list_service_quotas={"Quotas": [{"QuotaCode": AUTHORITIES_QUOTA.code, **description}]},
        list_aws_default_service_quotas={"Quotas": []},
        **answers,
    )
    await account.run_inventory(BY_SERVICE["quotas"])
    return account


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
async def test_counted_resources_have_no_limit_if_the_value_of_their_quota_is_no_limit(value: float) -> None:
    account = await account_with_count({"Value": value}, **TWO_AUTHORITIES)
    judge(account.fleet, account.aws.cell.clock.minute())
    (row,) = rows_of(account.fleet, lambda key: key.signal == "count")
    assert (row.usage, row.limit, row.utilization, account.failures) == (2.0, None, None, [])


@pytest.mark.parametrize("value", [-1.0, math.inf])
async def test_resources_without_a_limit_are_counted_once_a_day(value: float) -> None:
    account = await account_with_count({"Value": value}, **TWO_AUTHORITIES)
    (group,) = account.aws.scan.state(KnownQuotas).last_counts.values()
    assert group.interval == DAY


@pytest.mark.parametrize(
    ("description", "answers"),
    [({"Value": 0.0}, NO_AUTHORITIES), ({}, TWO_AUTHORITIES)],
    ids=["quota 0 and unused", "no value"],
)
async def test_an_unused_quota_of_0_and_a_quota_without_a_value_have_no_series(
    description: Mapping[str, Any], answers: Mapping[str, Any]
) -> None:
    account = await account_with_count(description, **answers)
    assert (account.names, account.failures) == (set(), [])
