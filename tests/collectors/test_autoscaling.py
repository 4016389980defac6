"""Auto Scaling: the number of groups of the account; of each group, its size, missing instances and CPU."""

import shlex
from typing import Any

import pytest

from collectors.base import ACCOUNT, Observed, Unobservable, difference, total
from tests.collectors.declared_cases import DECLARATIONS
from tests.fake_aws import FakeAws
from tests.registries import REGISTRY

LIMITS = {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 12}
SIGNALS = REGISTRY.services["autoscaling"].signals
(COLLECTOR,) = REGISTRY.collectors_of(["autoscaling"])
SCANS = {scan.__name__: scan for scan in COLLECTOR.scans}
account, groups = SCANS["groups_per_region"], SCANS["group"]
desired, max_size, in_service_instances, in_service_units, cpu, group_count = (
    DECLARATIONS["autoscaling"].metric(name)
    for name in (
        *("GroupDesiredCapacity", "GroupMaxSize", "GroupInServiceInstances", "GroupInServiceCapacity"),
        *("CPUUtilization", "GroupCount"),
    )
)
GROUP_COUNT = group_count.of(
    Service="AutoScaling", Type="Resource", Resource="NumberOfAutoScalingGroup", Class="None"
)


def group(
    name: str = "web", *metrics: str, desired_capacity: int = 4, maximum: int = 10, **more: Any
) -> dict[str, Any]:
    """Return an Auto Scaling group, as AWS describes it.

    metrics: the names of the enabled group metrics. more: further members.
    """
    return {
        "AutoScalingGroupName": name,
        "MinSize": 0,
        "MaxSize": maximum,
        "DesiredCapacity": desired_capacity,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["eu-west-1a"],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-01-01T00:00:00Z",
        "EnabledMetrics": [{"Metric": metric, "Granularity": "1Minute"} for metric in metrics],
        **more,
    }


def weights(*by_type: str) -> dict[str, Any]:
    """Return a mixed instances policy whose instance types have these weights."""
    overrides = [{"InstanceType": "c5.large", "WeightedCapacity": weight} for weight in by_type]
    return {"MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": overrides}}}


async def group_series(*described: dict[str, Any]) -> dict[tuple[str, str], Observed]:
    """Return the series of these groups."""
    return await FakeAws(describe_auto_scaling_groups={"AutoScalingGroups": list(described)}).run_scan(groups)


async def test_the_number_of_groups_and_its_limit_come_from_the_api() -> None:
    series = await FakeAws(describe_account_limits=LIMITS).run_scan(account)
    assert series == {
        ("groups_per_region", ""): Observed(
            signal="groups_per_region", resource=ACCOUNT, limit=500, usage=12.0
        )
    }


@pytest.mark.parametrize(("answers", "failure_count"), [({}, 1), ({"describe_account_limits": {}}, 0)])
async def test_without_the_api_the_number_of_groups_comes_from_cloudwatch_and_has_the_default_limit(
    answers: dict[str, Any], failure_count: int
) -> None:
    aws = FakeAws(**answers)
    observed = (await aws.run_scan(account))["groups_per_region", ""]
    assert observed.usage == total(GROUP_COUNT)
    assert observed.limit is None
    assert SIGNALS["groups_per_region"].default_limit("eu-west-1") == 500
    assert len(aws.scan.failures) == failure_count


async def test_an_account_without_groups_has_the_usage_0() -> None:
    aws = FakeAws(describe_account_limits=LIMITS | {"NumberOfAutoScalingGroups": 0})
    assert (await aws.run_scan(account))["groups_per_region", ""].usage == 0.0


async def test_the_maximum_size_limits_the_desired_capacity() -> None:
    observed = (await group_series(group("web", desired.name)))["group_max_size", "web"]
    assert observed.limit == 10
    assert observed.usage == total(desired.of(AutoScalingGroupName="web"))


async def test_the_maximum_size_is_a_hard_limit_of_the_desired_capacity() -> None:
    assert (await group_series(group("web", desired.name)))["group_max_size", "web"].hard_limit


@pytest.mark.parametrize(
    ("metrics", "is_published"),
    [
        ((desired.name, max_size.name), True),
        ((desired.name,), False),
        ((max_size.name,), False),  # the desired capacity then comes from the API, and so does the maximum
        ((), False),
    ],
)
async def test_the_limit_is_the_maximum_size_of_each_minute_if_cloudwatch_publishes_both_metrics(
    metrics: tuple[str, ...], is_published: bool
) -> None:
    observed = (await group_series(group("web", *metrics)))["group_max_size", "web"]
    expected = total(max_size.of(AutoScalingGroupName="web")) if is_published else None
    assert (observed.limit, observed.published_limit) == (10, expected)


async def test_the_limit_of_a_shortfall_is_the_desired_capacity_of_each_minute() -> None:
    observed = (await group_series(group("web", desired.name, in_service_instances.name)))[
        "capacity_shortfall", "web"
    ]
    assert observed.published_limit == total(desired.of(AutoScalingGroupName="web"))


@pytest.mark.parametrize(("minimum", "is_deliberate"), [(3, True), (2, False), (0, False)])
async def test_a_group_of_a_fixed_size_is_limited_deliberately(minimum: int, is_deliberate: bool) -> None:
    series = await group_series(group("etcd", desired_capacity=3, maximum=3, MinSize=minimum))
    assert series["group_max_size", "etcd"].deliberate is is_deliberate
    assert not series["capacity_shortfall", "etcd"].deliberate


