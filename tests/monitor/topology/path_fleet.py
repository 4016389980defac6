"""A fleet with the series of request paths; the tests choose usage and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from collectors.base import ACCOUNT, Metric, Observed, Resource, Unobservable, total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import CellKey, Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.topology.evaluation import evaluate
from monitor.topology.flow_points import POINT_MINUTES, POINTS, window
from monitor.topology.path_status import LimitStatus, PathStatus
from monitor.topology.resolver import PlacedPath, place_paths
from rules.arrays import Float64s
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.path_file import RequestPath, parse_paths
from rules.signals import Band
from tests.registries import REGISTRY

CELL: CellKey = ("123456789012", "eu-west-1")
OTHER_CELL: CellKey = ("210987654321", "us-east-1")
ACCOUNT_NAMES = {CELL[0]: "production", OTHER_CELL[0]: "test"}
NOW = 30_000_005  # minutes since the epoch


def paths_of(text: str) -> Sequence[RequestPath]:
    """Return the paths of a file."""
    file = parse_paths(text.encode(), "paths.yaml")
    assert file.model, file.problems
    return file.model.paths


class SeriesOptions(NamedTuple):
    """The cell of a series, the names of its resource, why it cannot be observed, and its zone."""

    cell: CellKey = CELL
    names: tuple[str, ...] = ()
    unobservable: str = ""
    zone: Zone = Zone.WITHIN


@dataclass
class PathFleet:
    """A fleet, and the metrics of flows. flows: rates per second by metric name and dimension values."""

    fleet: Fleet = field(default_factory=Fleet)
    flows: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)

    def put(
        self,
        signal: str,
        resource_path: tuple[str, ...],
        usage: float = np.nan,
        limit: float | None = 100.0,
        **more: Any,
    ) -> Series:
        """Add a series with this usage in the last three hours.

        resource_path: the ids of its resource; empty for the whole account. more: fields of `SeriesOptions`.
        """
        cell, names, unobservable, zone = SeriesOptions(**more)
        service, name = signal.split(".")
        resource = Resource("thing", resource_path, names) if resource_path else ACCOUNT
        key = Key(*cell, service, name, resource)
        settings = SeriesSettings(
            signal=REGISTRY.signal(service, name),
            limit=None if limit is None else Limit(limit, LimitSource.API, 0),
            band=Band(),
        )
        metric = total(Metric("X", name, "Average").of(Of=key.id))
        observed = Observed(
            signal=name, resource=resource, usage=Unobservable(unobservable) if unobservable else metric
        )
        series = self.fleet.put(key, observed, settings, NOW)
        self.set_usage(series, usage, zone)
        return series

    def set_usage(self, series: Series, usage: float, zone: Zone = Zone.WITHIN) -> None:
        """Give a series this usage in the last three hours, and this zone."""
        slot, formula = series.slot, self.fleet.usages.get(series.slot)
        if formula and not np.isnan(usage):
            minutes = np.arange(NOW - 179, NOW + 1, dtype=np.int32)
            rows = np.full(minutes.size, formula.rows[0], np.int32)
            self.fleet.rings.write(rows, minutes, np.full(minutes.size, usage, np.float32))
            self.fleet.rings.mark_read(np.array(formula.rows[:1]), NOW)
        self.fleet.usage[slot], self.fleet.minute[slot] = usage, NOW
        self.fleet.utilization[slot] = usage / self.fleet.limit[slot]
        self.fleet.zone[slot] = zone if not np.isnan(usage) else Zone.STALE

    def set_flow(self, name: str, per_second: float, *values: str) -> None:
        """Set the rate of a metric in all minutes. values: the values of its dimensions."""
        self.flows[name, values] = per_second

    def points(self, placed: PlacedPath) -> Mapping[tuple[CellKey, Metric], Float64s]:
        """Return the points of the metrics of a path, as a reader would return them."""
        metrics = [cell_metric for hop in placed.hops for cell_metric in hop.metrics]
        return {(cell, metric): np.full(POINTS, self.point(metric)) for cell, metric in metrics}

    def point(self, metric: Metric) -> float:
        """Return a five-minute point of a metric, as `PastPoints` returns it: a sum is given per minute."""
        flow = self.flows.get((metric.name, tuple(value for _, value in metric.dimensions)), np.nan)
        return flow * 60 if metric.stat == "Sum" else flow

    async def place(self, text: str) -> list[PlacedPath]:
        """Return the paths of a file, placed in the fleet."""
        return await place_paths(self.fleet, paths_of(text), ACCOUNT_NAMES)

    async def status(self, text: str) -> PathStatus:
        """Return the status of the only path of a file."""
        (placed,) = await self.place(text)
        return evaluate(self.fleet, placed, window(NOW + POINT_MINUTES), self.points(placed))


def limit_of(status: PathStatus, signal: str) -> LimitStatus:
    """Return the limit of a signal on a path."""
    limits = [limit for hop in status.hops for limit in hop.limits]
    (found,) = (limit for limit in limits if limit.series.key.signal == signal)
    return found
