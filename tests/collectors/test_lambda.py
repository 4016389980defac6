"""Lambda: the concurrency of the account and of its functions, reservations and throttles."""

import time
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from collectors.base import PER_MINUTE, Observed, Op, Usage, count_difference, highest, per_second
from collectors.lambda_ import (
    COLLECTOR,
    account_and_functions,
    account_executions,
    claimed_concurrency,
    function_executions,
    invocations,
    provisioned_utilization,
    throttles,
    unreserved_executions,
)
from collectors.lambda_cache import (
    MAX_ASSUMED_RESERVATIONS,
    MAX_INVENTORIES_TO_REFRESH_ALL,
    MIN_CACHE_SECONDS,
    MIN_REFRESHED_FUNCTIONS,
)
from tests.fake_aws import FakeAws, denied
from tests.registries import REGISTRY

ARN = "arn:aws:lambda:eu-west-1:123456789012:function"
SETTINGS = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 700}}
ALL_THROTTLES = per_second(throttles)
NO_PROVISIONED_CONFIGS: dict[str, Any] = {"ProvisionedConcurrencyConfigs": []}


def function_list(*names: str, **more: str) -> dict[str, Any]:
    """Return a response of ListFunctions."""
    return {"Functions": [{"FunctionName": name, "FunctionArn": f"{ARN}:{name}"} for name in names], **more}


def provisioned_configs(qualified: str, **numbers: int) -> dict[str, Any]:
    """Return a response of ListProvisionedConcurrencyConfigs. qualified: function and version."""
    return {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{ARN}:{qualified}", **numbers}]}


def aws_with_functions(*names: str, **answers: Any) -> FakeAws:
    """Return an AWS with these functions, which have no reservation. answers: those that differ."""
    defaults = {
        "get_function_concurrency": {},
        "list_provisioned_concurrency_configs": NO_PROVISIONED_CONFIGS,
    }
    return FakeAws(**{"list_functions": function_list(*names), **defaults, **answers})


def series_of_functions(series: dict[tuple[str, str], Observed]) -> dict[tuple[str, str], Observed]:
    """Return the series of functions, without those of the account."""
    return {(signal, name): observed for (signal, name), observed in series.items() if name != ""}


async def test_the_usage_of_the_account_is_the_higher_of_claimed_and_running_concurrency() -> None:
    series = (await aws_with_functions(get_account_settings=SETTINGS).run_scan(account_and_functions))[
        "account_concurrency", ""
    ]
    assert series.limit == 1000
    assert series.usage == highest(claimed_concurrency, account_executions)
    assert series.throttled == ALL_THROTTLES


async def test_unreserved_concurrency_has_its_own_limit() -> None:
    series = (await aws_with_functions(get_account_settings=SETTINGS).run_scan(account_and_functions))[
        "unreserved_concurrency", ""
    ]
    assert series.limit == 700
    assert series.usage == highest(unreserved_executions)
    assert series.throttled == ALL_THROTTLES


async def test_the_request_limit_is_ten_per_unit_of_concurrency_and_throttled_requests_are_demand() -> None:
    series = (await aws_with_functions(get_account_settings=SETTINGS).run_scan(account_and_functions))[
        "invoke_rate_sync", ""
    ]
    assert series.limit == 10_000
    assert series.usage == per_second(invocations, throttles)
    assert series.throttled == ALL_THROTTLES


@pytest.mark.parametrize("answer", [None, {}, {"AccountLimit": {}}])
async def test_the_account_has_series_though_its_settings_cannot_be_read(answer: Any) -> None:
    aws = aws_with_functions(get_account_settings=answer)
    series = await aws.run_scan(account_and_functions)
    assert {signal: observed.limit for (signal, _), observed in series.items()} == {
        "account_concurrency": None,
        "unreserved_concurrency": None,
        "invoke_rate_sync": None,
    }
    operations = [failure.operation for failure in aws.scan.failures]
    assert operations == ([] if answer is not None else ["GetAccountSettings"])


async def test_throttling_by_a_reservation_does_not_saturate_the_account() -> None:
    reserved = {"capped": 5, "stopped": 0}
    aws = aws_with_functions(
        "capped",
        "free",
        "stopped",
        get_account_settings=SETTINGS,
        get_function_concurrency=lambda FunctionName: (
            {"ReservedConcurrentExecutions": reserved[FunctionName]} if FunctionName in reserved else {}
        ),
    )
    series = await aws.run_scan(account_and_functions)
    function_throttles = [throttles.of(FunctionName=name) for name in reserved]
    assert {observed.throttled for (_, resource), observed in series.items() if resource == ""} == {
        count_difference(throttles, *function_throttles).scaled(PER_MINUTE)
    }


async def account_series_before_error(aws: FakeAws) -> dict[str, Observed]:
    """Return the series of the account that a scan yields before it ends with an error."""
    series = {}
    with pytest.raises(ClientError):
        async for observed in account_and_functions(aws.scan):
            series[observed.signal] = observed
    return series


# If all 1000 are unreserved, there are no reservations that could be unknown.
@pytest.mark.parametrize(("unreserved_limit", "throttled"), [(1000, ALL_THROTTLES), (700, None)])
async def test_throttling_of_the_account_is_unknown_while_its_reservations_are_unknown(
    unreserved_limit: int, throttled: Usage | None
) -> None:
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved_limit}
    aws = FakeAws(get_account_settings={"AccountLimit": limits}, list_functions=denied("ListFunctions"))
    series = await account_series_before_error(aws)
    assert {signal: (observed.limit, observed.throttled) for signal, observed in series.items()} == {
        "account_concurrency": (1000, throttled),
        "unreserved_concurrency": (unreserved_limit, throttled),
        "invoke_rate_sync": (10_000, throttled),
    }
    assert {observed.throttled_incomplete for observed in series.values()} == {throttled is None}


