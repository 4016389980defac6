"""Lambda: the concurrency of the account and of its functions, and its growth.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Metrics: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
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
    Resource,
    Unobservable,
    Usage,
    count_difference,
    highest,
    per_second,
    total,
)
from collectors.expression import ExpressionError
from collectors.lambda_cache import FunctionCache, ProvisionedConfig, ReservedFunctions
from collectors.readable_items import ReadableItems
from collectors.response_members import Members, is_number, is_text, members_of

REQUESTS_PER_ENVIRONMENT = 10  # per second
SCALING_STEPS = 12  # steps of ten seconds in two minutes, the maximum distance of two one-minute maxima

# The members of responses that are read.
ACCOUNT_LIMIT: Members = {"ConcurrentExecutions": is_number, "UnreservedConcurrentExecutions": is_number}
PROVISIONED_CONFIG: Members = {"FunctionArn": is_text, "AllocatedProvisionedConcurrentExecutions": is_number}

claimed_concurrency = Metric("AWS/Lambda", "ClaimedAccountConcurrency", "Maximum")
account_executions = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum")
unreserved_executions = Metric("AWS/Lambda", "UnreservedConcurrentExecutions", "Maximum")
invocations = Metric("AWS/Lambda", "Invocations", "Sum", zero_when_absent=True)
throttles = Metric("AWS/Lambda", "Throttles", "Sum", zero_when_absent=True)
# Idle functions publish no points. Counting these minutes as 0 shows the rise when a function starts to run.
function_executions = replace(account_executions, zero_when_absent=True)
provisioned_utilization = Metric(
    "AWS/Lambda", "ProvisionedConcurrencyUtilization", "Maximum", zero_when_absent=True
)

SCALING_ESTIMATE = Unobservable(
    "an estimate that is not judged: one-minute maxima do not show how much is added in ten seconds; where a "
    "function grows too fast, it is throttled below its other limits"
)


async def account_and_functions(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the account, then of the functions, and then of the account again.

    The throttles of the account depend on the reservations of the functions, so the account's series are
    first yielded with the cached reservations, and at the end with the current ones.
    """
    cache, failure = aws.state(FunctionCache), None
    items = aws.list_items("lambda", "ListFunctions", "Functions")
    readable_functions = ReadableItems(items, "functions", function_of)
    functions = readable_functions.items()
    try:
        first_function = await anext(functions, None)
    except Exception as error:  # raised again once the account's series are yielded
        first_function, failure = None, error
    may_have_functions = first_function or failure or readable_functions.unreadable_count
    if not (may_have_functions or await aws.is_in_use()):
        return
    aws.record_resource()
    settings = await aws.try_call("lambda", "GetAccountSettings")
    limits = members_of(settings.get("AccountLimit"), ACCOUNT_LIMIT)
    cache.set_total_reserved(total_reserved(limits))
    for observed in account_series(limits, cache.reserved_functions()):
        yield observed
    if failure:
        raise failure
    all_functions = [*filter(None, [first_function]), *[function async for function in functions]]
    cache.set_revisions(
        {function["FunctionName"]: function.get("RevisionId", "") for function in all_functions}
    )
    async for observed in function_series(aws, cache):
        yield observed
    for observed in account_series(limits, cache.reserved_functions()):
        yield observed
    readable_functions.check()


def function_of(item: Any) -> dict[str, Any] | None:
    """Return the members of a function in ListFunctions that are read; None if it has no name."""
    function = members_of(item, {"FunctionName": is_text, "RevisionId": is_text})
    return function if function.get("FunctionName") else None


async def function_series(aws: Aws, cache: FunctionCache) -> AsyncIterator[Observed]:
    """Yield the series of all functions: first those with cached results, then those that are queried now.

    Reservations are queried first, because the account's throttles depend on the reservations of all
    functions.
    """
    to_query = cache.functions_to_query(aws.now)
    queried = [name for name in to_query if aws.may_call_now(("reserved", name), function_resource(name))]
    for observed in cached_series(aws, cache, queried):
        yield observed
    async for name, reservation in aws.map(
        queried, partial(get_reserved_concurrency, aws), function_resource
    ):
        cache.record_reserved(name, reservation, aws.now)
        make = partial(reservation_series, name, reservation)
        for observed in aws.series(("reserved", name), reservation, make):
            yield observed
    async for observed in series_of_provisioned_concurrency(aws, cache, queried):
        yield observed
    waiting = {*to_query} - {*queried} - cache.by_name.keys()
    for name in waiting:
        aws.mark_waiting(function_resource(name))
    cache.is_complete = cache.is_complete or not waiting


