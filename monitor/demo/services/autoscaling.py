"""Auto Scaling: answered from the declaration, because the size of a group moves with its load."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitor.demo.metric import READING, Emitted
from monitor.demo.region import Params, Region, Service
from monitor.demo.services.quotas import quota
from monitor.demo.traffic import Floats, Minutes, Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group; `load` is a share of its maximum size, `cpu` of its instances' processors."""

    name: str
    minimum: int
    maximum: int
    load: Traffic
    cpu: Traffic
    weight: int = 1  # capacity units of one instance
    missing: int = 0  # units that AWS cannot launch
    metrics: bool = True  # group metrics are enabled
    target: float | None = None  # of a target-tracking policy, percent

    def desired(self, minutes: Minutes) -> Floats:
        """Capacity units wanted."""
        load: Floats = np.ceil(self.load.at(self.name, minutes) * self.maximum / self.weight) * self.weight
        return np.minimum(np.maximum(load, self.minimum), self.maximum)

    def in_service(self, minutes: Minutes) -> Floats:
        """Capacity units there."""
        return np.maximum(self.desired(minutes) - self.missing, 0)


def emitted(region: Region) -> Iterator[Emitted]:
    groups = region.all(Group)
    counted = {
        "Service": "AutoScaling",
        "Type": "Resource",
        "Resource": "NumberOfAutoScalingGroup",
        "Class": "None",
    }
    yield Emitted("AWS/Usage", "ResourceCount", counted, READING, always(len(groups)))
    for group in groups:
        where = {"AutoScalingGroupName": group.name}
        yield Emitted("AWS/EC2", "CPUUtilization", where, READING, cpu(group))
        for name, at in gauges(group).items() if group.metrics else ():
            yield Emitted("AWS/AutoScaling", name, where, READING, at)


def always(value: float) -> Callable[[Minutes], Floats]:
    return lambda m: np.full(len(m), float(value))


def cpu(group: Group) -> Callable[[Minutes], Floats]:
    return lambda m: np.minimum(100 * group.cpu.at(group.name + "/cpu", m), 100.0)


def gauges(group: Group) -> Mapping[str, Callable[[Minutes], Floats]]:
    """The group metrics: capacities in units, instances one by one."""
    return {
        "GroupMinSize": always(group.minimum),
        "GroupMaxSize": always(group.maximum),
        "GroupDesiredCapacity": group.desired,
        "GroupInServiceInstances": lambda m: group.in_service(m) / group.weight,
        "GroupPendingInstances": lambda m: (group.desired(m) - group.in_service(m)) / group.weight,
        "GroupTerminatingInstances": always(0),
        "GroupTotalInstances": lambda m: group.desired(m) / group.weight,
        "GroupInServiceCapacity": group.in_service,
        "GroupPendingCapacity": lambda m: group.desired(m) - group.in_service(m),
        "GroupTotalCapacity": group.desired,
    }


def describe_groups(region: Region, params: Params, now: float) -> Mapping[str, Any]:
    names = params.get("AutoScalingGroupNames") or [group.name for group in region.all(Group)]
    minute = np.array([region.minute(now)])
    return {
        "AutoScalingGroups": [
            shown(region, group, minute) for group in region.all(Group) if group.name in names
        ]
    }


def shown(region: Region, group: Group, minute: Minutes) -> Mapping[str, Any]:
    weight = {"WeightedCapacity": str(group.weight)} if group.weight > 1 else {}
    zones = [f"{region.name}a", f"{region.name}b"]
    return {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": region.arn(
            "autoscaling", f"autoScalingGroup::autoScalingGroupName/{group.name}"
        ),
        "MinSize": group.minimum,
        "MaxSize": group.maximum,
        "DesiredCapacity": int(group.desired(minute)[0]),
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "HealthCheckType": "EC2",
        "CreatedTime": datetime(2026, 1, 1, tzinfo=UTC),
        "EnabledMetrics": [
            {"Metric": name, "Granularity": "1Minute"} for name in (gauges(group) if group.metrics else ())
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
            for index in range(int(group.in_service(minute)[0]) // group.weight)
        ],
        **mixed(group),
    }


def mixed(group: Group) -> Mapping[str, Any]:
    """How a group says that its capacity is counted in units, not instances."""
    template = {"LaunchTemplateId": "lt-00000000000000001", "LaunchTemplateName": "main", "Version": "1"}
    if group.weight == 1:
        return {"LaunchTemplate": template}
    overrides = [{"InstanceType": "c7g.large", "WeightedCapacity": str(group.weight)}]
    return {
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides}
        }
    }


def describe_policies(region: Region, params: Params, _: float) -> Mapping[str, Any]:
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
            for group in region.all(Group)
            if group.target is not None and name in (None, group.name)
        ]
    }


def describe_account_limits(region: Region, _: Params, __: float) -> Mapping[str, Any]:
    return {
        "MaxNumberOfAutoScalingGroups": int(quota(region, "L-CDE20ADC")),
        "MaxNumberOfLaunchConfigurations": int(quota(region, "L-6B80B8FA")),
        "NumberOfAutoScalingGroups": len(region.all(Group)),
        "NumberOfLaunchConfigurations": 0,
    }


SERVICE = Service(
    name="autoscaling",
    emitted=emitted,
    answers={
        "DescribeAutoScalingGroups": describe_groups,
        "DescribePolicies": describe_policies,
        "DescribeAccountLimits": describe_account_limits,
    },
)