@pytest.mark.parametrize("operation", ["list_functions", "get_function_concurrency"])
async def test_known_reservations_stay_when_a_call_fails_once(operation: str) -> None:
    aws = aws_with_functions(
        "capped", get_account_settings=SETTINGS, get_function_concurrency={"ReservedConcurrentExecutions": 5}
    )
    before = (await aws.run_scan(account_and_functions))["account_concurrency", ""]
    aws.answers[operation] = denied(operation)
    aws.now = MIN_CACHE_SECONDS + time.time()  # so that functions are queried again
    if operation == "list_functions":
        after = (await account_series_before_error(aws))["account_concurrency"]
    else:
        after = (await aws.run_scan(account_and_functions))["account_concurrency", ""]
        assert aws.scan.failures
    assert after.throttled == before.throttled
    assert not after.throttled_incomplete
    assert after.throttled == count_difference(throttles, throttles.of(FunctionName="capped")).scaled(
        PER_MINUTE
    )


async def test_a_function_that_cannot_be_queried_is_assumed_to_have_a_reservation() -> None:
    """The throttled demand of the account is then a lower bound, and reported as incomplete."""
    aws = aws_with_functions(
        "secret", get_account_settings=SETTINGS, get_function_concurrency=denied("GetFunctionConcurrency")
    )
    series = (await aws.run_scan(account_and_functions))["account_concurrency", ""]
    assert series.throttled == count_difference(throttles, throttles.of(FunctionName="secret")).scaled(
        PER_MINUTE
    )
    assert series.throttled_incomplete


async def test_many_functions_that_cannot_be_queried_make_the_accounts_throttling_unknown() -> None:
    aws = aws_with_functions(
        *map(str, range(MAX_ASSUMED_RESERVATIONS + 1)),
        get_account_settings=SETTINGS,
        get_function_concurrency=None,
    )
    series = (await aws.run_scan(account_and_functions))["account_concurrency", ""]
    assert (series.throttled, series.throttled_incomplete) == (None, True)


def is_about_function(call: str) -> bool:
    """Return whether a call is about a single function."""
    return call in ("lambda:GetFunctionConcurrency", "lambda:ListProvisionedConcurrencyConfigs")


@pytest.mark.parametrize(
    ("functions", "unreserved_limit", "first_calls", "second_calls"),
    [
        (0, 1000, 0, 0),
        (20, 1000, 40, 0),
        # Even if no concurrency is reserved, a function may have a reservation of 0, which stops it. So each
        # scan makes two calls about each of 34 functions, a twelfth of them.
        (400, 1000, 68, 68),
        (0, 700, 0, 0),
        (20, 700, 40, 0),
        (400, 700, 800, 0),
    ],
)
async def test_reservations_that_are_known_are_not_requested_again(
    functions: int, unreserved_limit: int, first_calls: int, second_calls: int
) -> None:
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved_limit}
    aws = aws_with_functions(*map(str, range(functions)), get_account_settings={"AccountLimit": limits})
    counts = []
    for _ in range(2):
        aws.calls.clear()
        await aws.run_scan(account_and_functions)
        counts.append(sum(map(is_about_function, aws.calls)))
    assert counts == [first_calls, second_calls]


async def queried_functions(aws: FakeAws) -> list[str]:
    """Run a scan; return the functions whose reservation it queries, in order. No function has one."""
    queried = []

    def concurrency(FunctionName: str) -> dict[str, Any]:
        queried.append(FunctionName)
        return {}

    aws.answers["get_function_concurrency"] = concurrency
    await aws.run_scan(account_and_functions)
    return queried


