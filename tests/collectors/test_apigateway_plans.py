"""API Gateway: the rates and quotas of usage plans, and the usage of each API key."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from collectors.apigateway import period_start, usage_plans
from collectors.base import Unobservable
from tests.fake_aws import FakeAws


def plan_list(*plans: dict[str, Any]) -> dict[str, Any]:
    """Return a response of GetUsagePlans."""
    return {"items": list(plans)}


async def test_the_rate_of_a_usage_plan_is_a_limit_whose_usage_is_unobservable() -> None:
    aws = FakeAws(get_usage_plans=plan_list({"id": "p1", "name": "gold", "throttle": {"rateLimit": 10.0}}))
    series = (await aws.run_scan(usage_plans))["usage_plan_throttle", "gold"]
    assert series.limit == 10.0
    assert isinstance(series.usage, Unobservable)
    assert series.usage.enable_command is None


async def test_the_requests_with_each_api_key_in_the_period_are_compared_with_the_quota_of_the_plan() -> None:
    requested: list[dict[str, Any]] = []

    def get_usage(**params: Any) -> dict[str, Any]:
        requested.append(params)
        if "position" not in params:
            return {"items": {"key1": [[10, 90], [30, 60]], "key2": []}, "position": "more"}
        return {"items": {"key3": [[0, 100], []]}}

    quota = {"limit": 100, "period": "DAY", "offset": 0}
    gold = {"id": "p1", "name": "gold", "quota": quota, "tags": {"team": "a"}}
    aws = FakeAws(get_usage_plans=plan_list(gold), get_usage=get_usage)
    series = await aws.run_scan(usage_plans)
    assert {resource: observed.usage for (_, resource), observed in series.items()} == {
        "gold/key1": 40.0,
        "gold/key2": 0.0,
        "gold/key3": 0.0,
    }
    assert {(observed.signal, observed.limit) for observed in series.values()} == {("usage_plan_quota", 100)}
    assert series["usage_plan_quota", "gold/key1"].tags == {"team": "a"}
    assert [params.get("position") for params in requested] == [None, "more"]


async def test_the_period_of_a_usage_plan_follows_the_clock_of_aws() -> None:
    requested: list[dict[str, Any]] = []

    def get_usage(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"items": {}}

    plan = {"id": "p1", "name": "gold", "quota": {"limit": 100, "period": "MONTH", "offset": 0}}
    last_second = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    aws = FakeAws(now=last_second, get_usage_plans=plan_list(plan), get_usage=get_usage)
    await aws.run_scan(usage_plans)
    aws.now = last_second + 1
    await aws.run_scan(usage_plans)
    assert [(params["startDate"], params["endDate"]) for params in requested] == [
        ("2026-03-01", "2026-03-31"),
        ("2026-04-01", "2026-04-01"),
    ]


async def test_pages_that_repeat_a_token_are_a_failure_of_their_usage_plan() -> None:
    aws = FakeAws(
        get_usage_plans=plan_list({"id": "p1", "name": "gold", "quota": {"limit": 100, "period": "MONTH"}}),
        get_usage={"items": {"key1": [[1, 99]]}, "position": "again"},
    )
    assert await aws.run_scan(usage_plans) == {}
    failures = [(failure.operation, failure.code) for failure in aws.scan.failures]
    assert failures == [("GetUsage", "PaginationError")]


@pytest.mark.parametrize("plan", [{}, {"quota": {}}, {"throttle": {}}, {"throttle": {"burstLimit": 5}}])
async def test_the_usage_of_a_plan_without_limits_is_not_requested(plan: dict[str, Any]) -> None:
    aws = FakeAws(get_usage_plans=plan_list({"id": "p1", **plan}))
    assert await aws.run_scan(usage_plans) == {}
    assert aws.calls == ["apigateway:GetUsagePlans"]


@pytest.mark.parametrize(
    ("period", "offset", "today", "start"),
    [
        ("DAY", 0, date(2026, 11, 24), date(2026, 11, 24)),
        ("WEEK", 0, date(2026, 11, 24), date(2026, 11, 22)),  # a Tuesday; the week begins on Sunday
        ("WEEK", 0, date(2026, 11, 22), date(2026, 11, 22)),
        ("WEEK", 1, date(2026, 11, 22), date(2026, 11, 16)),
        ("WEEK", 2, date(2026, 11, 24), date(2026, 11, 24)),
        ("WEEK", 6, date(2026, 11, 24), date(2026, 11, 21)),
        ("MONTH", 0, date(2026, 11, 24), date(2026, 11, 1)),
        ("MONTH", 0, date(2026, 11, 1), date(2026, 11, 1)),
        ("MONTH", 23, date(2026, 11, 24), date(2026, 11, 24)),
        ("MONTH", 24, date(2026, 11, 24), date(2026, 10, 25)),
        ("MONTH", 27, date(2026, 3, 1), date(2026, 2, 28)),
        ("MONTH", 14, date(2026, 1, 5), date(2025, 12, 15)),
    ],
)
def test_the_period_of_a_quota_starts_on_the_day_of_its_offset(
    period: str, offset: int, today: date, start: date
) -> None:
    assert period_start(period, offset, today) == start
