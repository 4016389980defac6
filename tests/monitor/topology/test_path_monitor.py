"""Reading the metrics of paths: each once for a window, again where that failed, and never for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from collectors.base import Metric
from monitor.fleet.columns import Floats
from monitor.fleet.key import CellKey
from monitor.topology.flow_points import POINTS
from monitor.topology.path_monitor import PathMonitor
from tests.monitor.topology.placed import NAMES, NOW, PathFleet, parsed
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout


@dataclass
class Reader:
    """Gives the points of a fleet of paths, or a failure. read: the metrics of each call."""

    some: PathFleet
    failures: list[str] = field(default_factory=list)
    read_metrics: list[list[str]] = field(default_factory=list)

    async def read(
        self, cell: CellKey, metrics: Sequence[Metric], minutes: range
    ) -> tuple[Mapping[Metric, Floats], Sequence[str]]:
        self.read_metrics.append([metric.name for metric in metrics])
        if self.failures:
            return {}, self.failures
        points = {metric: np.full(POINTS, self.some.point(metric), np.float32) for metric in metrics}
        return points, ()


class Monitored:
    """A monitor of the paths of a file. minute: of its clock."""

    def __init__(self, some: PathFleet, text: str = CHECKOUT) -> None:
        self.some, self.reader, self.minute = some, Reader(some), NOW + 5
        self.registry = CollectorRegistry()
        self.monitor = PathMonitor(
            some.fleet, self.reader, lambda: self.minute * 60.0, lambda: NAMES, self.registry
        )
        self.monitor.configure(parsed(text))

    def exported(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headroom_path_{name}", {"path": "checkout", **labels})


async def test_metrics_are_requested_once_in_five_minutes() -> None:
    some = Monitored(checkout())
    await some.monitor.update()
    await some.monitor.update()
    assert [sorted(one) for one in some.reader.read_metrics] == [
        ["Count", "Count", "Duration", "Invocations"]
    ]
    some.minute += 5
    await some.monitor.update()
    assert len(some.reader.read_metrics) == 2


async def test_without_paths_nothing_is_read() -> None:
    some = Monitored(checkout(), "paths: []")
    await some.monitor.update()
    assert some.reader.read_metrics == [] and some.monitor.statuses == ([], 0)


async def test_usage_and_capacity_of_a_path_are_exported_with_its_weakest_limit() -> None:
    some = Monitored(checkout())
    await some.monitor.update()
    assert some.exported("usage", unit="requests") == 100
    assert some.exported("capacity", unit="requests") == pytest.approx(250)
    assert some.exported("unknown_hops") == 0
    weakest = {
        "aws_account": "123456789012",
        "aws_region": "eu-west-1",
        "aws_service": "dynamodb",
        "signal": "table_write_capacity",
        "resource": "orders",
    }
    assert some.exported("weakest_limit_info", **weakest) == 1


async def test_a_flow_that_cannot_be_read_is_unknown_and_read_again(caplog: pytest.LogCaptureFixture) -> None:
    some = Monitored(checkout())
    some.reader.failures = ["GetMetricData: denied"]
    for _ in range(2):
        await some.monitor.update()
    (status,) = some.monitor.statuses.items
    assert status.flow is None and status.is_upper_bound
    assert status.reasons[-1] == ("123456789012/eu-west-1: its metrics cannot be read: GetMetricData: denied")
    assert some.exported("usage", unit="requests") is None
    assert len(some.reader.read_metrics) == 2
    assert len([one for one in caplog.messages if "cannot be read" in one]) == 1
    some.reader.failures = []
    await some.monitor.update()
    assert some.monitor.statuses.items[0].flow == 100


async def test_a_reload_takes_other_paths_and_a_fleet_that_changes_is_followed() -> None:
    some = Monitored(checkout())
    await some.monitor.update()
    series = some.monitor.statuses.items[0].hops[2].limits[0].series
    some.some.fleet.drop(series.key)
    await some.monitor.update()
    assert some.monitor.statuses.items[0].is_upper_bound
    some.monitor.configure(parsed(CHECKOUT.replace("name: checkout", "name: other")))
    assert [*some.monitor.statuses.items] == [] and some.monitor.statuses.configured == 1
    assert some.exported("capacity", unit="requests") is None
    await some.monitor.update()
    assert [one.name for one in some.monitor.statuses.items] == ["other"]
