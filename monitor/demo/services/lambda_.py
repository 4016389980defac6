"""Lambda: answered from the declaration; moto knows neither account settings nor provisioned concurrency."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, PEAK, Emitted, accepted, refused
from monitor.demo.region import AwsError, Params, Region, Service
from monitor.demo.services.quotas import quota
from monitor.demo.traffic import Floats, Minutes, Traffic

Series = Callable[[Minutes], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function; `traffic` is a share of `concurrency`, which it may have reserved or provisioned."""

    name: str
    concurrency: int
    traffic: Traffic
    reserved: bool = False
    provisioned: bool = False  # on the alias `live`
    seconds: float = 0.2  # of one invocation

    def demand(self, minutes: Minutes) -> Floats:
        return self.traffic.at(self.name, minutes)

    def running(self, minutes: Minutes) -> Floats:
        """Concurrent executions: only a reservation holds them back."""
        demand = self.demand(minutes)
        return np.round((accepted(demand) if self.reserved else demand) * self.concurrency)

    def claimed(self, minutes: Minutes) -> Floats:
        """What the account counts as taken: reserved and provisioned concurrency even when idle."""
        floor = self.concurrency if self.reserved or self.provisioned else 0
        return np.maximum(self.running(minutes), floor)

    def invocations(self, minutes: Minutes) -> Floats:
        return self.running(minutes) * 60 / self.seconds

    def beyond(self, minutes: Minutes) -> Floats:
        """Invocations for which neither reserved nor provisioned concurrency was left."""
        return refused(self.demand(minutes)) * self.concurrency * 60 / self.seconds

    def throttles(self, minutes: Minutes) -> Floats:
        return self.beyond(minutes) if self.reserved else np.full(len(minutes), np.nan)

    def provisioned_use(self, minutes: Minutes) -> Floats:
        return accepted(self.demand(minutes))

    def provisioned_running(self, minutes: Minutes) -> Floats:
        return np.round(self.provisioned_use(minutes) * self.concurrency)


def emitted(region: Region) -> Iterator[Emitted]:
    functions = region.all(Function)
    unreserved = [function for function in functions if not function.reserved]
    yield Emitted("AWS/Lambda", "ConcurrentExecutions", {}, PEAK, total([f.running for f in functions]))
    yield Emitted("AWS/Lambda", "ClaimedAccountConcurrency", {}, PEAK, total([f.claimed for f in functions]))
    running = total([f.running for f in unreserved])
    yield Emitted("AWS/Lambda", "UnreservedConcurrentExecutions", {}, PEAK, running)
    yield Emitted("AWS/Lambda", "Invocations", {}, EVENTS, total([f.invocations for f in functions]))
    yield Emitted("AWS/Lambda", "Throttles", {}, EVENTS, total([f.throttles for f in functions]))
    for function in functions:
        yield from of_function(function)


def total(parts: list[Series]) -> Series:
    """The sum of those that have a value; none, when none has."""

    def at(minutes: Minutes) -> Floats:
        values = np.array([part(minutes) for part in parts])
        return np.where(np.isnan(values).all(axis=0), np.nan, np.nansum(values, axis=0))

    return at


def of_function(function: Function) -> Iterator[Emitted]:
    where = {"FunctionName": function.name}
    yield Emitted("AWS/Lambda", "ConcurrentExecutions", where, PEAK, function.running)
    yield Emitted("AWS/Lambda", "Invocations", where, EVENTS, function.invocations)
    yield Emitted("AWS/Lambda", "Throttles", where, EVENTS, function.throttles)
    if function.provisioned:
        alias = where | {"Resource": f"{function.name}:live"}
        yield Emitted(
            "AWS/Lambda", "ProvisionedConcurrencyUtilization", alias, PEAK, function.provisioned_use
        )
        yield Emitted(
            "AWS/Lambda", "ProvisionedConcurrentExecutions", alias, PEAK, function.provisioned_running
        )
        yield Emitted(
            "AWS/Lambda", "ProvisionedConcurrencySpilloverInvocations", alias, EVENTS, function.beyond
        )


def get_account_settings(region: Region, _: Params, __: float) -> Mapping[str, Any]:
    functions = region.all(Function)
    limit = int(quota(region, "L-B99A9384"))
    reserved = sum(function.concurrency for function in functions if function.reserved)
    return {
        "AccountLimit": {
            "TotalCodeSize": int(quota(region, "L-2ACBD22F")),
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": limit - reserved,
        },
        "AccountUsage": {"TotalCodeSize": 1_000_000 * len(functions), "FunctionCount": len(functions)},
    }


def list_functions(region: Region, _: Params, __: float) -> Mapping[str, Any]:
    return {
        "Functions": [
            {
                "FunctionName": function.name,
                "FunctionArn": region.arn("lambda", f"function:{function.name}"),
                "Runtime": "python3.13",
                "Handler": "main.handler",
                "CodeSize": 1_000_000,
                "Timeout": 30,
                "MemorySize": 512,
                "Version": "$LATEST",
                "State": "Active",
            }
            for function in region.all(Function)
        ]
    }


def found(region: Region, params: Params) -> Function:
    name = params["FunctionName"].rpartition("function:")[2]
    for function in region.all(Function):
        if function.name == name:
            return function
    raise AwsError("ResourceNotFoundException", f"Function not found: {name}")


def get_function_concurrency(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    function = found(region, params)
    return {"ReservedConcurrentExecutions": function.concurrency} if function.reserved else {}


def list_provisioned(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    function = found(region, params)
    config = {
        "FunctionArn": region.arn("lambda", f"function:{function.name}:live"),
        "RequestedProvisionedConcurrentExecutions": function.concurrency,
        "AvailableProvisionedConcurrentExecutions": function.concurrency,
        "AllocatedProvisionedConcurrentExecutions": function.concurrency,
        "Status": "READY",
        "LastModified": "2026-01-01T00:00:00+0000",
    }
    return {"ProvisionedConcurrencyConfigs": [config] if function.provisioned else []}


SERVICE = Service(
    name="lambda",
    emitted=emitted,
    answers={
        "GetAccountSettings": get_account_settings,
        "ListFunctions": list_functions,
        "GetFunctionConcurrency": get_function_concurrency,
        "ListProvisionedConcurrencyConfigs": list_provisioned,
    },
)