def cached_series(aws: Aws, cache: FunctionCache, queried: Sequence[str]) -> Iterator[Observed]:
    """Yield the series of cached results. queried: functions that are queried now, and left out here."""
    for name in cache.revisions:
        yield from aws.series(("scaling", name), name, partial(scaling_series, name))
    for name, state in cache.results_except(queried):
        make = partial(reservation_series, name, state.reserved)
        yield from aws.series(("reserved", name), state.reserved, make, state.queried_at)
    for name, state in cache.results_except([*queried, *cache.functions_to_list()]):
        make = partial(provisioned_series, name, state.provisioned)
        yield from aws.series(("provisioned", name), state.provisioned, make)


async def series_of_provisioned_concurrency(
    aws: Aws, cache: FunctionCache, queried: Iterable[str]
) -> AsyncIterator[Observed]:
    """Yield the series of functions whose provisioned concurrency is to be listed again.

    A function that waits for its turn has the series of its cached list.

    queried: the functions whose reservation was queried, even if the query failed.
    """
    to_list = dict.fromkeys([*cache.functions_to_list(), *queried])
    listed = [name for name in to_list if aws.may_call_now(("provisioned", name), function_resource(name))]
    for name in to_list.keys() - listed:
        state = cache.by_name.get(name)
        if state is None or not state.is_listed:
            aws.mark_waiting(function_resource(name))
        for observed in provisioned_series(name, state.provisioned if state else ()):
            yield observed
    async for name, configs in aws.map(listed, partial(list_provisioned_configs, aws), function_resource):
        cache.record_provisioned(name, configs)
        make = partial(provisioned_series, name, configs)
        for observed in aws.series(("provisioned", name), configs, make):
            yield observed


def total_reserved(limits: Mapping[str, int]) -> int | None:
    """Return the total reserved concurrency from an `AccountLimit`; None if AWS does not return it."""
    concurrency = limits.get("ConcurrentExecutions")
    unreserved_limit = limits.get("UnreservedConcurrentExecutions")
    return None if concurrency is None or unreserved_limit is None else concurrency - unreserved_limit


def account_series(limits: Mapping[str, int], reserved: ReservedFunctions) -> Iterator[Observed]:
    """Yield the series of the account.

    reserved: the functions with a reservation. Their throttles are not throttles of the account.
    """
    concurrency = limits.get("ConcurrentExecutions")
    make_series = partial(
        Observed,
        resource=ACCOUNT,
        throttled=None if reserved.names is None else account_throttles(reserved.names),
        throttled_incomplete=not reserved.is_certain,
        served=per_second(invocations),
    )
    yield make_series(
        signal="account_concurrency",
        limit=concurrency,
        hard_limit=True,
        usage=highest(claimed_concurrency, account_executions),
    )
    yield make_series(
        signal="unreserved_concurrency",
        limit=limits.get("UnreservedConcurrentExecutions"),
        hard_limit=True,
        usage=highest(unreserved_executions),
    )
    yield make_series(
        signal="invoke_rate_sync",
        limit=None if concurrency is None else REQUESTS_PER_ENVIRONMENT * concurrency,
        usage=per_second(invocations, throttles),
    )


def function_resource(name: str) -> Resource:
    """Return the resource of a function."""
    return Resource("function", (name,))


def account_throttles(reserved_functions: Iterable[str]) -> Usage:
    """Return the account's throttles per second without those of its functions with a reservation."""
    function_throttles = [throttles.of(FunctionName=name) for name in reserved_functions]
    return count_difference(throttles, *function_throttles).scaled(PER_MINUTE)


