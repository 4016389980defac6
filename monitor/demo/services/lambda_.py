"""Lambda: simulated, because moto lacks account settings and provisioned concurrency."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.inversion import MinuteFunction
from monitor.demo.metric import EVENTS, REPORTED_EACH_SECOND, DemoMetric, accepted_demand, excess_demand
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, RequestParams
from monitor.demo.services.quotas import quota_value
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFunction:
    """A function. traffic: its demand as a share of `concurrency`, which may be reserved or provisioned."""

    name: str
    concurrency: int
    traffic: Traffic
    reserved: bool = False
    provisioned: bool = False  # on the alias `live`
    seconds: float = 0.2  # duration of an invocation
    queue: str = ""  # name of the queue whose messages invoke the function

    def demand(self, minutes: Minutes) -> Float64s:
        """Return the demand in each minute, as a share of the concurrency."""
        return self.traffic.demand(self.name, minutes)

    def running_executions(self, minutes: Minutes) -> Float64s:
        """Return the concurrent executions in each minute, at most `concurrency` if that is reserved."""
        demand = self.demand(minutes)
        return np.round((accepted_demand(demand) if self.reserved else demand) * self.concurrency)

    def claimed_concurrency(self, minutes: Minutes) -> Float64s:
        """Return the running executions in each minute, but at least the reserved or provisioned ones."""
        floor = self.concurrency if self.reserved or self.provisioned else 0
        return np.maximum(self.running_executions(minutes), floor)

    def invocations(self, minutes: Minutes) -> Float64s:
        """Return the invocations in each minute."""
        return self.running_executions(minutes) * 60 / self.seconds

    def total_milliseconds(self, minutes: Minutes) -> Float64s:
        """Return the duration of all invocations of each minute together."""
        return self.invocations(minutes) * self.seconds * 1000

    def excess_invocations(self, minutes: Minutes) -> Float64s:
        """Return the invocations in each minute beyond the reserved or provisioned concurrency."""
        return excess_demand(self.demand(minutes)) * self.concurrency * 60 / self.seconds

    def throttles(self, minutes: Minutes) -> Float64s:
        """Return the throttled invocations in each minute; NaN without reserved concurrency."""
        return self.excess_invocations(minutes) if self.reserved else np.full(len(minutes), np.nan)

    def provisioned_utilization(self, minutes: Minutes) -> Float64s:
        """Return the used share of the provisioned concurrency in each minute."""
        return accepted_demand(self.demand(minutes))

    def provisioned_executions(self, minutes: Minutes) -> Float64s:
        """Return the executions on provisioned concurrency in each minute."""
        return np.round(self.provisioned_utilization(minutes) * self.concurrency)


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of the account and of all functions."""
    functions = region.resources_of(DemoFunction)
    unreserved = [function for function in functions if not function.reserved]
    yield DemoMetric(
        "AWS/Lambda",
        "ConcurrentExecutions",
        {},
        REPORTED_EACH_SECOND,
        total([function.running_executions for function in functions]),
    )
    yield DemoMetric(
        "AWS/Lambda",
        "ClaimedAccountConcurrency",
        {},
        REPORTED_EACH_SECOND,
        total([function.claimed_concurrency for function in functions]),
    )
    running = total([function.running_executions for function in unreserved])
    yield DemoMetric("AWS/Lambda", "UnreservedConcurrentExecutions", {}, REPORTED_EACH_SECOND, running)
    invocations = total([function.invocations for function in functions])
    yield DemoMetric("AWS/Lambda", "Invocations", {}, EVENTS, invocations)
    throttles = total([function.throttles for function in functions])
    yield DemoMetric("AWS/Lambda", "Throttles", {}, EVENTS, throttles)
    for function in functions:
        yield from function_metrics(function)


def total(parts: list[MinuteFunction]) -> MinuteFunction:
    """Return a function that adds up the values of `parts` in each minute; NaN where all are NaN."""

    def total_at(minutes: Minutes) -> Float64s:
        values = np.array([part(minutes) for part in parts])
        return np.where(np.isnan(values).all(axis=0), np.nan, np.nansum(values, axis=0))

    return total_at


