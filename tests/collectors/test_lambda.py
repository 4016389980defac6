from typing import Any

import pytest
from botocore.exceptions import ClientError

from collectors.base import ACCOUNT, PER_MINUTE, Observed, Op, Usage, difference, highest, per_second
from collectors.lambda_ import (
    COLLECTOR,
    claimed,
    concurrent,
    everything,
    function_concurrent,
    invocations,
    provisioned_utilization,
    throttles,
    unreserved,
)
from rules.limits import catalogue
from tests.fake_aws import FakeAws, denied

ARN = "arn:aws:lambda:eu-west-1:123456789012:function"
SETTINGS = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 700}}
OWN_REFUSALS = difference(throttles).scaled(PER_MINUTE)
NONE_PROVISIONED: dict[str, Any] = {"ProvisionedConcurrencyConfigs": []}


def listed(*names: str, **more: str) -> dict[str, Any]:
    return {"Functions": [{"FunctionName": name, "FunctionArn": f"{ARN}:{name}"} for name in names], **more}


def provisioned(qualified: str, **numbers: int) -> dict[str, Any]:
    return {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{ARN}:{qualified}", **numbers}]}


def with_functions(*names: str, **answers: Any) -> FakeAws:
    nothing = {"get_function_concurrency": {}, "list_provisioned_concurrency_configs": NONE_PROVISIONED}
    return FakeAws(**{"list_functions": listed(*names), **nothing, **answers})


def of_functions(seen: dict[tuple[str, str], Observed]) -> dict[tuple[str, str], Observed]:
    return {key: one for key, one in seen.items() if key[1] != ACCOUNT}


async def test_the_account_is_held_against_what_it_claims_or_else_what_runs() -> None:
    seen = (await with_functions(get_account_settings=SETTINGS).seen(everything))[
        "account_concurrency", ACCOUNT
    ]
    assert seen.limit == 1000
    assert seen.usage == highest(claimed, concurrent)
    assert seen.refused == OWN_REFUSALS


async def test_what_is_not_reserved_has_its_own_limit() -> None:
    seen = (await with_functions(get_account_settings=SETTINGS).seen(everything))[
        "unreserved_concurrency", ACCOUNT
    ]
    assert seen.limit == 700
    assert seen.usage == highest(unreserved)
    assert seen.refused == OWN_REFUSALS


async def test_each_unit_of_concurrency_takes_ten_requests_a_second_and_throttled_ones_are_demand() -> None:
    seen = (await with_functions(get_account_settings=SETTINGS).seen(everything))["invoke_rate_sync", ACCOUNT]
    assert seen.limit == 10_000
    assert seen.usage == per_second(invocations, throttles)
    assert seen.refused == OWN_REFUSALS


@pytest.mark.parametrize("answer", [None, {}, {"AccountLimit": {}}])
async def test_the_accounts_signals_are_there_when_its_settings_are_not(answer: Any) -> None:
    aws = with_functions(get_account_settings=answer)
    seen = await aws.seen(everything)
    assert {signal: one.limit for (signal, _), one in seen.items()} == {
        "account_concurrency": None,
        "unreserved_concurrency": None,
        "invoke_rate_sync": None,
    }
    operations = [failure.operation for failure in aws.look.failures]
    assert operations == ([] if answer is not None else ["GetAccountSettings"])


async def test_what_a_reservation_refuses_is_not_the_accounts_lack() -> None:
    reserved = {"capped": 5, "stopped": 0}
    aws = with_functions(
        "capped",
        "free",
        "stopped",
        get_account_settings=SETTINGS,
        get_function_concurrency=lambda FunctionName: (
            {"ReservedConcurrentExecutions": reserved[FunctionName]} if FunctionName in reserved else {}
        ),
    )
    seen = await aws.seen(everything)
    own = [throttles.of(FunctionName=name) for name in reserved]
    assert {one.refused for (_, resource), one in seen.items() if resource == ACCOUNT} == {
        difference(throttles, *own).scaled(PER_MINUTE)
    }


async def test_the_account_is_seen_when_its_functions_cannot_be_listed() -> None:
    aws = FakeAws(get_account_settings=SETTINGS, list_functions=denied("ListFunctions"))
    seen = []
    with pytest.raises(ClientError):
        async for observed in everything(aws.look):
            seen.append(observed)
    assert {(one.signal, one.refused) for one in seen} == {
        ("account_concurrency", OWN_REFUSALS),
        ("unreserved_concurrency", OWN_REFUSALS),
        ("invoke_rate_sync", OWN_REFUSALS),
    }


async def test_missing_concurrency_of_the_account_is_not_zero() -> None:
    assert not any(metric.zero_when_absent for metric in (claimed, concurrent, unreserved))


async def test_a_reservation_is_the_functions_ceiling() -> None:
    aws = with_functions("billing", get_function_concurrency={"ReservedConcurrentExecutions": 50})
    seen = of_functions(await aws.seen(everything))["function_reserved_concurrency", "billing"]
    assert seen.limit == 50
    assert seen.usage == highest(function_concurrent.of(FunctionName="billing"))
    assert seen.refused == per_second(throttles.of(FunctionName="billing"))


@pytest.mark.parametrize("answer", [{}, {"ReservedConcurrentExecutions": 0}])
async def test_a_function_without_a_reservation_or_a_stopped_one_has_no_ceiling(answer: Any) -> None:
    aws = with_functions("billing", get_function_concurrency=answer)
    assert set(of_functions(await aws.seen(everything))) == {("concurrency_scaling_rate", "billing")}


async def test_the_growth_of_a_function_is_a_sixth_of_what_it_rose_in_a_minute() -> None:
    seen = (await with_functions("billing").seen(everything))["concurrency_scaling_rate", "billing"]
    assert seen.usage == Usage(Op.RISE, ((function_concurrent.of(FunctionName="billing"), 1 / 6),))
    assert function_concurrent.zero_when_absent  # a burst may rise from nothing
    assert seen.limit is None
    assert seen.refused is None
    assert catalogue()["lambda"].signals["concurrency_scaling_rate"].documented("eu-west-1") == 1000


async def test_a_function_without_a_reservation_costs_one_metric() -> None:
    seen = of_functions(await with_functions("a", "b").seen(everything)).values()
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
    seen = of_functions(await aws.seen(everything))["function_provisioned_concurrency", "billing/live"]
    ratio = provisioned_utilization.of(FunctionName="billing", Resource="billing:live")
    assert seen.limit == 20
    assert seen.usage == Usage(Op.SUM, ((ratio, 20.0),))
    assert ratio.zero_when_absent  # an idle alias has no points
    assert seen.refused is None  # spilled-over invocations are served


@pytest.mark.parametrize("numbers", [{}, {"AllocatedProvisionedConcurrentExecutions": 0}])
async def test_what_is_not_allocated_yet_cannot_be_used(numbers: dict[str, int]) -> None:
    configs = provisioned("billing:live", RequestedProvisionedConcurrentExecutions=5, **numbers)
    aws = with_functions("billing", list_provisioned_concurrency_configs=configs)
    assert set(of_functions(await aws.seen(everything))) == {("concurrency_scaling_rate", "billing")}


async def test_every_page_of_functions_and_of_configurations_is_read() -> None:
    aws = with_functions(
        list_functions=[listed("a", NextMarker="more"), listed("b")],
        list_provisioned_concurrency_configs=[
            provisioned("f:one", AllocatedProvisionedConcurrentExecutions=1),
            provisioned("f:2", AllocatedProvisionedConcurrentExecutions=2),
        ],
    )
    seen = of_functions(await aws.seen(everything))
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
        get_account_settings=SETTINGS,
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
    assert set(of_functions(await aws.seen(everything))) == {
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
    assert aws.actions == set(COLLECTOR.actions)
    assert {signal for signal, _ in seen} == set(catalogue()["lambda"].signals)
    used = {
        metric.of()
        for one in seen.values()
        for formula in (one.usage, one.refused)
        if isinstance(formula, Usage)
        for metric, _ in formula.terms
    }
    assert used == set(COLLECTOR.metrics)