async def get_reserved_concurrency(aws: Aws, name: str) -> int | None:
    """Get the reserved concurrency of a function; None when it has no reservation."""
    response = await aws.call("lambda", "GetFunctionConcurrency", FunctionName=name)
    reserved = response.get("ReservedConcurrentExecutions")
    if reserved is not None and not is_number(reserved):
        raise ExpressionError(f"expected a number of reserved executions, found {reserved!r}")
    return reserved


async def list_provisioned_configs(aws: Aws, name: str) -> list[ProvisionedConfig]:
    """List the provisioned concurrency of a function's aliases and versions.

    Raises UnreadableItemsError if a configuration has no ARN or no number.
    """
    key = "ProvisionedConcurrencyConfigs"
    configs = aws.list_items("lambda", "ListProvisionedConcurrencyConfigs", key, FunctionName=name)
    listed = ReadableItems(configs, "provisioned configurations", provisioned_config_of)
    readable_configs = [config async for config in listed.items()]
    listed.check()
    return readable_configs


def provisioned_config_of(item: Any) -> ProvisionedConfig | None:
    """Return the members of a provisioned configuration that are read; None if one is missing."""
    config = members_of(item, PROVISIONED_CONFIG)
    return config if config.keys() == PROVISIONED_CONFIG.keys() else None


def scaling_series(name: str) -> Iterator[Observed]:
    """Yield the series of the growth of a function's concurrency.

    Two one-minute maxima are up to two minutes apart. So in some period of ten seconds, concurrency grew by
    at least a twelfth of the rise, and at most by the whole rise. The function's Throttles mostly have other
    causes.
    """
    executions = function_executions.of(FunctionName=name)
    yield Observed(
        signal="concurrency_scaling_rate",
        resource=function_resource(name),
        usage=Usage(Op.RISE, ((executions, 1 / SCALING_STEPS),)),
        upper_bound=highest(executions),
        bounded_because=SCALING_ESTIMATE,
    )


def reservation_series(name: str, reservation: int | None) -> Iterator[Observed]:
    """Yield the series of a function with a reservation.

    A reservation of 0 stops the function, which then has no series. A reservation of 1 serializes executions
    on purpose: a deliberate cap.
    """
    if reservation:
        yield Observed(
            signal="function_reserved_concurrency",
            resource=function_resource(name),
            limit=reservation,
            hard_limit=True,
            deliberate=reservation == 1,
            usage=highest(function_executions.of(FunctionName=name)),
            throttled=per_second(throttles.of(FunctionName=name)),
            served=per_second(invocations.of(FunctionName=name)),
        )


def provisioned_series(name: str, configs: Iterable[ProvisionedConfig]) -> Iterator[Observed]:
    """Yield the series of the aliases and versions of a function with provisioned concurrency.

    Usage is Lambda's own utilization times the allocation read here, so that the utilization stays right when
    auto scaling changes the allocation between two inventories. Spillover is served, so it is not throttled.
    """
    for config in configs:
        alias = config["FunctionArn"].rpartition(":")[2]  # an alias or a version
        if allocated := config["AllocatedProvisionedConcurrentExecutions"]:
            utilization = provisioned_utilization.of(FunctionName=name, Resource=f"{name}:{alias}")
            yield Observed(
                signal="function_provisioned_concurrency",
                resource=function_resource(name).child("alias", alias),
                limit=allocated,
                usage=total(utilization).scaled(allocated),
            )


COLLECTOR = Collector(
    service="lambda",
    scans=(account_and_functions,),
    metrics=(
        claimed_concurrency,
        account_executions,
        unreserved_executions,
        invocations,
        throttles,
        function_executions,
        provisioned_utilization,
    ),
    iam_actions=(
        "lambda:GetAccountSettings",
        "lambda:ListFunctions",
        "lambda:GetFunctionConcurrency",
        "lambda:ListProvisionedConcurrencyConfigs",
    ),
    call_rates={"lambda": 13},  # of the 15 per second that all control-plane calls of an account share
    arns={"function": "arn:{partition}:lambda:{region}:{account_id}:function:{function}"},
)
