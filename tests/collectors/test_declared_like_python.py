"""A declared collector and a collector in Python of the same service yield the same series."""

import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Observed, Op, Unobservable, Usage
from collectors.declared import collector_of
from tests.collectors.declared_cases import DECLARATIONS
from tests.collectors.python_autoscaling import COLLECTOR as PYTHON_COLLECTOR
from tests.fake_aws import FakeAws

METRICS = ["GroupDesiredCapacity", "GroupMaxSize", "GroupInServiceInstances", "GroupInServiceCapacity"]

sizes = st.integers(0, 3)
weights = st.fixed_dictionaries({}, optional={"WeightedCapacity": st.sampled_from(["1", "4"])})
templates = st.fixed_dictionaries({}, optional={"Overrides": st.lists(weights, max_size=2)})
groups = st.fixed_dictionaries(
    {
        "AutoScalingGroupName": st.sampled_from(["web", "web-2", "a b", "x'y"]),
        "MinSize": sizes,
        "MaxSize": sizes,
        "DesiredCapacity": sizes,
        "DefaultCooldown": st.just(300),
        "AvailabilityZones": st.just(["eu-west-1a"]),
        "HealthCheckType": st.just("EC2"),
        "CreatedTime": st.just("2026-01-01T00:00:00+00:00"),
    },
    optional={
        "EnabledMetrics": st.lists(st.sampled_from([{"Metric": name} for name in METRICS]), max_size=5),
        "MixedInstancesPolicy": st.fixed_dictionaries({}, optional={"LaunchTemplate": templates}),
        "DesiredCapacityType": st.sampled_from(["units", "vcpu", "memory-mib"]),
        "Tags": st.lists(st.sampled_from([{"Key": "team", "Value": "a"}, {"Key": "env", "Value": "b"}])),
    },
)
listings = st.lists(groups, max_size=4, unique_by=lambda group: group["AutoScalingGroupName"])
limits = st.fixed_dictionaries(
    {}, optional={"MaxNumberOfAutoScalingGroups": sizes, "NumberOfAutoScalingGroups": sizes}
)


@given(listed=listings, account=limits)
async def test_the_declared_collector_and_the_collector_in_python_yield_the_same_series(
    listed: list[dict[str, Any]], account: dict[str, Any]
) -> None:
    pages = [{"AutoScalingGroups": listed[:2]}, {"AutoScalingGroups": listed[2:]}]
    answers: dict[str, Any] = {"describe_auto_scaling_groups": pages, "describe_account_limits": account}
    from_python = await FakeAws(**answers).run_all_scans(PYTHON_COLLECTOR)
    from_declaration = await FakeAws(**answers).run_all_scans(collector_of(DECLARATIONS["autoscaling"]))
    assert {key: comparable(observed) for key, observed in from_declaration.items()} == {
        key: comparable(observed) for key, observed in from_python.items()
    }


def comparable(observed: Observed) -> dict[str, Any]:
    """Return the fields of a series, without differences that mean the same.

    The maximum of a single term becomes its sum. A command becomes the list of its words.
    """
    fields = {name: getattr(observed, name) for name in Observed.__dataclass_fields__}
    if isinstance(usage := fields["usage"], Unobservable) and usage.enable_command:
        fields["usage"] = (usage.reason, shlex.split(usage.enable_command))
    for name in ("usage", "published_limit"):
        if isinstance(usage := fields[name], Usage) and len(usage.terms) == 1 and usage.op is Op.MAX:
            fields[name] = Usage(Op.SUM, usage.terms)
    return fields