async def test_every_series_of_a_group_has_its_creation_time() -> None:
    series = await group_series(group("web", CreatedTime="1970-01-02T00:00:00Z"))
    assert {observed.created_at for observed in series.values()} == {86_400.0}


async def test_without_group_metrics_the_desired_capacity_comes_from_the_api() -> None:
    assert (await group_series(group("web", desired_capacity=4)))["group_max_size", "web"].usage == 4.0


@pytest.mark.parametrize(
    ("members", "in_service"),
    [
        ({}, in_service_instances),
        ({"MixedInstancesPolicy": {}}, in_service_instances),
        ({"MixedInstancesPolicy": {"LaunchTemplate": {}}}, in_service_instances),
        ({"MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{}]}}}, in_service_instances),
        ({"DesiredCapacityType": "units"}, in_service_instances),
        (weights("1", "2"), in_service_units),
        ({"DesiredCapacityType": "vcpu"}, in_service_units),
        ({"DesiredCapacityType": "memory-mib"}, in_service_units),
    ],
)
async def test_the_shortfall_is_the_desired_capacity_minus_the_capacity_in_service(
    members: dict[str, Any], in_service: Any
) -> None:
    observed = (await group_series(group("web", desired.name, in_service.name, **members)))[
        "capacity_shortfall", "web"
    ]
    dimensions = {"AutoScalingGroupName": "web"}
    assert observed.limit == 4
    assert observed.usage == difference(desired.of(**dimensions), in_service.of(**dimensions))


@pytest.mark.parametrize(
    ("metrics", "members", "in_service"),
    [
        ((), {}, in_service_instances),
        ((desired.name,), {}, in_service_instances),
        ((in_service_instances.name,), {}, in_service_instances),
        ((desired.name, in_service_instances.name), weights("2"), in_service_units),
    ],
)
async def test_a_shortfall_without_its_group_metrics_is_unobservable(
    metrics: tuple[str, ...], members: dict[str, Any], in_service: Any
) -> None:
    name = 'naïve "web" $(tier)'
    usage = (await group_series(group(name, *metrics, **members)))["capacity_shortfall", name].usage
    assert isinstance(usage, Unobservable) and usage.enable_command
    assert shlex.split(usage.enable_command) == [
        *("aws", "autoscaling", "enable-metrics-collection", f"--auto-scaling-group-name={name}"),
        *("--granularity", "1Minute", "--metrics", "GroupDesiredCapacity", in_service.name),
        *("--region", "eu-west-1"),
    ]


def test_a_shortfall_of_0_is_within_the_band_and_a_shortfall_of_a_quarter_is_near_the_limit() -> None:
    band = SIGNALS["capacity_shortfall"].band
    assert band is not None
    assert band.low == 0
    assert band.near <= 1 / 4


async def test_the_mean_cpu_needs_no_group_metrics_and_has_the_ordinary_band() -> None:
    observed = (await group_series(group("web")))["group_cpu_target", "web"]
    assert observed.usage == total(cpu.of(AutoScalingGroupName="web"))
    assert (cpu.namespace, cpu.stat) == ("AWS/EC2", "Average")
    signal = SIGNALS["group_cpu_target"]
    assert (signal.default_limit("eu-west-1"), signal.band, signal.kind) == (100, None, "provisioned")


@pytest.mark.parametrize(
    ("maximum", "desired_capacity", "signals"),
    [
        (10, 0, {"group_max_size"}),
        (0, 0, set()),
        (10, 1, {"group_max_size", "capacity_shortfall", "group_cpu_target"}),
    ],
)
async def test_a_group_of_maximum_0_has_no_series_and_an_empty_group_only_the_series_of_its_maximum(
    maximum: int, desired_capacity: int, signals: set[str]
) -> None:
    series = await group_series(
        group(
            "web", desired.name, in_service_instances.name, maximum=maximum, desired_capacity=desired_capacity
        )
    )
    assert {signal for signal, _ in series} == signals


async def test_every_series_of_a_group_carries_its_tags() -> None:
    tags = [{"Key": "team", "Value": "größe"}, {"Key": "flag"}]
    series = await group_series(group("web", Tags=tags))
    assert len(series) == 3
    assert all(observed.tags == {"team": "größe", "flag": ""} for observed in series.values())


async def test_a_group_without_the_optional_list_of_metrics_is_observed() -> None:
    group_without_metrics = group("web")
    del group_without_metrics["EnabledMetrics"]
    assert ("group_max_size", "web") in await group_series(group_without_metrics)


async def test_all_groups_are_read_in_large_pages_without_their_instances() -> None:
    requested = []

    def page(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"AutoScalingGroups": [group(f"group-{len(requested)}")]}

    series = await FakeAws(describe_auto_scaling_groups=[page, page]).run_scan(groups)
    assert {resource for _, resource in series} == {"group-1", "group-2"}
    assert requested == [{"MaxRecords": 100, "IncludeInstances": False}] * 2


async def test_the_collector_declares_exactly_the_permissions_that_it_uses() -> None:
    aws = FakeAws(describe_account_limits=LIMITS, describe_auto_scaling_groups={"AutoScalingGroups": []})
    await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
