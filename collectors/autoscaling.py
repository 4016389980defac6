"""EC2 Auto Scaling: what groups want, get and use, and how many groups there are.

Sizes are in capacity units: instances, unless the group weighs them or is sized in vCPUs or memory.

Limits: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
Metrics: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html
"""

import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from collectors.base import (
    ACCOUNT,
    Aws,
    Collector,
    Metric,
    Observed,
    Unobservable,
    Usage,
    difference,
    highest,
)

PAGE = 100  # groups
IN_UNITS = {"vcpu", "memory-mib"}  # the DesiredCapacityTypes that do not count instances

desired = Metric("AWS/AutoScaling", "GroupDesiredCapacity", "Maximum")
in_service_instances = Metric("AWS/AutoScaling", "GroupInServiceInstances", "Minimum")
in_service_units = Metric("AWS/AutoScaling", "GroupInServiceCapacity", "Minimum")
cpu = Metric("AWS/EC2", "CPUUtilization", "Average")
resources = Metric("AWS/Usage", "ResourceCount", "Maximum")

GROUP_COUNT = resources.of(
    Service="AutoScaling", Type="Resource", Resource="NumberOfAutoScalingGroup", Class="None"
)

Group = Mapping[str, Any]  # an AutoScalingGroup


async def account(aws: Aws) -> AsyncIterator[Observed]:
    limits = await aws.attempt("autoscaling", "DescribeAccountLimits")
    count = limits.get("NumberOfAutoScalingGroups")
    yield Observed(
        signal="groups_per_region",
        resource=ACCOUNT,
        limit=limits.get("MaxNumberOfAutoScalingGroups"),
        usage=highest(GROUP_COUNT) if count is None else float(count),
    )


async def groups(aws: Aws) -> AsyncIterator[Observed]:
    asked = {"MaxRecords": PAGE, "IncludeInstances": False}
    async for group in aws.pages("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups", **asked):
        for observed in of_group(group, aws.region):
            yield observed


def of_group(group: Group, region: str) -> Iterator[Observed]:
    """A group that may have no instances has no limit to run into, and one that wants none lacks none and
    has no CPU: it has no such series."""
    name = group["AutoScalingGroupName"]
    tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", ())}
    if group["MaxSize"]:
        yield Observed(
            signal="group_max_size",
            resource=name,
            limit=group["MaxSize"],
            usage=desired_capacity(group),
            tags=tags,
        )
    if group["DesiredCapacity"]:
        yield Observed(
            signal="capacity_shortfall",
            resource=name,
            limit=group["DesiredCapacity"],
            usage=shortfall(group, region),
            tags=tags,
        )
        yield Observed(
            signal="group_cpu_target",
            resource=name,
            usage=highest(cpu.of(AutoScalingGroupName=name)),
            tags=tags,
        )


def desired_capacity(group: Group) -> Usage | float:
    """As it was each minute where group metrics tell, else as the API tells now."""
    if enabled(group, desired):
        return highest(desired.of(AutoScalingGroupName=group["AutoScalingGroupName"]))
    return float(group["DesiredCapacity"])


def shortfall(group: Group, region: str) -> Usage | Unobservable:
    """The API's instances do not stand in for the metric: one look in ten minutes cannot tell capacity that
    is missing from capacity that is just starting."""
    name = group["AutoScalingGroupName"]
    in_service = in_service_units if weighted(group) else in_service_instances
    if enabled(group, desired, in_service):
        return difference(desired.of(AutoScalingGroupName=name), in_service.of(AutoScalingGroupName=name))
    command = ["aws", "autoscaling", "enable-metrics-collection", "--auto-scaling-group-name", name]
    command += ["--granularity", "1Minute", "--metrics", desired.name, in_service.name, "--region", region]
    return Unobservable("group metrics are not enabled", shlex.join(command))


def enabled(group: Group, *metrics: Metric) -> bool:
    """Whether all of these group metrics are collected."""
    collected = {one.get("Metric") for one in group.get("EnabledMetrics", ())}
    return collected.issuperset(metric.name for metric in metrics)


def weighted(group: Group) -> bool:
    """Whether capacity units are something else than instances."""
    template = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    weights = [one.get("WeightedCapacity") for one in template.get("Overrides", ())]
    return any(weights) or group.get("DesiredCapacityType") in IN_UNITS


COLLECTOR = Collector(
    service="autoscaling",
    parts=(account, groups),
    metrics=(desired, in_service_instances, in_service_units, cpu, resources),
    actions=("autoscaling:DescribeAccountLimits", "autoscaling:DescribeAutoScalingGroups"),
)
