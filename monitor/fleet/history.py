"""The last three hours of a series, minute by minute."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judged import Judged
from monitor.fleet.rings import NEVER, RECENT, WINDOW
from rules.band import Zone, Zones


@dataclass(frozen=True, kw_only=True)
class SeriesHistory(Judged):
    """The judgement of a series in each of the WINDOW minutes up to `end`.

    recent_minutes: minutes in which throttled demand counts as recent, as for the judge (see `RingColumns`).
    """

    end: int
    recent_minutes: int = RECENT

    @property
    def start(self) -> int:
        """The first minute of the window."""
        return self.end - WINDOW + 1

    @classmethod
    def of(cls, fleet: Fleet, series: Series, end: int) -> "SeriesHistory":
        """Judge the minutes of a series. Call it in the event loop, where polls write."""
        minutes = np.arange(end - WINDOW + 1, end + 1, dtype=np.int32)
        slots = np.full(WINDOW, series.slot, np.int32)
        span = int(fleet.throttled.recent_minutes(fleet.rings, slots[:1])[0]) or RECENT
        return cls(**vars(fleet.judged_at(slots, minutes)), end=end, recent_minutes=span)

    def since(self, zone: Zone) -> int | None:
        """Return the minute since which the series is in the zone, or (above the band) in it or a worse one.

        None if it was so in all minutes that are known.
        """
        out = np.flatnonzero(_outside(self.zones, zone))
        return int(out[-1]) + self.start + 1 if out.size else None

    @cached_property
    def zones(self) -> Zones:
        """The zone in each minute, with the throttled demand of recent minutes, as the judge exports it."""
        recent = np.fmax.reduce([_later(self.excess, ago) for ago in range(self.recent_minutes)])
        return self.zone_of(recent > 0)


def newest_minute(fleet: Fleet, series: Series) -> int:
    """Return the last minute that any metric of a series was read for; NEVER if none was."""
    formulas = (of.get(series.slot) for of in (fleet.usages, fleet.upper_bounds, fleet.throttled))
    rows = [row for formula in formulas if formula for row in formula.rows]
    return int(fleet.rings.window_end[rows].max(initial=NEVER))


def usage_histories(fleet: Fleet, slots: Ints) -> tuple[Ints, Floats]:
    """Return minutes and usage, [series, minute], of the window up to the newest minute of each series."""
    newest = np.maximum(fleet.usages.newest_minutes(fleet.rings, slots), NEVER + WINDOW)
    minutes = newest[:, None] + np.arange(1 - WINDOW, 1, dtype=np.int32)
    found = fleet.usages.at(fleet.rings, np.repeat(slots, WINDOW), minutes.ravel())
    return minutes, found.reshape(minutes.shape)


def _outside(zones: Zones, zone: Zone) -> Flags:
    known: Flags = zones > Zone.STALE
    if zone is Zone.STALE:
        return known
    return known & (zones < zone) if zone > Zone.WITHIN else known & (zones != zone)


def _later(values: Floats, minutes: int) -> Floats:
    moved = np.full_like(values, np.nan)
    moved[minutes:] = values[: values.size - minutes]
    return moved
