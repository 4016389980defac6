"""What watching costs: measured so far, and projected for a month, by cell and service."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter

from monitor.columns import Flags, Ints
from monitor.fleet import CellKey, Fleet
from monitor.telemetry import DOLLARS_PER_METRIC, Telemetry

HOUR = 3600
MONTH = 365.25 * 86400 / 12  # seconds
DOLLARS_PER_UPDATE = 0.003 / 1000  # Metric Streams, per metric update; one a minute and metric
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Of one cell, or one service: metrics asked for and streamed, and dollars a month."""

    names: tuple[str, ...]
    polled: int
    streamed: int
    month: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Dollars for the metrics requested since the process began to watch a cell, in epoch seconds."""

    account: str
    region: str
    dollars: float
    requested: float
    since: float

    @property
    def month(self) -> float | None:
        """At the pace so far; None while the first reads, which are of three hours, weigh too much."""
        watched = time.time() - self.since
        return self.dollars / watched * MONTH if watched >= HOUR else None


def bill(names: tuple[str, ...], polled: int, streamed: int, interval: float) -> Bill:
    month = polled * DOLLARS_PER_METRIC * MONTH / interval + streamed * DOLLARS_PER_UPDATE * MONTH / 60
    return Bill(names=names, polled=polled, streamed=streamed, month=month)


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


def projected(reads: Reads, interval: float) -> tuple[list[Bill], list[Bill]]:
    """By cell and by service, the dearest first, from the metrics that are read now.

    A metric that several services read counts for each of them, and once for its cell. May take long: not for
    the event loop.
    """
    paid = np.zeros(reads.streamed.size, np.bool_)  # what an API tells is not
    for rows in reads.cells.values():
        paid[rows] = True
    by_cell = [_bill(cell, rows, reads.streamed, interval) for cell, rows in reads.cells.items()]
    by_service = [
        _bill((service,), rows[paid[rows]], reads.streamed, interval)
        for service, rows in _rows_of_services(reads)
    ]
    return _dearest(by_cell), _dearest(by_service)


def _bill(names: tuple[str, ...] | CellKey, rows: Ints, streamed: Flags, interval: float) -> Bill:
    number = int(np.count_nonzero(streamed[rows]))
    return bill(names, rows.size - number, number, interval)


def _dearest(bills: list[Bill]) -> list[Bill]:
    return sorted(bills, key=lambda one: (-one.month, one.names))


def _rows_of_services(reads: Reads) -> Iterator[tuple[str, Ints]]:
    """The rings' rows that the series of each service use, each once."""
    pairs = [(numbers << 32 | rows).ravel() for numbers, rows in reads.blocks]
    each = np.unique(np.concatenate([np.empty(0, np.int64), *pairs]))
    for number, service in enumerate(reads.services):
        yield service, (each[each >> 32 == number] & (2**32 - 1)).astype(np.int32)


def measured(telemetry: Telemetry) -> list[Measured]:
    """What the process's own counters say, by cell, the dearest first."""
    requested = dict(_samples(telemetry.metrics_requested, "_total"))
    since = dict(_samples(telemetry.metrics_requested, "_created"))
    found = [
        Measured(
            account=account,
            region=region,
            dollars=dollars,
            requested=requested[account, region],
            since=since[account, region],
        )
        for (account, region), dollars in _samples(telemetry.dollars, "_total")
    ]
    return sorted(found, key=lambda one: -one.dollars)


def _samples(counter: Counter, suffix: str) -> Iterator[tuple[CellKey, float]]:
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith(suffix):
                yield (sample.labels["account"], sample.labels["region"]), sample.value