async def test_new_functions_are_queried_first_and_then_changed_functions() -> None:
    aws = aws_with_functions("a", "b", get_account_settings=SETTINGS)
    assert await queried_functions(aws) == ["a", "b"]
    functions = [*function_list("a", "b", "c")["Functions"]]
    functions[0]["RevisionId"] = "another"
    aws.answers["list_functions"] = {"Functions": functions}
    assert await queried_functions(aws) == ["c", "a"]
    assert await queried_functions(aws) == []


async def test_all_functions_are_queried_again_when_the_reserved_total_changes() -> None:
    aws = aws_with_functions("a", "b", get_account_settings=SETTINGS)
    await queried_functions(aws)
    more_reserved = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 600}
    aws.answers["get_account_settings"] = {"AccountLimit": more_reserved}
    assert await queried_functions(aws) == ["a", "b"]


async def test_every_function_is_queried_again_after_a_while_without_a_new_revision() -> None:
    names = [f"{number:03}" for number in range(120)]
    aws = aws_with_functions(*names, get_account_settings=SETTINGS)
    aws.now = 1_000_000.0
    await queried_functions(aws)
    refreshed = set[str]()
    for _ in range(MAX_INVENTORIES_TO_REFRESH_ALL):
        aws.now += MIN_CACHE_SECONDS
        queried = await queried_functions(aws)
        assert len(queried) == MIN_REFRESHED_FUNCTIONS
        refreshed |= set(queried)
    assert refreshed == set(names)


async def test_known_reservations_are_observed_at_every_inventory_without_a_call() -> None:
    aws = aws_with_functions(
        "billing",
        get_account_settings=SETTINGS,
        get_function_concurrency={"ReservedConcurrentExecutions": 50},
        list_provisioned_concurrency_configs=provisioned_configs(
            "billing:live", AllocatedProvisionedConcurrentExecutions=20
        ),
    )
    first = await aws.run_scan(account_and_functions)
    aws.calls.clear()
    second = await aws.run_scan(account_and_functions)
    assert {key: replace(observed, limit_read_at=None) for key, observed in second.items()} == first
    assert second["function_reserved_concurrency", "billing"].limit_read_at is not None
    assert not any(map(is_about_function, aws.calls))


async def test_the_account_is_observed_before_any_function_is_queried() -> None:
    aws, signals = aws_with_functions("a", "b", get_account_settings=SETTINGS), []
    async for observed in account_and_functions(aws.scan):
        signals.append(observed.signal)
        if len(signals) == 3:
            break
    assert signals == ["account_concurrency", "unreserved_concurrency", "invoke_rate_sync"]
    assert not any(map(is_about_function, aws.calls))


async def test_the_concurrency_of_the_account_is_not_zero_when_its_points_are_missing() -> None:
    assert not any(
        metric.zero_when_absent for metric in (claimed_concurrency, account_executions, unreserved_executions)
    )


async def test_a_reservation_is_the_limit_of_its_function() -> None:
    aws = aws_with_functions("billing", get_function_concurrency={"ReservedConcurrentExecutions": 50})
    series = series_of_functions(await aws.run_scan(account_and_functions))[
        "function_reserved_concurrency", "billing"
    ]
    assert series.limit == 50
    assert series.usage == highest(function_executions.of(FunctionName="billing"))
    assert series.throttled == per_second(throttles.of(FunctionName="billing"))


@pytest.mark.parametrize(("reserved", "is_deliberate"), [(1, True), (2, False)])
async def test_a_reservation_of_one_is_a_deliberate_cap(reserved: int, is_deliberate: bool) -> None:
    aws = aws_with_functions(
        "ledger-writer", get_function_concurrency={"ReservedConcurrentExecutions": reserved}
    )
    series = (await aws.run_scan(account_and_functions))["function_reserved_concurrency", "ledger-writer"]
    assert series.deliberate is is_deliberate
    assert series.throttled == per_second(throttles.of(FunctionName="ledger-writer"))


@pytest.mark.parametrize("answer", [{}, {"ReservedConcurrentExecutions": 0}])
async def test_a_function_without_a_reservation_or_with_a_reservation_of_0_has_no_limit(answer: Any) -> None:
    aws = aws_with_functions("billing", get_function_concurrency=answer)
    assert set(series_of_functions(await aws.run_scan(account_and_functions))) == {
        ("concurrency_scaling_rate", "billing")
    }