def function_metrics(function: DemoFunction) -> Iterator[DemoMetric]:
    """Yield the metrics of a function."""
    dimensions = {"FunctionName": function.name}
    yield DemoMetric(
        "AWS/Lambda", "ConcurrentExecutions", dimensions, REPORTED_EACH_SECOND, function.running_executions
    )
    yield DemoMetric("AWS/Lambda", "Invocations", dimensions, EVENTS, function.invocations)
    yield DemoMetric("AWS/Lambda", "Throttles", dimensions, EVENTS, function.throttles)
    yield DemoMetric(
        "AWS/Lambda", "Duration", dimensions, EVENTS, function.total_milliseconds, function.invocations
    )
    if function.provisioned:
        alias = dimensions | {"Resource": f"{function.name}:live"}
        yield DemoMetric(
            "AWS/Lambda",
            "ProvisionedConcurrencyUtilization",
            alias,
            REPORTED_EACH_SECOND,
            function.provisioned_utilization,
        )
        yield DemoMetric(
            "AWS/Lambda",
            "ProvisionedConcurrentExecutions",
            alias,
            REPORTED_EACH_SECOND,
            function.provisioned_executions,
        )
        yield DemoMetric(
            "AWS/Lambda",
            "ProvisionedConcurrencySpilloverInvocations",
            alias,
            EVENTS,
            function.excess_invocations,
        )


def get_account_settings(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer GetAccountSettings."""
    functions = region.resources_of(DemoFunction)
    limit = int(quota_value(region, "L-B99A9384"))
    reserved = sum(function.concurrency for function in functions if function.reserved)
    return {
        "AccountLimit": {
            "TotalCodeSize": int(quota_value(region, "L-2ACBD22F")),
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": limit - reserved,
        },
        "AccountUsage": {"TotalCodeSize": 1_000_000 * len(functions), "FunctionCount": len(functions)},
    }


def list_functions(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer ListFunctions."""
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
            for function in region.resources_of(DemoFunction)
        ]
    }


def list_event_source_mappings(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer ListEventSourceMappings with the queues that invoke functions."""
    return {
        "EventSourceMappings": [
            {
                "UUID": f"00000000-0000-4000-8000-{number:012x}",
                "EventSourceArn": region.arn("sqs", function.queue),
                "FunctionArn": region.arn("lambda", f"function:{function.name}"),
                "BatchSize": 10,
                "State": "Enabled",
            }
            for number, function in enumerate(region.resources_of(DemoFunction))
            if function.queue
        ]
    }


def find_function(region: DemoRegion, params: RequestParams) -> DemoFunction:
    """Return the function that the parameters name. Raises AwsResponseError."""
    name = params["FunctionName"].rpartition("function:")[2]
    for function in region.resources_of(DemoFunction):
        if function.name == name:
            return function
    raise AwsResponseError("ResourceNotFoundException", f"Function not found: {name}")


def get_function_concurrency(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer GetFunctionConcurrency."""
    function = find_function(region, params)
    return {"ReservedConcurrentExecutions": function.concurrency} if function.reserved else {}


def list_provisioned(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListProvisionedConcurrencyConfigs."""
    function = find_function(region, params)
    config = {
        "FunctionArn": region.arn("lambda", f"function:{function.name}:live"),
        "RequestedProvisionedConcurrentExecutions": function.concurrency,
        "AvailableProvisionedConcurrentExecutions": function.concurrency,
        "AllocatedProvisionedConcurrentExecutions": function.concurrency,
        "Status": "READY",
        "LastModified": "2026-01-01T00:00:00+0000",
    }
    return {"ProvisionedConcurrencyConfigs": [config] if function.provisioned else []}


SERVICE = DemoService(
    name="lambda",
    metrics=metrics,
    operations={
        "GetAccountSettings": get_account_settings,
        "ListFunctions": list_functions,
        "ListEventSourceMappings": list_event_source_mappings,
        "GetFunctionConcurrency": get_function_concurrency,
        "ListProvisionedConcurrencyConfigs": list_provisioned,
    },
)
