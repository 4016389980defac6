"""The last three hours of a series, minute by minute."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import Flags, Floats
from monitor.fleet import Fleet, Series
from monitor.formulas import Formulas
from monitor.judge import history
from monitor.rings import RECENT, WINDOW
from rules.band import Zone, zones


@dataclass(frozen=True, slots=True)
class Course:
    """Usage, its upper bound and saturation in the WINDOW minutes up to `end`; NaN where nothing is known.

    utilization: by the limit in force now.
    """

    end: int
    usage: Floats
    at_most: Floats
    saturation: Floats
    utilization: Floats

    @property
    def start(self) -> int:
        return self.end - WINDOW + 1

    @classmethod
    def of(cls, fleet: Fleet, series: Series, end: int) -> "Course":
        """As the fleet knows it now. For the event loop: it reads what polls write."""
        usage, at_most, saturation = (
            _aligned(fleet, formulas, series.place, end)
            for formulas in (fleet.usages, fleet.bounds, fleet.refusals)
        )
        return cls(end, usage, at_most, saturation, usage / fleet.limit[series.place])

    def since(self, series: Series, zone: Zone) -> int | None:
        """The minute from which on it has been in the zone, or (above the band) in that or a worse one.

        None when it was so all the time that is known.
        """
        out = np.flatnonzero(self._outside(series, zone))
        return int(out[-1]) + self.start + 1 if out.size else None

    def _outside(self, series: Series, zone: Zone) -> Flags:
        band = series.ruling.band
        recent = np.fmax.reduce([_later(self.saturation, minutes) for minutes in range(RECENT)])
        edges = (np.full(WINDOW, edge, np.float32) for edge in (band.low, band.high, band.critical))
        stood = zones(self.utilization, recent, *edges)
        known = stood > Zone.STALE
        if zone is Zone.STALE:
            return known
        return known & (stood < zone) if zone > Zone.WITHIN else known & (stood != zone)


def _later(values: Floats, minutes: int) -> Floats:
    moved = np.full_like(values, np.nan)
    moved[minutes:] = values[: values.size - minutes]
    return moved


def _aligned(fleet: Fleet, formulas: Formulas, place: int, end: int) -> Floats:
    aligned = np.full(WINDOW, np.nan, np.float32)
    if formula := formulas.get(place):
        minutes, values = history(fleet, formula)
        inside = (minutes > end - WINDOW) & (minutes <= end)
        aligned[minutes[inside] - (end - WINDOW + 1)] = values[inside]
    return aligned