async def test_the_rise_of_a_functions_concurrency_can_only_be_estimated() -> None:
    """Maxima of successive minutes are up to 120 s apart; the whole rise may have come in ten seconds."""
    series = (await aws_with_functions("billing").run_scan(account_and_functions))[
        "concurrency_scaling_rate", "billing"
    ]
    running = function_executions.of(FunctionName="billing")
    assert series.usage == Usage(Op.RISE, ((running, 1 / 12),))
    assert series.upper_bound == highest(running)
    assert series.bounded_because and "estimate" in series.bounded_because.reason
    assert function_executions.zero_when_absent  # a burst may rise from 0
    assert series.limit is None
    assert series.throttled is None
    assert REGISTRY.services["lambda"].signals["concurrency_scaling_rate"].default_limit("eu-west-1") == 1000


async def test_a_function_without_a_reservation_needs_one_metric() -> None:
    series = series_of_functions(await aws_with_functions("a", "b").run_scan(account_and_functions)).values()
    requested = {
        metric
        for observed in series
        for formula in (observed.usage, observed.throttled)
        if isinstance(formula, Usage)
        for metric in formula.metrics
    }
    assert requested == {function_executions.of(FunctionName=name) for name in ("a", "b")}


async def test_the_usage_of_provisioned_concurrency_is_lambdas_ratio_times_the_allocation() -> None:
    aws = aws_with_functions(
        "billing",
        list_provisioned_concurrency_configs=provisioned_configs(
            "billing:live", AllocatedProvisionedConcurrentExecutions=20
        ),
    )
    series = series_of_functions(await aws.run_scan(account_and_functions))[
        "function_provisioned_concurrency", "billing/live"
    ]
    ratio = provisioned_utilization.of(FunctionName="billing", Resource="billing:live")
    assert series.limit == 20
    assert series.usage == Usage(Op.SUM, ((ratio, 20.0),))
    assert ratio.zero_when_absent  # an idle alias has no points
    assert series.throttled is None  # spilled-over invocations are served


@pytest.mark.parametrize("numbers", [{}, {"AllocatedProvisionedConcurrentExecutions": 0}])
async def test_provisioned_concurrency_that_is_not_allocated_yet_has_no_series(
    numbers: dict[str, int],
) -> None:
    configs = provisioned_configs("billing:live", RequestedProvisionedConcurrentExecutions=5, **numbers)
    aws = aws_with_functions("billing", list_provisioned_concurrency_configs=configs)
    assert set(series_of_functions(await aws.run_scan(account_and_functions))) == {
        ("concurrency_scaling_rate", "billing")
    }


async def test_every_page_of_functions_and_of_configurations_is_read() -> None:
    aws = aws_with_functions(
        list_functions=[function_list("a", NextMarker="more"), function_list("b")],
        list_provisioned_concurrency_configs=[
            provisioned_configs("f:one", AllocatedProvisionedConcurrentExecutions=1),
            provisioned_configs("f:2", AllocatedProvisionedConcurrentExecutions=2),
        ],
    )
    series = series_of_functions(await aws.run_scan(account_and_functions))
    assert {resource for signal, resource in series if signal == "function_provisioned_concurrency"} == {
        "a/one",
        "a/2",
        "b/one",
        "b/2",
    }


async def test_a_function_that_cannot_be_queried_affects_only_its_own_series() -> None:
    aws = aws_with_functions(
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
            else provisioned_configs("secret:live", AllocatedProvisionedConcurrentExecutions=1)
        ),
    )
    assert set(series_of_functions(await aws.run_scan(account_and_functions))) == {
        ("concurrency_scaling_rate", "orders"),
        ("concurrency_scaling_rate", "secret"),
        ("function_provisioned_concurrency", "secret/live"),
        ("function_reserved_concurrency", "orders"),
    }
    assert [(failure.operation, failure.resource) for failure in aws.scan.failures] == [
        ("GetFunctionConcurrency", "secret"),
        ("ListProvisionedConcurrencyConfigs", "orders"),
    ]


async def test_the_collector_declares_exactly_the_permissions_and_metrics_that_it_uses() -> None:
    configs = provisioned_configs("billing:live", AllocatedProvisionedConcurrentExecutions=20)
    aws = aws_with_functions(
        "billing",
        get_account_settings=SETTINGS,
        get_function_concurrency={"ReservedConcurrentExecutions": 50},
        list_provisioned_concurrency_configs=configs,
    )
    series = await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
    assert {signal for signal, _ in series} == set(REGISTRY.services["lambda"].signals)
    used_metrics = {
        metric.of()
        for observed in series.values()
        for formula in (observed.usage, observed.throttled)
        if isinstance(formula, Usage)
        for metric in formula.metrics
    }
    assert used_metrics == set(COLLECTOR.metrics)
