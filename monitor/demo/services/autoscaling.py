"""Auto Scaling: all operations are simulated, because the size of a group follows its load."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, REPORTED_EACH_MINUTE, DemoMetric
from monitor.demo.region import DemoRegion, DemoService, RequestParams
from monitor.demo.services.quotas import quota_value
from monitor.demo.traffic import Minutes, Traffic, constant
from rules.arrays import Float64s

REQUESTS_PER_UNIT = 40 * 60  # requests per minute from a load balancer to a capacity unit


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGroup:
    """A group. load: the load as a share of its maximum size. cpu: the CPU utilization of its instances.

    load_balancer, target_group: the ids of the load balancer that sends requests to the group, and of its
    target group; empty if there is none.
    """

    name: str
    minimum: int
    maximum: int
    load: Traffic
    cpu: Traffic
    weight: int = 1  # capacity units of one instance
    missing: int = 0  # units that AWS cannot launch
    metrics: bool = True  # group metrics are enabled
    target: float | None = None  # CPU utilization of the target-tracking policy, in percent
    load_balancer: str = ""
    target_group: str = ""

    def requests(self, minutes: Minutes) -> Float64s:
        """Return the requests from the load balancer in each minute."""
        return self.load.demand(self.name, minutes) * self.maximum * REQUESTS_PER_UNIT

    def desired_capacity(self, minutes: Minutes) -> Float64s:
        """Return the desired capacity in each minute, in capacity units."""
        needed: Float64s = (
            np.ceil(self.load.demand(self.name, minutes) * self.maximum / self.weight) * self.weight
        )
        return np.minimum(np.maximum(needed, self.minimum), self.maximum)

    def capacity_in_service(self, minutes: Minutes) -> Float64s:
        """Return the capacity in service in each minute, in capacity units."""
        return np.maximum(self.desired_capacity(minutes) - self.missing, 0)


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all groups."""
    groups = region.resources_of(DemoGroup)
    count_dimensions = {
        "Service": "AutoScaling",
        "Type": "Resource",
        "Resource": "NumberOfAutoScalingGroup",
        "Class": "None",
    }
    yield DemoMetric(
        "AWS/Usage", "ResourceCount", count_dimensions, REPORTED_EACH_MINUTE, constant(len(groups))
    )
    for group in groups:
        dimensions = {"AutoScalingGroupName": group.name}
        yield DemoMetric(
            "AWS/EC2", "CPUUtilization", dimensions, REPORTED_EACH_MINUTE, cpu_utilization(group)
        )
        if group.load_balancer:
            balancer = {"LoadBalancer": group.load_balancer}
            yield DemoMetric("AWS/ApplicationELB", "RequestCount", balancer, EVENTS, group.requests)
        if group.metrics:
            for name, value_at in group_metrics(group).items():
                yield DemoMetric("AWS/AutoScaling", name, dimensions, REPORTED_EACH_MINUTE, value_at)


def cpu_utilization(group: DemoGroup) -> Callable[[Minutes], Float64s]:
    """Return the CPU utilization of a group, in percent, as a function of the minute."""
    return lambda minutes: np.minimum(100 * group.cpu.demand(group.name + "/cpu", minutes), 100.0)


def group_metrics(group: DemoGroup) -> Mapping[str, Callable[[Minutes], Float64s]]:
    """Return the group metrics by name: capacities in units, and numbers of instances."""
    return {
        "GroupMinSize": constant(group.minimum),
        "GroupMaxSize": constant(group.maximum),
        "GroupDesiredCapacity": group.desired_capacity,
        "GroupInServiceInstances": lambda minutes: group.capacity_in_service(minutes) / group.weight,
        "GroupPendingInstances": lambda minutes: (
            (group.desired_capacity(minutes) - group.capacity_in_service(minutes)) / group.weight
        ),
        "GroupTerminatingInstances": constant(0),
        "GroupTotalInstances": lambda minutes: group.desired_capacity(minutes) / group.weight,
        "GroupInServiceCapacity": group.capacity_in_service,
        "GroupPendingCapacity": lambda minutes: (
            group.desired_capacity(minutes) - group.capacity_in_service(minutes)
        ),
        "GroupTotalCapacity": group.desired_capacity,
    }


