"""Auto Scaling groups, from the responses of AWS to alerts: limits that change, and deliberate caps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from monitor.fleet.limits import LimitVerifier
from tests.fake_aws import FakeAws
from tests.monitor.alerting.stage import Stage, configuration
from tests.monitor.polling.inventories import BY_SERVICE, inventory_of

BASE = 29_700_000
EIGHT = BASE + 60  # when a scheduled action runs
LIMITS = {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 1}
METRICS = ("GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize")
INVENTORY, LATE = 10, 2  # minutes

Sizes = tuple[int, int, int]  # least, desired, most
SizesAt = Callable[[int], Sizes]


def group(name: str, sizes: Sizes, *metrics: str) -> dict[str, Any]:
    least, desired, most = sizes
    return {
        "AutoScalingGroupName": name,
        "MinSize": least,
        "MaxSize": most,
        "DesiredCapacity": desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["eu-west-1a"],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-01-01T00:00:00Z",
        "EnabledMetrics": [{"Metric": one, "Granularity": "1Minute"} for one in metrics],
    }


def value(fragment: bytes, sizes: Sizes) -> float:
    """Return the value of a metric of a group of these sizes."""
    _, desired, most = sizes
    return float(most if b"GroupMaxSize" in fragment else 50 if b"CPU" in fragment else desired)


async def alerting_groups(
    folder: Path, groups: dict[str, SizesAt], *metrics: str, minutes: int = 90
) -> set[str]:
    """Return the groups with an alert, by inventories every ten minutes and late metrics."""
    resources = set()
    async with Stage.opened(folder, configuration(), minute=BASE) as stage:
        aws = FakeAws(describe_account_limits=LIMITS)
        inventory = inventory_of(aws.cell, stage.fleet, configuration(), account_name="prod")
        requested: list[str] = []
        doubts = LimitVerifier(lambda cell, service: requested.append(service))
        for minute in range(BASE, BASE + minutes):
            stage.minute, stage.seconds, aws.now = minute, minute * 60.0, minute * 60.0
            found = [group(name, sizes(minute), *metrics) for name, sizes in groups.items()]
            aws.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": found}
            if minute % INVENTORY == (EIGHT - 1) % INVENTORY or requested:
                requested.clear()
                await inventory.run(BY_SERVICE["autoscaling"])
            for metric, row in stage.fleet.metrics(aws.cell.key).items():
                sizes = next(at for name, at in groups.items() if name.encode() in metric)
                at = np.arange(minute - 15, minute - LATE + 1, dtype=np.int32)
                values = np.array([value(metric, sizes(one)) for one in at.tolist()], np.float32)
                stage.fleet.rings.write(np.full(at.size, row, np.int32), at, values)
                stage.fleet.rings.mark_read(np.array([row], np.int32), minute - LATE)
            stage.set_read_result()
            resources |= {one.labels["resource"] for one in await stage.process()}
            doubts.request_scans(stage.fleet, minute)
    return resources


def scheduled(minute: int) -> Sizes:
    """Return the sizes of a group whose maximum and desired capacity are raised at eight."""
    return (1, 4, 6) if minute < EIGHT else (1, 30, 60)


def lowered(minute: int) -> Sizes:
    """Return the sizes of a group whose maximum and desired capacity are lowered at eight."""
    return (1, 30, 60) if minute < EIGHT else (1, 4, 10)


async def test_a_scheduled_action_causes_no_alert(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": scheduled}, *METRICS[:2]) == set()


async def test_a_scheduled_action_causes_no_alert_where_the_maximum_is_published(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": scheduled}, *METRICS) == set()


async def test_a_maximum_that_is_lowered_causes_no_alert(tmp_path: Path) -> None:
    assert await alerting_groups(tmp_path, {"web": lowered}, *METRICS[:2]) == set()


async def test_only_a_group_at_a_maximum_that_can_scale_has_an_alert(
    tmp_path: Path,
) -> None:
    groups: dict[str, SizesAt] = {
        "bastion": lambda minute: (1, 1, 1),
        "etcd": lambda minute: (3, 3, 3),
        "full": lambda minute: (2, 20, 20),
    }
    assert await alerting_groups(tmp_path, groups) == {"full"}


async def test_a_group_of_a_fixed_size_whose_desired_size_exceeds_its_maximum_is_an_alert(
    tmp_path: Path,
) -> None:
    assert await alerting_groups(tmp_path, {"etcd": lambda minute: (3, 4, 3)}, *METRICS[:2]) == {"etcd"}
