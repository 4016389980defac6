"""Alerts of Auto Scaling groups of a fake AWS: limits that change, and deliberate caps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from monitor.fleet.limits import LimitVerifier
from tests.fake_aws import FakeAws
from tests.monitor.alerting.harness import AlertingHarness, configuration
from tests.monitor.polling.inventories import BY_SERVICE, inventory_of

START_MINUTE = 29_700_000
ACTION_MINUTE = START_MINUTE + 60  # when a scheduled action runs
LIMITS = {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 1}
SIZE_METRICS = ("GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize")  # the last is the limit
INVENTORY_INTERVAL, METRIC_DELAY = 10, 2  # minutes

Sizes = tuple[int, int, int]  # minimum, desired, maximum
SizesAt = Callable[[int], Sizes]


def group(name: str, sizes: Sizes, *metrics: str) -> dict[str, Any]:
    minimum, desired, maximum = sizes
    return {
        "AutoScalingGroupName": name,
        "MinSize": minimum,
        "MaxSize": maximum,
        "DesiredCapacity": desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["eu-west-1a"],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-01-01T00:00:00Z",
        "EnabledMetrics": [{"Metric": metric, "Granularity": "1Minute"} for metric in metrics],
    }


def metric_value(metric: bytes, sizes: Sizes) -> float:
    """Return the value of a metric of a group with these sizes."""
    _, desired, maximum = sizes
    if b"CPU" in metric:
        return 50.0  # percent: within the band
    return float(maximum if b"GroupMaxSize" in metric else desired)


async def alerting_groups(
    folder: Path, groups: dict[str, SizesAt], *metrics: str, minutes: int = 90
) -> set[str]:
    """Return the groups that get an alert. An inventory runs every ten minutes; the metrics are delayed.

    groups: by name, a function that returns the sizes of the group in a minute. metrics: those that are
    published.
    """
    resources = set()
    async with AlertingHarness.opened(folder, configuration(), minute=START_MINUTE) as harness:
        aws = FakeAws(describe_account_limits=LIMITS)
        inventory = inventory_of(aws.cell, harness.fleet, configuration(), account_name="prod")
        requested_scans: list[str] = []
        verifier = LimitVerifier(lambda cell, service: requested_scans.append(service))
        for minute in range(START_MINUTE, START_MINUTE + minutes):
            harness.minute, harness.seconds, aws.now = minute, minute * 60.0, minute * 60.0
            descriptions = [group(name, sizes_at(minute), *metrics) for name, sizes_at in groups.items()]
            aws.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": descriptions}
            # The last inventory before the action is a minute before it.
            if minute % INVENTORY_INTERVAL == (ACTION_MINUTE - 1) % INVENTORY_INTERVAL or requested_scans:
                requested_scans.clear()
                await inventory.run(BY_SERVICE["autoscaling"])
            for metric, row in harness.fleet.metrics(aws.cell.key).items():
                sizes_at = next(sizes for name, sizes in groups.items() if name.encode() in metric)
                minutes_read = np.arange(minute - 15, minute - METRIC_DELAY + 1, dtype=np.int32)
                values = np.array(
                    [metric_value(metric, sizes_at(minute_read)) for minute_read in minutes_read.tolist()],
                    np.float32,
                )
                harness.fleet.rings.write(np.full(minutes_read.size, row, np.int32), minutes_read, values)
                harness.fleet.rings.mark_read(np.array([row], np.int32), minute - METRIC_DELAY)
            harness.set_read_result()
            resources |= {notice.labels["resource"] for notice in await harness.process()}
            verifier.request_scans(harness.fleet, minute)
    return resources


def sizes_raised(minute: int) -> Sizes:
    """Return the sizes of a group whose maximum and desired capacity are raised at ACTION_MINUTE."""
    return (1, 4, 6) if minute < ACTION_MINUTE else (1, 30, 60)


def sizes_lowered(minute: int) -> Sizes:
    """Return the sizes of a group whose maximum and desired capacity are lowered at ACTION_MINUTE."""
    return (1, 30, 60) if minute < ACTION_MINUTE else (1, 4, 10)


async def test_a_scheduled_action_causes_no_alert(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": sizes_raised}, *SIZE_METRICS[:2]) == set()


async def test_a_scheduled_action_causes_no_alert_if_the_maximum_is_published(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": sizes_raised}, *SIZE_METRICS) == set()


async def test_a_maximum_that_is_lowered_causes_no_alert(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": sizes_lowered}, *SIZE_METRICS[:2]) == set()


async def test_a_group_at_its_maximum_has_an_alert_unless_its_size_is_fixed(
    tmp_path: Path,
) -> None:
    groups: dict[str, SizesAt] = {
        "bastion": lambda minute: (1, 1, 1),
        "etcd": lambda minute: (3, 3, 3),
        "full": lambda minute: (2, 20, 20),
    }
    assert await alerting_groups(tmp_path, groups) == {"full"}


async def test_a_group_of_fixed_size_whose_desired_size_exceeds_its_maximum_has_an_alert(
    tmp_path: Path,
) -> None:
    assert await alerting_groups(tmp_path, {"etcd": lambda minute: (3, 4, 3)}, *SIZE_METRICS[:2]) == {"etcd"}
