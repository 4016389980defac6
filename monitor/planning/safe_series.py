"""Finds the series that are safe because the aggregates of their metrics are small.

A metric of such a series is a part of an aggregate. Plans how often these aggregates are read.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.formulas import Block
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.planning.cadence import Danger, cadences
from monitor.planning.intervals import MAX_INTERVAL, Intervals
from monitor.planning.min_minutes import min_minutes
from monitor.planning.safe_parts import INFINITE, are_read, unread_peaks
from rules.arrays import Flags, Floats, Indices, Ints

BATCH_SIZE = 1024  # parts that are computed, in some milliseconds, before other tasks may run


class PartFormulas(NamedTuple):
    """Formulas whose metrics are all parts of aggregates. rows and factors are [metric, position].

    factors: no usage is above the highest product of a metric and its factor.
    """

    slots: Indices
    rows: Ints
    factors: Floats


class SafeSeries:
    """Finds which series are safe: iterate over `find`, `note` the danger of all, `choose`, then `mark`.

    slot_count: the number of slots when the plan begins; series added since are planned the next time.
    chosen: which series are safe, by slot.
    """

    def __init__(self, fleet: Fleet, intervals: Intervals, slot_count: int) -> None:
        self._fleet, self._intervals, self._size = fleet, intervals, fleet.rings.size
        self._aggregate = fleet.rings.whole[: self._size].copy()  # rows may be freed and used again meanwhile
        self._parts = list[PartFormulas]()
        self._highest_usage = np.full(slot_count, np.nan, np.float32)  # the highest possible usage
        self._edge = np.full(slot_count, np.nan, np.float32)
        # Minutes between two reads of the aggregates; 0: the series is never safe.
        self._aggregates_interval = np.zeros(slot_count, np.int32)
        self.chosen = np.zeros(slot_count, np.bool_)

    @property
    def has_parts(self) -> bool:
        """True if any metrics are parts of an aggregate."""
        return bool(self._parts)

    @property
    def candidates(self) -> Flags:
        """The series that are safe if their aggregates are read often enough, by slot."""
        return self._aggregates_interval > 0

    def find(self, now: int) -> Iterator[None]:
        """Find the highest usage that is possible in minutes that were not read, batch by batch."""
        rings = self._fleet.rings
        parts = np.flatnonzero(self._aggregate != NO_BOUND).astype(np.int32)
        if not parts.size:
            return
        peaks = np.full(self._size, np.nan, np.float32)
        for first in range(0, parts.size, BATCH_SIZE):
            batch = parts[first : first + BATCH_SIZE]
            batch = batch[are_read(rings, self._aggregate[batch], now)]
            peaks[batch] = unread_peaks(rings, batch, self._aggregate[batch])
            yield
        highest = np.full(self._highest_usage.size, -INFINITE)
        for formulas in (self._fleet.usages, self._fleet.upper_bounds):
            for block in formulas:
                self._include(block, peaks, highest)
                yield
        self._highest_usage = np.where(np.isinf(highest), np.nan, highest).astype(np.float32)

    def _include(self, block: Block, peaks: Floats, highest: Floats) -> None:
        """Raise `highest` to the usages of a block; infinite where a metric is unknown or not a part."""
        slots, rows, factors = block.slots, block.rows, block.factors()
        is_known_row = (slots < highest.size) & (rows < self._size).all(axis=0)
        slots, rows = slots[is_known_row], rows[:, is_known_row]
        if factors is None:
            highest[slots] = INFINITE
            return
        factors = factors[:, is_known_row]
        usage = (peaks[rows] * factors).max(axis=0)
        np.maximum.at(highest, slots, np.where(np.isnan(usage), INFINITE, usage))
        are_parts = (self._aggregate[rows] != NO_BOUND).all(axis=0)
        self._parts.append(PartFormulas(slots[are_parts], rows[:, are_parts], factors[:, are_parts]))

    def note(self, slots: slice, danger: Danger) -> None:
        """Note the danger of the series at these slots, and how often their aggregates must be read."""
        if not self.has_parts:
            return
        highest = self._highest_usage[slots]
        danger_by_aggregate = replace(
            danger, usage=highest, sample_age_minutes=np.zeros_like(danger.sample_age_minutes)
        )
        is_safe = (highest < danger.edge) & ~danger.is_urgent
        self._aggregates_interval[slots] = np.where(
            is_safe, cadences(danger_by_aggregate, self._intervals), 0
        )
        self._edge[slots] = danger.edge

    def choose(self, planned_minutes: Ints, now: int) -> None:
        """Choose the series that are safe, and plan the aggregates that are read for these series alone.

        An aggregate that other series need is read no more often for its parts. planned_minutes: the minutes
        between two requests of each metric, as needed by the series that are not candidates; changed in
        place.
        """
        rings, longest = self._fleet.rings, self._intervals.longest
        parts = np.flatnonzero(self._aggregate != NO_BOUND)
        aggregates, aggregate_of_part = np.unique(self._aggregate[parts], return_inverse=True)
        minutes = np.maximum(planned_minutes[aggregates], min_minutes(rings, aggregates))
        are_needed = rings.use_count[aggregates] > np.bincount(aggregate_of_part, minlength=aggregates.size)
        minutes = np.where(are_needed, minutes, longest)
        is_safe = self._are_safe(parts, minutes[aggregate_of_part])
        saved = np.bincount(aggregate_of_part, self._saved_rates(is_safe)[parts], aggregates.size)
        saved_if_all_safe = np.bincount(
            aggregate_of_part, self._saved_rates(np.ones_like(is_safe))[parts], aggregates.size
        )
        are_unknown = now - rings.requested_through[aggregates].astype(np.int64) > MAX_INTERVAL
        aggregate_rate = 1 / max(longest, 1)  # requests a minute that reading the aggregate costs
        pays = np.where(are_unknown, saved_if_all_safe, saved) > aggregate_rate
        planned_minutes[aggregates] = np.where(
            are_needed, planned_minutes[aggregates], np.where(pays, longest, NOT_READ)
        )
        self.chosen = self._are_safe(parts, np.where(are_needed | pays, minutes, NOT_READ)[aggregate_of_part])

    def _are_safe(self, parts: Indices, minutes: Ints) -> Flags:
        """Return which series are safe if the aggregates of `parts` are read once in these minutes."""
        minutes_of_row = np.full(self._size, NOT_READ, np.int32)
        minutes_of_row[parts] = minutes
        is_safe = self.candidates
        for slots, rows, _ in self._parts:
            is_safe[slots] &= self._aggregates_interval[slots] >= minutes_of_row[rows].max(axis=0)
        return is_safe

    def _saved_rates(self, is_safe: Flags) -> Floats:
        """Return the requests a minute of each metric that are saved if these series are safe."""
        saved = np.zeros(self._size, np.float32)
        for slots, rows, _ in self._parts:
            saved_rate = 1 / np.maximum(self._fleet.cadence[slots], 1) - np.float32(1 / MAX_INTERVAL)
            saved[rows] = np.where(is_safe[slots], np.maximum(saved_rate, 0), saved[rows])
        return saved

    def mark(self, planned_minutes: Ints) -> None:
        """Write the cadences of safe series to the fleet, and `safe_below` of their metrics to the rings.

        `safe_below`: the value of the metric's aggregate below which the metric is safe.
        """
        below = np.full(self._size, np.nan, np.float32)
        for parts in self._parts:
            chosen = self.chosen[parts.slots]
            slots, rows, factors = parts.slots[chosen], parts.rows[:, chosen], parts.factors[:, chosen]
            with np.errstate(divide="ignore"):
                np.fmin.at(below, rows, self._edge[slots] / factors)
            self._fleet.cadence[slots] = planned_minutes[self._aggregate[rows]].max(axis=0)
        is_rare = planned_minutes[: self._size] >= MAX_INTERVAL
        self._fleet.rings.safe_below[: self._size] = np.where(is_rare, below, np.nan)
