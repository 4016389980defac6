"""The last three hours of a series, minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judged import Judged
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from rules.arrays import Flags, Floats, Ints
from rules.band import Zone, Zones


@dataclass(frozen=True, kw_only=True)
class SeriesHistory(Judged):
    """The judgement of a series in each of the WINDOW minutes up to `end`.

    recent_minutes: for how many minutes throttled demand counts as recent, as in the judgement of the fleet
    (see `RingColumns`).
    """

    end: int
    recent_minutes: int = RECENT_MINUTES

    @property
    def start(self) -> int:
        """The first minute of the window."""
        return self.end - WINDOW + 1

    @classmethod
    def of(cls, fleet: Fleet, series: Series, end: int) -> "SeriesHistory":
        """Judge the window of a series. Call it in the event loop, where polls write."""
        return cls.of_each(fleet, [series], end)[0]

    @classmethod
    def of_each(cls, fleet: Fleet, series: Sequence[Series], end: int) -> "list[SeriesHistory]":
        """Judge the windows of several series together. Call it in the event loop, where polls write."""
        slots = np.array([entry.slot for entry in series], np.int32)
        minutes = np.tile(np.arange(end - WINDOW + 1, end + 1, dtype=np.int32), slots.size)
        columns = vars(fleet.judged_at(np.repeat(slots, WINDOW), minutes))
        recent_minutes = fleet.throttled.recent_minutes(fleet.rings, slots).tolist()
        return [
            cls(
                **{name: column[index * WINDOW : (index + 1) * WINDOW] for name, column in columns.items()},
                end=end,
                recent_minutes=int(recent) or RECENT_MINUTES,
            )
            for index, recent in enumerate(recent_minutes)
        ]

    def since(self, zone: Zone) -> int | None:
        """Return the minute since which the series has been in the zone; None if it was in all known minutes.

        For zones above the band, minutes in a worse zone count as well.
        """
        outside = np.flatnonzero(_outside(self.zones, zone))
        return int(outside[-1]) + self.start + 1 if outside.size else None

    @cached_property
    def zones(self) -> Zones:
        """The zone in each minute, with the throttled demand of recent minutes, as the judge exports it."""
        # By minute: the throttled minutes from the start of the window up to it.
        throttled_count: Ints = np.cumsum(self.excess > 0, dtype=np.int32)
        # By minute: those of the last `recent_minutes` minutes up to it.
        recent_count: Ints = throttled_count.copy()
        recent_count[self.recent_minutes :] -= throttled_count[: -self.recent_minutes]
        return self.zone_of(recent_count > 0)


def last_read_minute(fleet: Fleet, series: Series) -> int:
    """Return the last minute that any metric of a series was read for; NEVER if none was."""
    columns = (fleet.usages, fleet.upper_bounds, fleet.throttled)
    formulas = filter(None, (column.get(series.slot) for column in columns))
    rows = [row for formula in formulas for row in formula.rows]
    return int(fleet.rings.window_end[rows].max(initial=NEVER))


def usage_histories(fleet: Fleet, slots: Ints) -> tuple[Ints, Floats]:
    """Return minutes and usage, [series, minute], of each series' window up to its newest minute."""
    newest = np.maximum(fleet.usages.newest_minutes(fleet.rings, slots), NEVER + WINDOW)
    minutes = newest[:, None] + np.arange(1 - WINDOW, 1, dtype=np.int32)
    usage = fleet.usages.at(fleet.rings, np.repeat(slots, WINDOW), minutes.ravel())
    return minutes, usage.reshape(minutes.shape)


def _outside(zones: Zones, zone: Zone) -> Flags:
    """Return which minutes are known to be outside the zone; above the band, worse zones are not outside."""
    known: Flags = zones > Zone.STALE
    if zone is Zone.STALE:
        return known
    return known & (zones < zone) if zone > Zone.WITHIN else known & (zones != zone)
