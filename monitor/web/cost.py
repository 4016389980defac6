"""What watching costs: measured so far, and projected for a month, by service and by cell."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter

from monitor.columns import Flags, Ints
from monitor.fleet import CellKey, Fleet
from monitor.price import DOLLARS_PER_METRIC, DOLLARS_PER_UPDATE
from monitor.telemetry import Telemetry

HOUR = 3600
MONTH = 365.25 * 86400 / 12  # seconds
Names = tuple[str, ...]  # a service; or an account and a region
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Metrics that are polled and streamed now, and the dollars of a month of it."""

    polled: int = 0
    streamed: int = 0
    month: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Metrics requested, updates streamed and their dollars, since an epoch second."""

    requested: float = 0.0
    updates: float = 0.0
    dollars: float = 0.0
    since: float | None = None

    @property
    def month(self) -> float | None:
        """At the pace so far; None while it is too short to tell."""
        watched = time.time() - self.since if self.since else 0.0
        return self.dollars / watched * MONTH if watched >= HOUR else None

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(
            requested=self.requested + other.requested,
            updates=self.updates + other.updates,
            dollars=self.dollars + other.dollars,
            since=min(filter(None, (self.since, other.since)), default=None),
        )


@dataclass(frozen=True, slots=True)
class Bill:
    """Of one service, or one cell; of nobody, where all names are empty."""

    names: Names
    plan: Plan
    measured: Measured


def plan(polled: int, streamed: int, interval: float) -> Plan:
    month = polled * DOLLARS_PER_METRIC * MONTH / interval + streamed * DOLLARS_PER_UPDATE * MONTH / 60
    return Plan(polled=polled, streamed=streamed, month=month)


@dataclass(frozen=True, slots=True)
class Reads:
    """Which metrics are read for what, as copies to count in another thread.

    cells: the rings' rows that are polled or streamed. blocks: for series, their services' numbers and their
    formulas' rows. streamed: by row.
    """

    cells: Mapping[CellKey, Ints]
    services: Sequence[str]
    blocks: Sequence[tuple[Numbers, Ints]]
    streamed: Flags

    @classmethod
    def of(cls, fleet: Fleet) -> "Reads":
        """As it is now. For the event loop."""
        rows = np.arange(fleet.rings.size, dtype=np.int32)
        cells, named = {group[:2] for group in fleet.groups}, sorted({group[2] for group in fleet.groups})
        of_group = np.array([named.index(group[2]) for group in fleet.groups], np.int64)
        blocks = [
            (of_group[fleet.group[block.series]], block.rows.copy())
            for formulas in (fleet.usages, fleet.bounds, fleet.refusals)
            for block in formulas
        ]
        polled = {cell: np.fromiter(fleet.metrics(cell).values(), np.int32) for cell in cells}
        return cls(polled, named, blocks, fleet.rings.is_streamed(rows, int(time.time() // 60)))


def bills(
    reads: Reads, told: Mapping[Names, Measured], interval: float
) -> tuple[Sequence[Bill], Sequence[Bill]]:
    """By service and by cell, the dearest first. told: by account, region and service.

    A metric that several services read is in the plan of each of them, and once in its cell's. May take
    long: not for the event loop.
    """
    services, cells = _planned(reads, interval)
    return _bills(services, _sums(told, slice(2, 3))), _bills(cells, _sums(told, slice(2)))


def _bills(plans: Mapping[Names, Plan], told: Mapping[Names, Measured]) -> Sequence[Bill]:
    made = [Bill(names, plans.get(names, Plan()), told.get(names, Measured())) for names in {*plans, *told}]
    return sorted(made, key=lambda one: (-one.plan.month, -one.measured.dollars, one.names))


def _planned(reads: Reads, interval: float) -> tuple[Mapping[Names, Plan], Mapping[Names, Plan]]:
    paid = np.zeros(reads.streamed.size, np.bool_)  # what an API tells is not
    for rows in reads.cells.values():
        paid[rows] = True
    of_services = {(service,): rows[paid[rows]] for service, rows in _rows_of_services(reads)}

    def planned(rows: Ints) -> Plan:
        streamed = int(np.count_nonzero(reads.streamed[rows]))
        return plan(rows.size - streamed, streamed, interval)

    return (
        {names: planned(rows) for names, rows in of_services.items()},
        {names: planned(rows) for names, rows in reads.cells.items()},
    )


def _rows_of_services(reads: Reads) -> Iterator[tuple[str, Ints]]:
    """The rings' rows that the series of each service use, each once."""
    pairs = [(numbers << 32 | rows).ravel() for numbers, rows in reads.blocks]
    each = np.unique(np.concatenate([np.empty(0, np.int64), *pairs]))
    for number, service in enumerate(reads.services):
        yield service, (each[each >> 32 == number] & (2**32 - 1)).astype(np.int32)


def measured(telemetry: Telemetry) -> Mapping[Names, Measured]:
    """What the process's own counters say, by account, region and service."""
    counters = telemetry.metrics_requested, telemetry.updates, telemetry.dollars
    requested, updates, dollars = (_samples(counter, "_total") for counter in counters)
    since = _samples(telemetry.dollars, "_created")
    return {
        names: Measured(
            requested=requested.get(names, 0.0),
            updates=updates.get(names, 0.0),
            dollars=spent,
            since=since[names],
        )
        for names, spent in dollars.items()
    }


def _samples(counter: Counter, suffix: str) -> Mapping[Names, float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith(suffix)
    }


def _sums(told: Mapping[Names, Measured], by: slice) -> Mapping[Names, Measured]:
    found: dict[Names, Measured] = {}
    for names, one in told.items():
        found[names[by]] = found.get(names[by], Measured()) + one
    return found