def describe_groups(region: DemoRegion, params: RequestParams, now: float) -> Mapping[str, Any]:
    """Answer DescribeAutoScalingGroups."""
    names = params.get("AutoScalingGroupNames") or [group.name for group in region.resources_of(DemoGroup)]
    minute = np.array([region.minute(now)])
    return {
        "AutoScalingGroups": [
            group_description(region, group, minute)
            for group in region.resources_of(DemoGroup)
            if group.name in names
        ]
    }


def group_description(region: DemoRegion, group: DemoGroup, minute: Minutes) -> Mapping[str, Any]:
    """Return the description of a group."""
    weight = {"WeightedCapacity": str(group.weight)} if group.weight > 1 else {}
    zones = [f"{region.name}a", f"{region.name}b"]
    return {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": region.arn(
            "autoscaling", f"autoScalingGroup::autoScalingGroupName/{group.name}"
        ),
        "MinSize": group.minimum,
        "MaxSize": group.maximum,
        "DesiredCapacity": int(group.desired_capacity(minute)[0]),
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "HealthCheckType": "EC2",
        "CreatedTime": datetime(2026, 1, 1, tzinfo=UTC),
        "EnabledMetrics": [
            {"Metric": name, "Granularity": "1Minute"}
            for name in (group_metrics(group) if group.metrics else ())
        ],
        "Instances": [
            {
                "InstanceId": f"i-{index:017x}",
                "InstanceType": "c7g.large",
                "AvailabilityZone": zones[index % 2],
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": False,
                **weight,
            }
            for index in range(int(group.capacity_in_service(minute)[0]) // group.weight)
        ],
        **launch_settings(group),
        **target_groups(region, group),
    }


def target_groups(region: DemoRegion, group: DemoGroup) -> Mapping[str, Any]:
    """Return the target group to which the instances are attached, if any."""
    if not group.target_group:
        return {}
    return {"TargetGroupARNs": [region.arn("elasticloadbalancing", f"targetgroup/{group.target_group}")]}


def launch_settings(group: DemoGroup) -> Mapping[str, Any]:
    """Return the launch template, with weights when capacity is counted in units."""
    template = {"LaunchTemplateId": "lt-00000000000000001", "LaunchTemplateName": "main", "Version": "1"}
    if group.weight == 1:
        return {"LaunchTemplate": template}
    overrides = [{"InstanceType": "c7g.large", "WeightedCapacity": str(group.weight)}]
    return {
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides}
        }
    }


def describe_policies(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer DescribePolicies with the target-tracking policies."""
    name = params.get("AutoScalingGroupName")
    return {
        "ScalingPolicies": [
            {
                "AutoScalingGroupName": group.name,
                "PolicyName": f"{group.name}-cpu",
                "PolicyARN": region.arn("autoscaling", f"scalingPolicy::policyName/{group.name}-cpu"),
                "PolicyType": "TargetTrackingScaling",
                "Enabled": True,
                "TargetTrackingConfiguration": {
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
                    "TargetValue": group.target,
                    "DisableScaleIn": False,
                },
            }
            for group in region.resources_of(DemoGroup)
            if group.target is not None and name in (None, group.name)
        ]
    }


def describe_account_limits(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer DescribeAccountLimits."""
    return {
        "MaxNumberOfAutoScalingGroups": int(quota_value(region, "L-CDE20ADC")),
        "MaxNumberOfLaunchConfigurations": int(quota_value(region, "L-6B80B8FA")),
        "NumberOfAutoScalingGroups": len(region.resources_of(DemoGroup)),
        "NumberOfLaunchConfigurations": 0,
    }


SERVICE = DemoService(
    name="autoscaling",
    metrics=metrics,
    operations={
        "DescribeAutoScalingGroups": describe_groups,
        "DescribePolicies": describe_policies,
        "DescribeAccountLimits": describe_account_limits,
    },
)
