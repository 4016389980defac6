from typing import Any

import pytest

from collectors.base import ACCOUNT, Op, Usage, highest, per_second
from collectors.lambda_ import (
    COLLECTOR,
    account,
    claimed,
    concurrent,
    function_concurrent,
    functions,
    invocations,
    provisioned_utilization,
    throttles,
    unreserved,
)
from rules.limits import catalogue
from tests.fake_aws import FakeAws, denied

ARN = "arn:aws:lambda:eu-west-1:123456789012:function"
SETTINGS = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 700}}
NONE_PROVISIONED: dict[str, Any] = {"ProvisionedConcurrencyConfigs": []}


def listed(*names: str, **more: str) -> dict[str, Any]:
    return {"Functions": [{"FunctionName": name, "FunctionArn": f"{ARN}:{name}"} for name in names], **more}


def provisioned(qualified: str, **numbers: int) -> dict[str, Any]:
    return {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{ARN}:{qualified}", **numbers}]}


def with_functions(*names: str, **answers: Any) -> FakeAws:
    nothing = {"get_function_concurrency": {}, "list_provisioned_concurrency_configs": NONE_PROVISIONED}
    return FakeAws(**{"list_functions": listed(*names), **nothing, **answers})


async def test_the_account_is_held_against_what_it_claims_or_else_what_runs() -> None:
    seen = (await FakeAws(get_account_settings=SETTINGS).seen(account))["account_concurrency", ACCOUNT]
    assert seen.limit == 1000
    assert seen.usage == highest(claimed, concurrent)
    assert seen.refused == per_second(throttles)


async def test_what_is_not_reserved_has_its_own_limit() -> None:
    seen = (await FakeAws(get_account_settings=SETTINGS).seen(account))["unreserved_concurrency", ACCOUNT]
    assert seen.limit == 700
    assert seen.usage == highest(unreserved)
    assert seen.refused == per_second(throttles)


async def test_each_unit_of_concurrency_takes_ten_requests_a_second_and_throttled_ones_are_demand() -> None:
    seen = (await FakeAws(get_account_settings=SETTINGS).seen(account))["invoke_rate_sync", ACCOUNT]
    assert seen.limit == 10_000
    assert seen.usage == per_second(invocations, throttles)
    assert seen.refused == per_second(throttles)


@pytest.mark.parametrize("answer", [None, {}, {"AccountLimit": {}}])
async def test_the_accounts_signals_are_there_when_its_settings_are_not(answer: Any) -> None:
    aws = FakeAws(get_account_settings=answer)
    seen = await aws.seen(account)
    assert {signal: one.limit for (signal, _), one in seen.items()} == {
        "account_concurrency": None,
        "unreserved_concurrency": None,
        "invoke_rate_sync": None,
    }
    operations = [failure.operation for failure in aws.look.failures]
    assert operations == ([] if answer is not None else ["GetAccountSettings"])


async def test_missing_concurrency_of_the_account_is_not_zero() -> None:
    assert not any(metric.zero_when_absent for metric in (claimed, concurrent, unreserved))


async def test_a_reservation_is_the_functions_ceiling() -> None:
    aws = with_functions("billing", get_function_concurrency={"ReservedConcurrentExecutions": 50})
    seen = (await aws.seen(functions))["function_reserved_concurrency", "billing"]
    assert seen.limit == 50
    assert seen.usage == highest(function_concurrent.of(FunctionName="billing"))
    assert seen.refused == per_second(throttles.of(FunctionName="billing"))


@pytest.mark.parametrize("answer", [{}, {"ReservedConcurrentExecutions": 0}])
async def test_a_function_without_a_reservation_or_a_stopped_one_has_no_ceiling(answer: Any) -> None:
    aws = with_functions("billing", get_function_concurrency=answer)
    assert set(await aws.seen(functions)) == {("concurrency_scaling_rate", "billing")}


async def test_the_growth_of_a_function_is_a_sixth_of_what_it_rose_in_a_minute() -> None:
    seen = (await with_functions("billing").seen(functions))["concurrency_scaling_rate", "billing"]
    assert seen.usage == Usage(Op.RISE, ((function_concurrent.of(FunctionName="billing"), 1 / 6),))
    assert function_concurrent.zero_when_absent  # a burst may rise from nothing
    assert seen.limit is None
    assert seen.refused is None
    assert catalogue()["lambda"].signals["concurrency_scaling_rate"].documented("eu-west-1") == 1000


async def test_a_function_without_a_reservation_costs_one_metric() -> None:
    seen = (await with_functions("a", "b").seen(functions)).values()
    asked = {
        metric
        for one in seen
        for formula in (one.usage, one.refused)
        if isinstance(formula, Usage)
        for metric, _ in formula.terms
    }
    assert asked == {function_concurrent.of(FunctionName=name) for name in ("a", "b")}


async def test_provisioned_concurrency_is_used_by_the_ratio_that_lambda_tells() -> None:
    aws = with_functions(
        "billing",
        list_provisioned_concurrency_configs=provisioned(
            "billing:live", AllocatedProvisionedConcurrentExecutions=20
        ),
    )
    seen = (await aws.seen(functions))["function_provisioned_concurrency", "billing/live"]
    ratio = provisioned_utilization.of(FunctionName="billing", Resource="billing:live")
    assert seen.limit == 20
    assert seen.usage == Usage(Op.SUM, ((ratio, 20.0),))
    assert ratio.zero_when_absent  # an idle alias has no points
    assert seen.refused is None  # spilled-over invocations are served


@pytest.mark.parametrize("numbers", [{}, {"AllocatedProvisionedConcurrentExecutions": 0}])
async def test_what_is_not_allocated_yet_cannot_be_used(numbers: dict[str, int]) -> None:
    configs = provisioned("billing:live", RequestedProvisionedConcurrentExecutions=5, **numbers)
    aws = with_functions("billing", list_provisioned_concurrency_configs=configs)
    assert set(await aws.seen(functions)) == {("concurrency_scaling_rate", "billing")}


async def test_every_page_of_functions_and_of_configurations_is_read() -> None:
    aws = with_functions(
        list_functions=[listed("a", NextMarker="more"), listed("b")],
        list_provisioned_concurrency_configs=[
            provisioned("f:one", AllocatedProvisionedConcurrentExecutions=1),
            provisioned("f:2", AllocatedProvisionedConcurrentExecutions=2),
        ],
    )
    seen = await aws.seen(functions)
    assert {resource for signal, resource in seen if signal == "function_provisioned_concurrency"} == {
        "a/one",
        "a/2",
        "b/one",
        "b/2",
    }


async def test_one_function_that_cannot_be_asked_costs_what_was_asked_of_it_alone() -> None:
    aws = with_functions(
        "orders",
        "secret",
        get_function_concurrency=lambda FunctionName: (
            denied("GetFunctionConcurrency")
            if FunctionName == "secret"
            else {"ReservedConcurrentExecutions": 5}
        ),
        list_provisioned_concurrency_configs=lambda FunctionName: (
            denied("ListProvisionedConcurrencyConfigs")
            if FunctionName == "orders"
            else provisioned("secret:live", AllocatedProvisionedConcurrentExecutions=1)
        ),
    )
    assert set(await aws.seen(functions)) == {
        ("concurrency_scaling_rate", "orders"),
        ("concurrency_scaling_rate", "secret"),
        ("function_provisioned_concurrency", "secret/live"),
        ("function_reserved_concurrency", "orders"),
    }
    assert [(failure.operation, failure.item) for failure in aws.look.failures] == [
        ("GetFunctionConcurrency", "secret"),
        ("ListProvisionedConcurrencyConfigs", "orders"),
    ]


async def test_it_asks_for_exactly_the_permissions_and_metrics_it_uses() -> None:
    configs = provisioned("billing:live", AllocatedProvisionedConcurrentExecutions=20)
    aws = with_functions(
        "billing",
        get_account_settings=SETTINGS,
        get_function_concurrency={"ReservedConcurrentExecutions": 50},
        list_provisioned_concurrency_configs=configs,
    )
    seen = await aws.all_seen(COLLECTOR)
    assert aws.actions | {"cloudwatch:GetMetricData"} == set(COLLECTOR.actions)
    assert {signal for signal, _ in seen} == set(catalogue()["lambda"].signals)
    used = {
        metric.of()
        for one in seen.values()
        for formula in (one.usage, one.refused)
        if isinstance(formula, Usage)
        for metric, _ in formula.terms
    }
    assert used == set(COLLECTOR.metrics)
