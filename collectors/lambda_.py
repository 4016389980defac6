"""Lambda: concurrency of the account and of its functions, and how fast it is asked for.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Metrics: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from collectors.base import (
    ACCOUNT,
    PER_MINUTE,
    Aws,
    Collector,
    Metric,
    Observed,
    Op,
    Usage,
    difference,
    highest,
    per_second,
    total,
)

REQUESTS_PER_ENVIRONMENT = 10  # per second
TEN_SECONDS = 1 / 6  # weight that turns the rise in a minute into one per 10 seconds

claimed = Metric("AWS/Lambda", "ClaimedAccountConcurrency", "Maximum")
concurrent = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum")
unreserved = Metric("AWS/Lambda", "UnreservedConcurrentExecutions", "Maximum")
invocations = Metric("AWS/Lambda", "Invocations", "Sum", zero_when_absent=True)
throttles = Metric("AWS/Lambda", "Throttles", "Sum", zero_when_absent=True)
# Most functions are idle most of the time and have no points then; a rise starts at that zero.
function_concurrent = replace(concurrent, zero_when_absent=True)
provisioned_utilization = Metric(
    "AWS/Lambda", "ProvisionedConcurrencyUtilization", "Maximum", zero_when_absent=True
)

Config = dict[str, Any]  # a ProvisionedConcurrencyConfigListItem


async def everything(aws: Aws) -> AsyncIterator[Observed]:
    """The functions, then the account: whose refusals are its own is known once the functions are."""
    limits = (await aws.attempt("lambda", "GetAccountSettings")).get("AccountLimit", {})
    capped: list[str] = []
    try:
        async for observed in functions(aws, capped):
            yield observed
    except Exception:
        for observed in of_account(limits, ()):
            yield observed
        raise
    for observed in of_account(limits, capped):
        yield observed


async def functions(aws: Aws, capped: list[str]) -> AsyncIterator[Observed]:
    """Each function's series; those capped by a reservation are added to `capped`."""
    listed = aws.pages("lambda", "ListFunctions", "Functions")
    names = [str(function["FunctionName"]) async for function in listed]
    for name in names:
        yield scaling(name)
    async for name, reserved in aws.each(names, partial(reserved_concurrency, aws), str):
        if reserved is not None:
            capped.append(name)
        if reserved:  # 0 stops the function: it has no limit to run into
            yield of_reserved(name, reserved)
    async for name, configs in aws.each(names, partial(provisioned_concurrency, aws), str):
        for config in configs:
            if config.get("AllocatedProvisionedConcurrentExecutions"):
                yield of_provisioned(name, config)


def of_account(limits: Mapping[str, int], capped: Iterable[str]) -> Iterator[Observed]:
    """The account's series. What functions are refused by their own reservation is not the account's lack."""
    concurrency = limits.get("ConcurrentExecutions")
    own = [throttles.of(FunctionName=name) for name in sorted(capped)]
    refused = difference(throttles, *own).scaled(PER_MINUTE)
    yield Observed(
        signal="account_concurrency",
        resource=ACCOUNT,
        limit=concurrency,
        usage=highest(claimed, concurrent),
        refused=refused,
    )
    yield Observed(
        signal="unreserved_concurrency",
        resource=ACCOUNT,
        limit=limits.get("UnreservedConcurrentExecutions"),
        usage=highest(unreserved),
        refused=refused,
    )
    yield Observed(
        signal="invoke_rate_sync",
        resource=ACCOUNT,
        limit=None if concurrency is None else REQUESTS_PER_ENVIRONMENT * concurrency,
        usage=per_second(invocations, throttles),
        refused=refused,
    )


async def reserved_concurrency(aws: Aws, name: str) -> int | None:
    answer = await aws.call("lambda", "GetFunctionConcurrency", FunctionName=name)
    reserved: int | None = answer.get("ReservedConcurrentExecutions")
    return reserved


async def provisioned_concurrency(aws: Aws, name: str) -> list[Config]:
    key = "ProvisionedConcurrencyConfigs"
    configs = aws.pages("lambda", "ListProvisionedConcurrencyConfigs", key, FunctionName=name)
    return [config async for config in configs]


def scaling(name: str) -> Observed:
    """How fast a function grows. Its Throttles say nothing of it: mostly, other limits are their cause."""
    return Observed(
        signal="concurrency_scaling_rate",
        resource=name,
        usage=Usage(Op.RISE, ((function_concurrent.of(FunctionName=name), TEN_SECONDS),)),
    )


def of_reserved(name: str, reserved: int) -> Observed:
    return Observed(
        signal="function_reserved_concurrency",
        resource=name,
        limit=reserved,
        usage=highest(function_concurrent.of(FunctionName=name)),
        refused=per_second(throttles.of(FunctionName=name)),
    )


def of_provisioned(name: str, config: Config) -> Observed:
    """Lambda's own ratio times the allocation read here, so that the ratio stays true when auto scaling
    changes the allocation between two inventories. Spillover is served, so it is not refused demand."""
    alias = config["FunctionArn"].rpartition(":")[2]  # or a version
    allocated = config["AllocatedProvisionedConcurrentExecutions"]
    ratio = provisioned_utilization.of(FunctionName=name, Resource=f"{name}:{alias}")
    return Observed(
        signal="function_provisioned_concurrency",
        resource=f"{name}/{alias}",
        limit=allocated,
        usage=total(ratio).scaled(allocated),
    )


COLLECTOR = Collector(
    service="lambda",
    parts=(everything,),
    metrics=(
        claimed,
        concurrent,
        unreserved,
        invocations,
        throttles,
        function_concurrent,
        provisioned_utilization,
    ),
    actions=(
        "lambda:GetAccountSettings",
        "lambda:ListFunctions",
        "lambda:GetFunctionConcurrency",
        "lambda:ListProvisionedConcurrencyConfigs",
    ),
    rates={"lambda": 10},  # of the 15 per second that all control-plane calls of an account share
)
