"""A collector of EC2 Auto Scaling in Python, whose series the declared collector must equal.

It yields the desired, actual and used capacity of groups, and the number of groups.
Sizes are in capacity units. A unit is an instance, unless the group has weights or counts vCPUs or memory.

Limits: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
Metrics: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html
"""

import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from collectors.base import (
    ACCOUNT,
    Aws,
    Bought,
    Collector,
    Metric,
    Observed,
    Resource,
    Unobservable,
    Usage,
    difference,
    highest,
)
from collectors.times import epoch_seconds
from rules.units import PERCENT

PAGE_SIZE = 100  # groups per page
TYPES_BY_SIZE = {"vcpu", "memory-mib"}  # values of DesiredCapacityType: units are not instances

desired = Metric("AWS/AutoScaling", "GroupDesiredCapacity", "Maximum")
max_size = Metric("AWS/AutoScaling", "GroupMaxSize", "Maximum")
in_service_instances = Metric("AWS/AutoScaling", "GroupInServiceInstances", "Minimum")
in_service_units = Metric("AWS/AutoScaling", "GroupInServiceCapacity", "Minimum")
cpu = Metric("AWS/EC2", "CPUUtilization", "Average", unit=PERCENT)
resource_count = Metric("AWS/Usage", "ResourceCount", "Maximum")

GROUP_COUNT = resource_count.of(
    Service="AutoScaling", Type="Resource", Resource="NumberOfAutoScalingGroup", Class="None"
)

Group = Mapping[str, Any]  # an AutoScalingGroup of the API


async def account(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the account: the number of its groups."""
    limits = await aws.try_call("autoscaling", "DescribeAccountLimits")
    count = limits.get("NumberOfAutoScalingGroups")
    yield Observed(
        signal="groups_per_region",
        resource=ACCOUNT,
        limit=limits.get("MaxNumberOfAutoScalingGroups"),
        usage=highest(GROUP_COUNT) if count is None else float(count),
    )


async def groups(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of all groups."""
    params: dict[str, Any] = {"MaxRecords": PAGE_SIZE, "IncludeInstances": False}
    async for group in aws.list_items(
        "autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups", **params
    ):
        for observed in group_series(group, aws.region):
            yield observed


def group_series(group: Group, region: str) -> Iterator[Observed]:
    """Yield the series of a group.

    Sizes are read for each minute if group metrics are enabled, otherwise from the API. The maximum of a
    group of fixed size is a deliberate cap. A group with a maximum of 0 has no limit that it could reach, and
    a group with a desired capacity of 0 has neither a shortfall nor CPU: these series are left out.
    """
    name = group["AutoScalingGroupName"]
    tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", ())}
    common: dict[str, Any] = {
        "resource": Resource("group", (name,)),
        "tags": tags,
        "created_at": epoch_seconds(group["CreatedTime"]),
    }
    if group["MaxSize"]:
        yield Observed(
            signal="group_max_size",
            limit=group["MaxSize"],
            published_limit=published_size(group, max_size) if are_enabled(group, desired) else None,
            hard_limit=True,
            deliberate=group["MinSize"] == group["MaxSize"],
            bought=Bought(minimum=group["MinSize"]),
            usage=published_size(group, desired) or float(group["DesiredCapacity"]),
            **common,
        )
    if group["DesiredCapacity"]:
        yield Observed(
            signal="capacity_shortfall",
            limit=group["DesiredCapacity"],
            published_limit=published_size(group, desired),
            usage=shortfall(group, region),
            **common,
        )
        yield Observed(signal="group_cpu_target", usage=highest(cpu.of(AutoScalingGroupName=name)), **common)


def published_size(group: Group, metric: Metric) -> Usage | None:
    """Return a size of a group as a CloudWatch metric; None if the metric is not enabled."""
    if not are_enabled(group, metric):
        return None
    return highest(metric.of(AutoScalingGroupName=group["AutoScalingGroupName"]))


def shortfall(group: Group, region: str) -> Usage | Unobservable:
    """Return the desired capacity that is not in service, by CloudWatch's metrics.

    The API cannot replace the metrics: it is read once in ten minutes, so capacity that cannot start looks
    like capacity that is starting.
    """
    name = group["AutoScalingGroupName"]
    in_service = in_service_units if is_weighted(group) else in_service_instances
    if are_enabled(group, desired, in_service):
        return difference(desired.of(AutoScalingGroupName=name), in_service.of(AutoScalingGroupName=name))
    command = ["aws", "autoscaling", "enable-metrics-collection", f"--auto-scaling-group-name={name}"]
    command += ["--granularity", "1Minute", "--metrics", desired.name, in_service.name, "--region", region]
    return Unobservable("group metrics are not enabled", shlex.join(command))


def are_enabled(group: Group, *metrics: Metric) -> bool:
    """Return whether all of these group metrics are enabled."""
    collected = {enabled.get("Metric") for enabled in group.get("EnabledMetrics", ())}
    return collected.issuperset(metric.name for metric in metrics)


def is_weighted(group: Group) -> bool:
    """Return whether a capacity unit is not an instance."""
    template = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    weights = [override.get("WeightedCapacity") for override in template.get("Overrides", ())]
    return any(weights) or group.get("DesiredCapacityType") in TYPES_BY_SIZE


COLLECTOR = Collector(
    service="autoscaling",
    scans=(account, groups),
    metrics=(desired, max_size, in_service_instances, in_service_units, cpu, resource_count),
    iam_actions=("autoscaling:DescribeAccountLimits", "autoscaling:DescribeAutoScalingGroups"),
)
