"""Metrics of a user's own: of the whole account with fixed dimensions, and of what ListMetrics finds."""

from typing import Any

import pytest

from tests.collectors.declared_cases import usage_text
from tests.collectors.declared_runs import Run, run
from tests.fake_aws import denied

DECLARATION = """
service: ours
namespace: Shop/Checkout
always_in_use: true
metrics:
  Used: {stat: Maximum, dimensions: {Stage: production, Part Of: the shop}}
  Most: {name: Max Allowed, namespace: Shop/Limits, stat: Minimum, dimensions: {Stage: production}}
  Total: {stat: Sum, dimensions: {}}
  Sent: {stat: Sum}
  Busy: {stat: Maximum}
  Size: {stat: Minimum}
resources:
  account:
    dimensions: {Account: "{account_id}"}
    calls:
      - {call: lambda.GetAccountSettings, facts: {most: AccountLimit.ConcurrentExecutions}}
  pool:
    list:
      call: cloudwatch.ListMetrics
      params: {Namespace: Shop/Checkout, MetricName: Busy}
      items: Metrics
    where: length(Dimensions) == `2`
    id: join('/', [Dimensions[?Name == 'Stage'].Value | [0], Dimensions[?Name == 'Pool'].Value | [0]])
    facts:
      stage: Dimensions[?Name == 'Stage'].Value | [0]
      pool_name: Dimensions[?Name == 'Pool'].Value | [0]
    dimensions: {Stage: "{stage}", Pool: "{pool_name}"}
signals:
  of_catalogue: {usage: Used}
  of_metric: {usage: Used, published_limit: Most}
  of_field: {usage: rate(Total), limit: most * 0.5}
  of_account: {usage: rate(Sent)}
  elsewhere: {usage: Used, when: region == 'us-east-1'}
  busy: {resource: pool, usage: Busy, published_limit: Size}
"""
OF_ACCOUNT = {
    "of_catalogue": "Used{Part Of=the shop, Stage=production}",
    "of_metric": "Used{Part Of=the shop, Stage=production}",
    "of_field": "rate(Total{})",
    "of_account": "rate(Sent{Account=123456789012})",
}


def metric(**dimensions: str) -> dict[str, Any]:
    """An item of ListMetrics."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": "Shop/Checkout", "MetricName": "Busy", "Dimensions": named}


async def found(metrics: Any) -> Run:
    """Return the series that the scans yield where ListMetrics returns this."""
    settings = {"AccountLimit": {"ConcurrentExecutions": 1000}}
    return await run(DECLARATION, list_metrics=metrics, get_account_settings=settings)


async def test_metrics_of_the_account_have_fixed_dimensions_and_any_kind_of_limit() -> None:
    ran = await found({"Metrics": []})
    assert ran.usage == OF_ACCOUNT
    assert (ran.errors, ran.failures) == ([], [])
    assert {name: one.limit for name, one in ran.observed.items() if one.limit} == {"of_field": 500.0}
    published = {name: one.published_limit for name, one in ran.observed.items() if one.published_limit}
    assert {name: usage_text(one) for name, one in published.items()} == {
        "of_metric": "Max Allowed{Stage=production}"
    }


async def test_each_set_of_dimensions_is_a_resource_in_whatever_order_they_are_listed() -> None:
    listed = [metric(Pool="a", Stage="p"), metric(Stage="q", Pool="a"), metric(Pool="a", Stage="p"), metric()]
    ran = await found({"Metrics": listed})
    assert ran.usage == OF_ACCOUNT | {
        "busy p/a": "Busy{Pool=a, Stage=p}",
        "busy q/a": "Busy{Pool=a, Stage=q}",
    }
    assert (ran.errors, ran.failures) == ([], [])


@pytest.mark.parametrize("answer", [denied("ListMetrics"), {"Metrics": [{}]}], ids=["denied", "bare"])
async def test_series_of_the_account_remain_though_metrics_cannot_be_listed(answer: Any) -> None:
    ran = await found(answer)
    assert ran.usage == OF_ACCOUNT
    assert ran.errors or ran.failures
