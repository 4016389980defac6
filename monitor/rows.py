"""The fleet's series as rows for people, the most urgent first, and what could not be observed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from collectors.base import Unobservable
from monitor.fleet import Fleet, Key, Series
from monitor.rings import NEVER
from rules.band import Zone
from rules.limits import Band, Signal, Source, catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One series after the last judgement; None where nothing is known.

    usage, at_most and limit in `unit`; `at_most` where the usage is only bounded; sampled in epoch seconds;
    band: the target band, of utilization.
    """

    key: Key
    zone: Zone
    usage: float | None
    at_most: float | None
    limit: float | None
    source: Source | None
    unit: str
    utilization: float | None
    refused: float | None
    sampled: int | None
    unobservable: Unobservable | None
    band: Band = field(default_factory=Band)

    @property
    def urgency(self) -> tuple[int, float]:
        """Sorts the most urgent first: by zone, then by utilization."""
        return -self.zone, -(self.utilization or 0.0)

    @property
    def sampled_at(self) -> str:
        """The sample's minute, as ISO 8601 in UTC; empty when there is none."""
        if self.sampled is None:
            return ""
        return datetime.fromtimestamp(self.sampled, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signal_of(key: Key) -> Signal:
    """The catalogue's entry of a series."""
    return catalogue()[key.service].signals[key.signal]


def row_of(fleet: Fleet, series: Series) -> Row:
    """The row of one series, from the columns as last judged."""
    place, limit = series.place, series.ruling.limit
    minute = int(fleet.minute[place])
    return Row(
        key=series.key,
        zone=Zone(int(fleet.zone[place])),
        usage=_number(fleet.usage[place]),
        at_most=_number(fleet.at_most[place]),
        limit=limit.value if limit else None,
        source=limit.source if limit else None,
        unit=signal_of(series.key).unit,
        utilization=_number(fleet.utilization[place]),
        refused=_number(fleet.saturation[place]),
        sampled=minute * 60 if minute > NEVER else None,
        unobservable=series.unobservable,
        band=series.ruling.band,
    )


def rows_of(fleet: Fleet, wanted: Callable[[Key], bool] = lambda key: True) -> list[Row]:
    """The rows of all wanted series, the most urgent first."""
    rows = (row_of(fleet, series) for key, series in fleet.series.items() if wanted(key))
    return sorted(rows, key=lambda row: (row.urgency, row.key))


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(str(value))  # the shortest that float32 tells apart: 0.9
