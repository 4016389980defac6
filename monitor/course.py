"""The last three hours of a series, minute by minute."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import Flags, Floats
from monitor.fleet import Fleet, Series
from monitor.formulas import NAN, Formulas
from monitor.judge import history
from monitor.rings import RECENT, WINDOW
from rules.band import Zone, Zones, zones
from rules.limits import Band


@dataclass(frozen=True, slots=True)
class Course:
    """Usage, its upper bound and saturation in the WINDOW minutes up to `end`; NaN where nothing is known.

    limit: the one in force in each minute, as far as the fleet remembers (see `monitor.past_limits`).
    """

    end: int
    usage: Floats
    at_most: Floats
    saturation: Floats
    limit: Floats

    @property
    def start(self) -> int:
        return self.end - WINDOW + 1

    @property
    def utilization(self) -> Floats:
        """Each minute's usage by the limit of then; NaN where the usage is only bounded, not told."""
        return np.where(np.isnan(self.at_most), self.usage / self.limit, NAN)

    @classmethod
    def of(cls, fleet: Fleet, series: Series, end: int) -> "Course":
        """As the fleet knows it now. For the event loop: it reads what polls write."""
        usage, at_most, saturation = (
            _aligned(fleet, formulas, series.place, end)
            for formulas in (fleet.usages, fleet.bounds, fleet.refusals)
        )
        minutes = np.arange(end - WINDOW + 1, end + 1, dtype=np.int32)
        limit = fleet.limits_at(np.full(WINDOW, series.place, np.int32), minutes)
        return cls(end, usage, at_most, saturation, limit)

    def since(self, band: Band, zone: Zone) -> int | None:
        """The minute from which on it has been in the zone, or (above the band) in that or a worse one.

        None when it was so all the time that is known.
        """
        out = np.flatnonzero(_outside(self.stood(band), zone))
        return int(out[-1]) + self.start + 1 if out.size else None

    def stood(self, band: Band) -> Zones:
        """The zone in each minute, as a judgement in that minute would have told it."""
        recent = np.fmax.reduce([_later(self.saturation, minutes) for minutes in range(RECENT)])
        edges = (np.full(WINDOW, edge, np.float32) for edge in (band.low, band.high, band.critical))
        return zones(self.utilization, recent, *edges)


def _outside(stood: Zones, zone: Zone) -> Flags:
    known: Flags = stood > Zone.STALE
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
