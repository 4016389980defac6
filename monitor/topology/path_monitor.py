"""Reads the metrics of request paths, and evaluates the paths anew at each update."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from prometheus_client import CollectorRegistry

from collectors.base import Metric
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.topology.evaluation import evaluate
from monitor.topology.flow_points import window
from monitor.topology.path_status import PathStatus, PathStatuses
from monitor.topology.resolver import AccountNames, PlacedPath, place_paths
from monitor.topology.telemetry import PathTelemetry
from rules.arrays import Float64s, Floats
from rules.path_file import RequestPath

log = logging.getLogger(__name__)

UPDATE_INTERVAL: Final = 15.0  # seconds between two evaluations
MAX_LOGGED_FAILURES: Final = 1000  # different failures; after these, no other failure is logged


class PointReader(Protocol):
    """Reads the points of metrics in a cell."""

    async def read(
        self, cell: CellKey, metrics: Sequence[Metric], minutes: range
    ) -> tuple[Mapping[Metric, Floats], Sequence[str]]:
        """Return the points of the metrics that were read, and sentences on why other metrics were not."""
        ...


class PathMonitor:
    """Evaluates the request paths of the configuration. statuses: the last evaluation of the paths.

    now: returns the time in epoch seconds. account_names: returns the names of the accounts by id.
    """

    def __init__(
        self,
        fleet: Fleet,
        reader: PointReader,
        now: Callable[[], float],
        account_names: Callable[[], AccountNames],
        registry: CollectorRegistry,
    ) -> None:
        self._fleet, self._reader, self._now, self._account_names = fleet, reader, now, account_names
        self._telemetry = PathTelemetry(registry)
        self._paths: Sequence[RequestPath] = ()
        self._placed_paths: Sequence[PlacedPath] = ()
        self._placed_version = -1  # the version of the fleet in which the hops were found
        self._minutes = range(0)
        self._points: dict[tuple[CellKey, Metric], Float64s] = {}
        self._failures: dict[CellKey, Sequence[str]] = {}
        self._logged_failures: set[str] = set()
        self.statuses = PathStatuses()

    def configure(self, paths: Sequence[RequestPath]) -> None:
        """Use these paths from now on. Until the next update, remaining paths keep their last statuses."""
        names = {path.name for path in paths}
        self._paths, self._placed_version = paths, -1
        self._publish([status for status in self.statuses.items if status.name in names])

    async def update(self, *, is_ready: bool = True) -> None:
        """Find the hops of the paths in the fleet, read the metrics that are due, and evaluate the paths.

        is_ready: false while some series were not read yet. Then nothing is updated.
        """
        if not self._paths or not is_ready:
            return
        paths = self._paths
        await self._place()
        await self._read()
        statuses: list[PathStatus] = []
        for placed_path in self._placed_paths:
            status = evaluate(self._fleet, placed_path, self._minutes, self._points)
            statuses.append(replace(status, reasons=[*status.reasons, *self._failure_sentences(placed_path)]))
            await asyncio.sleep(0)
        if paths is self._paths:  # no other paths were configured meanwhile
            self._publish(statuses)

    def _publish(self, statuses: Sequence[PathStatus]) -> None:
        self.statuses = PathStatuses(statuses, len(self._paths))
        self._telemetry.show(statuses)

    async def _place(self) -> None:
        version = self._fleet.version
        if version == self._placed_version:
            return
        self._placed_paths = await place_paths(self._fleet, self._paths, self._account_names())
        self._placed_version = version

    async def _read(self) -> None:
        """Read the metrics whose points were not yet read for the present window of minutes."""
        minutes = window(int(self._now() // 60))
        if minutes != self._minutes:
            self._minutes, self._points = minutes, {}
        missing = defaultdict[CellKey, dict[Metric, None]](dict)
        for hop in (hop for path in self._placed_paths for hop in path.hops):
            for cell, metric in hop.metrics:
                if (cell, metric) not in self._points:
                    missing[cell][metric] = None
        self._failures = {}
        for cell, metrics in missing.items():
            points, failures = await self._reader.read(cell, [*metrics], minutes)
            self._points |= {(cell, metric): values.astype(np.float64) for metric, values in points.items()}
            if failures:
                self._failures[cell] = failures
                self._log_failures(cell, failures)

    def _failure_sentences(self, placed_path: PlacedPath) -> list[str]:
        """Return the first failure, as a sentence, of each cell in which metrics of a path cannot be read."""
        cells = dict.fromkeys(cell for hop in placed_path.hops for cell, _ in hop.metrics)
        return [
            f"{'/'.join(cell)}: its metrics cannot be read: {failure}"
            for cell in cells
            for failure in self._failures.get(cell, ())[:1]
        ]

    def _log_failures(self, cell: CellKey, failures: Sequence[str]) -> None:
        """Log each different failure once."""
        for failure in failures:
            sentence = f"{'/'.join(cell)}: metrics of request paths cannot be read: {failure}"
            if sentence not in self._logged_failures and len(self._logged_failures) < MAX_LOGGED_FAILURES:
                self._logged_failures.add(sentence)
                log.warning("%s", sentence)
