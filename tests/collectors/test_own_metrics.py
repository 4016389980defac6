"""A user's own metrics: of the account, with fixed dimensions, or of resources that ListMetrics finds."""

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
  limit_in_catalogue: {usage: Used}
  limit_from_metric: {usage: Used, published_limit: Most}
  limit_from_field: {usage: rate(Total), limit: most * 0.5}
  account_dimension: {usage: rate(Sent)}
  elsewhere: {usage: Used, when: region == 'us-east-1'}
  busy: {resource: pool, usage: Busy, published_limit: Size}
"""
ACCOUNT_USAGES = {
    "limit_in_catalogue": "Used{Part Of=the shop, Stage=production}",
    "limit_from_metric": "Used{Part Of=the shop, Stage=production}",
    "limit_from_field": "rate(Total{})",
    "account_dimension": "rate(Sent{Account=123456789012})",
}


def metric(**dimensions: str) -> dict[str, Any]:
    """Return an item of ListMetrics."""
    pairs = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": "Shop/Checkout", "MetricName": "Busy", "Dimensions": pairs}


async def run_with_listing(listing: Any) -> Run:
    """Run the scans of the declaration. listing: the answer of ListMetrics, or its error."""
    settings = {"AccountLimit": {"ConcurrentExecutions": 1000}}
    return await run(DECLARATION, list_metrics=listing, get_account_settings=settings)


async def test_metrics_of_the_account_have_fixed_dimensions_and_any_kind_of_limit() -> None:
    result = await run_with_listing({"Metrics": []})
    assert result.usage == ACCOUNT_USAGES
    assert (result.errors, result.failures) == ([], [])
    limits = {name: series.limit for name, series in result.observed.items() if series.limit}
    assert limits == {"limit_from_field": 500.0}
    published = {
        name: usage_text(series.published_limit)
        for name, series in result.observed.items()
        if series.published_limit
    }
    assert published == {"limit_from_metric": "Max Allowed{Stage=production}"}


async def test_each_set_of_dimensions_is_a_resource_whatever_the_order_of_the_dimensions() -> None:
    listed = [metric(Pool="a", Stage="p"), metric(Stage="q", Pool="a"), metric(Pool="a", Stage="p"), metric()]
    result = await run_with_listing({"Metrics": listed})
    assert result.usage == ACCOUNT_USAGES | {
        "busy p/a": "Busy{Pool=a, Stage=p}",
        "busy q/a": "Busy{Pool=a, Stage=q}",
    }
    assert (result.errors, result.failures) == ([], [])


@pytest.mark.parametrize(
    "answer", [denied("ListMetrics"), {"Metrics": [{}]}], ids=["denied", "item without members"]
)
async def test_series_of_the_account_are_found_even_if_metrics_cannot_be_listed(answer: Any) -> None:
    result = await run_with_listing(answer)
    assert result.usage == ACCOUNT_USAGES
    assert result.errors or result.failures
