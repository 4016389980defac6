"""Reading the metrics of paths: once for a window, and again after a failure; exporting the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from collectors.base import Metric
from monitor.fleet.key import CellKey
from monitor.topology.flow_points import POINTS
from monitor.topology.path_monitor import PathMonitor
from rules.arrays import Floats
from tests.monitor.topology.path_fleet import ACCOUNT_NAMES, NOW, PathFleet, paths_of
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout


@dataclass
class FleetPointReader:
    """Returns the points of a fleet, or failures. metric_names: of the metrics of each call."""

    path_fleet: PathFleet
    failures: list[str] = field(default_factory=list)
    metric_names: list[list[str]] = field(default_factory=list)

    async def read(
        self, cell: CellKey, metrics: Sequence[Metric], minutes: range
    ) -> tuple[Mapping[Metric, Floats], Sequence[str]]:
        self.metric_names.append([metric.name for metric in metrics])
        if self.failures:
            return {}, self.failures
        points = {metric: np.full(POINTS, self.path_fleet.point(metric), np.float32) for metric in metrics}
        return points, ()


class MonitoredPaths:
    """The paths of a file with their monitor. minute: the minute that the monitor's clock shows."""

    def __init__(self, path_fleet: PathFleet, text: str = CHECKOUT) -> None:
        self.path_fleet, self.reader, self.minute = path_fleet, FleetPointReader(path_fleet), NOW + 5
        self.registry = CollectorRegistry()
        self.monitor = PathMonitor(
            path_fleet.fleet, self.reader, lambda: self.minute * 60.0, lambda: ACCOUNT_NAMES, self.registry
        )
        self.monitor.configure(paths_of(text))

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headroom_path_{name}", {"path": "checkout", **labels})


async def test_metrics_are_requested_once_in_five_minutes() -> None:
    monitored = MonitoredPaths(checkout())
    await monitored.monitor.update()
    await monitored.monitor.update()
    assert [sorted(names) for names in monitored.reader.metric_names] == [
        ["Count", "Count", "Duration", "Invocations"]
    ]
    monitored.minute += 5
    await monitored.monitor.update()
    assert len(monitored.reader.metric_names) == 2


async def test_without_paths_no_metric_is_read() -> None:
    monitored = MonitoredPaths(checkout(), "paths: []")
    await monitored.monitor.update()
    assert monitored.reader.metric_names == [] and monitored.monitor.statuses == ([], 0)


async def test_usage_and_capacity_of_a_path_are_exported_with_its_weakest_limit() -> None:
    monitored = MonitoredPaths(checkout())
    await monitored.monitor.update()
    assert monitored.gauge("usage", unit="requests") == 100
    assert monitored.gauge("capacity", unit="requests") == pytest.approx(250)
    assert monitored.gauge("unknown_hops") == 0
    weakest = {
        "aws_account": "123456789012",
        "aws_region": "eu-west-1",
        "aws_service": "dynamodb",
        "signal": "table_write_capacity",
        "resource": "orders",
    }
    assert monitored.gauge("weakest_limit_info", **weakest) == 1


async def test_a_flow_whose_metric_cannot_be_read_is_unknown_and_the_metric_is_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitored = MonitoredPaths(checkout())
    monitored.reader.failures = ["GetMetricData: denied"]
    for _ in range(2):
        await monitored.monitor.update()
    (status,) = monitored.monitor.statuses.items
    assert status.flow is None and status.is_upper_bound
    assert status.reasons[-1] == ("123456789012/eu-west-1: its metrics cannot be read: GetMetricData: denied")
    assert monitored.gauge("usage", unit="requests") is None
    assert len(monitored.reader.metric_names) == 2
    assert len([message for message in caplog.messages if "cannot be read" in message]) == 1
    monitored.reader.failures = []
    await monitored.monitor.update()
    assert monitored.monitor.statuses.items[0].flow == 100


async def test_the_monitor_follows_changes_of_the_fleet_and_of_the_configured_paths() -> None:
    monitored = MonitoredPaths(checkout())
    await monitored.monitor.update()
    series = monitored.monitor.statuses.items[0].hops[2].limits[0].series
    monitored.path_fleet.fleet.drop(series.key)
    await monitored.monitor.update()
    assert monitored.monitor.statuses.items[0].is_upper_bound
    monitored.monitor.configure(paths_of(CHECKOUT.replace("name: checkout", "name: other")))
    assert [*monitored.monitor.statuses.items] == [] and monitored.monitor.statuses.configured_count == 1
    assert monitored.gauge("capacity", unit="requests") is None
    await monitored.monitor.update()
    assert [status.name for status in monitored.monitor.statuses.items] == ["other"]
