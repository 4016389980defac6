"""Fleets with the series of request paths, whose usage and limits tests write down."""

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
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.path_file import RequestPath, parse_paths
from rules.paths import Floats
from rules.signals import Band
from tests.registries import REGISTRY

CELL: CellKey = ("123456789012", "eu-west-1")
OTHER: CellKey = ("210987654321", "us-east-1")
NAMES = {CELL[0]: "production", OTHER[0]: "test"}
NOW = 30_000_005  # minutes


def parsed(text: str) -> Sequence[RequestPath]:
    """The paths of a file."""
    read = parse_paths(text.encode(), "paths.yaml")
    assert read.model, read.problems
    return read.model.paths


class Seen(NamedTuple):
    """The cell of a series, the names of its resource, why it cannot be observed, and its zone."""

    cell: CellKey = CELL
    names: tuple[str, ...] = ()
    unobservable: str = ""
    zone: Zone = Zone.WITHIN


@dataclass
class PathFleet:
    """A fleet, and the points of metrics that are no usage. flows: per second, by metric and dimensions."""

    fleet: Fleet = field(default_factory=Fleet)
    flows: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)

    def put(
        self,
        signal: str,
        path: tuple[str, ...],
        usage: float = np.nan,
        limit: float | None = 100.0,
        **more: Any,
    ) -> Series:
        """Add a series with the same usage in all of the last hours. more: fields of `Seen`."""
        cell, names, unobservable, zone = Seen(**more)
        service, name = signal.split(".")
        resource = Resource("thing", path, names) if path else ACCOUNT
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
        self.judge(series, usage, zone)
        return series

    def judge(self, series: Series, usage: float, zone: Zone = Zone.WITHIN) -> None:
        """Write down what a series used for the last hours, and how it is judged."""
        slot, formula = series.slot, self.fleet.usages.get(series.slot)
        if formula and not np.isnan(usage):
            minutes = np.arange(NOW - 179, NOW + 1, dtype=np.int32)
            rows = np.full(minutes.size, formula.rows[0], np.int32)
            self.fleet.rings.write(rows, minutes, np.full(minutes.size, usage, np.float32))
            self.fleet.rings.mark_read(np.array(formula.rows[:1]), NOW)
        self.fleet.usage[slot], self.fleet.minute[slot] = usage, NOW
        self.fleet.utilization[slot] = usage / self.fleet.limit[slot]
        self.fleet.zone[slot] = zone if not np.isnan(usage) else Zone.STALE

    def flow(self, name: str, per_second: float, *values: str) -> None:
        """Give a metric, by the values of its dimensions, this rate in all minutes."""
        self.flows[name, values] = per_second

    def points(self, placed: PlacedPath) -> Mapping[tuple[CellKey, Metric], Floats]:
        """The points of the metrics of a path, as they are read."""
        return {one: np.full(POINTS, self.point(one[1])) for hop in placed.hops for one in hop.metrics}

    def point(self, metric: Metric) -> float:
        """A point of a metric of five minutes, as `PastPoints` has it: of a sum, that of a minute."""
        flow = self.flows.get((metric.name, tuple(value for _, value in metric.dimensions)), np.nan)
        return flow * 60 if metric.stat == "Sum" else flow

    async def placed(self, text: str) -> list[PlacedPath]:
        """The paths of a file in the fleet."""
        return await place_paths(self.fleet, parsed(text), NAMES)

    async def status(self, text: str) -> PathStatus:
        """Return what the only path of a file carries."""
        (placed,) = await self.placed(text)
        return evaluate(self.fleet, placed, window(NOW + POINT_MINUTES), self.points(placed))


def limit_of(status: PathStatus, signal: str) -> LimitStatus:
    """The limit of a signal on a path."""
    (found,) = [one for hop in status.hops for one in hop.limits if one.series.key.signal == signal]
    return found
