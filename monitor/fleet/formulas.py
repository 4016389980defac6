"""Usage formulas of many series at once, grouped so that each group is a few array expressions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collectors.base import Op
from monitor.fleet.columns import INITIAL_CAPACITY, Flags, Floats, Indices, Ints
from monitor.fleet.namespaces import ALWAYS, NEVER
from monitor.fleet.operations import NAN, SETTLED_AFTER, SILENCE_OPS, FormulaTerms
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.rings import Rings

Index = npt.NDArray[np.integer[Any]] | slice
Slots = Ints | slice  # the slots of series; a slice selects all series of a fleet and has no start

NO_BLOCK = -1
DIFFERENCES = (Op.DIFFERENCE, Op.COUNT_DIFFERENCE)
MAY_FALL = (*DIFFERENCES, Op.RISE, *SILENCE_OPS)  # operations whose result may fall when a metric grows


def slot_count(slots: Slots) -> int:
    """Return the number of slots."""
    return int(slots.stop) if isinstance(slots, slice) else slots.size


def select_slots(slots: Slots, indices: Ints) -> Ints:
    """Return the slots at these indices."""
    return indices if isinstance(slots, slice) else slots[indices]


@dataclass(frozen=True, slots=True)
class Formula:
    """`op` over the rings' rows, each times its weight in float32 (see `collectors.base.Usage`)."""

    op: Op
    rows: tuple[int, ...]
    weights: tuple[float, ...]


class Block:
    """The formulas with one operation and one number of terms; `rows` and `weights` are [term, position].

    lower_bounds: a sum whose terms are only partly known counts as the lower bound that it is.
    """

    def __init__(self, op: Op, terms: int, lower_bounds: bool = False) -> None:
        self.op, self.size, self.lower_bounds = op, 0, lower_bounds
        self._series = np.empty(16, np.intp)
        self._rows = np.empty((terms, 16), np.int32)
        self._weights = np.empty((terms, 16), np.float32)

    @property
    def series(self) -> Indices:
        """The slot of each formula's series."""
        return self._series[: self.size]

    @property
    def rows(self) -> Ints:
        """The rows of the terms: one line per term, one column per formula."""
        return self._rows[:, : self.size]

    @property
    def weights(self) -> Floats:
        """The weights of the terms, shaped as `rows`."""
        return self._weights[:, : self.size]

    def add(self, slot: int, formula: Formula) -> int:
        """Append a formula and return its position."""
        if self.size == self._series.size:
            self._series = np.concatenate([self._series, np.empty_like(self._series)])
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)], axis=1)
            self._weights = np.concatenate([self._weights, np.empty_like(self._weights)], axis=1)
        self._series[self.size] = slot
        self._rows[:, self.size] = formula.rows
        self._weights[:, self.size] = formula.weights
        self.size += 1
        return self.size - 1

    def remove(self, position: int) -> int:
        """Remove a formula, move the last one to its position, and return the slot of that one."""
        self.size -= 1
        for column in (self._series, self._rows, self._weights):
            column[..., position] = column[..., self.size]
        return int(self._series[position])

    def newest_minutes(self, rings: Rings, positions: Index = slice(None)) -> Ints:
        """Return the newest minute that has a result, for some of the formulas or all.

        With several metrics, each must have a point in it or be proven to have none. A provisional minute is
        taken only if its result is no lower than that of the newest complete one. A result that may fall when
        a metric grows waits until the minute is complete.
        """
        rows = self.rows[:, positions]
        known = rings.latest_minute.take(rows)
        if self.op in MAY_FALL:
            newest = known.min(axis=0) if self.op in DIFFERENCES else known.max(axis=0)
            newest_known: Ints = np.minimum(newest, rings.complete_through(rows).min(axis=0))
        elif len(known) == 1:
            newest_known = known[0]
        else:
            newest_known = self._newest_of_all_terms(rings, positions, known.max(axis=0))
        return newest_known

    def _newest_of_all_terms(self, rings: Rings, positions: Index, newest: Ints) -> Ints:
        """Return the newest minute up to `newest` in which every term is known, for each formula."""
        rows, weights = self.rows[:, positions], self.weights[:, positions]
        proven = rings.proven_through[rows]
        complete: Ints = np.minimum(newest, proven.min(axis=0))
        ahead = np.flatnonzero(newest > complete)
        if not ahead.size:
            return complete
        formulas = FormulaTerms(self.op, rows[:, ahead], weights[:, ahead])
        newest_known, newest = complete[ahead], newest[ahead]
        complete_result = formulas.result(rings, newest_known)
        known_through = np.maximum(proven[:, ahead], rings.newest_point[formulas.rows]).min(axis=0)
        for minutes in (np.minimum(newest, known_through), newest):
            result = formulas.result(rings, minutes)
            newest_known = np.where(np.isnan(result) | (result < complete_result), newest_known, minutes)
        complete[ahead] = newest_known
        return complete

    def complete_through(self, rings: Rings, positions: Index = slice(None)) -> Ints:
        """Return the minute up to which results are complete, for some of the formulas or all."""
        final: Ints = rings.complete_through(self.rows[:, positions]).min(axis=0)
        return final

    def worst_recent(self, rings: Rings) -> tuple[Ints, Floats]:
        """Return the newest minute known, and the highest result of the recent minutes up to it (NaN: none).

        The recent minutes are `RingColumns.recent_minutes`, of the term with the most. A sum includes the
        metrics that are known: it is throttled demand, which a late metric cannot reduce.
        """
        known = rings.latest_minute.take(self.rows)
        if len(known) == 1:
            return known[0], rings.recent_max.take(self.rows[0]) * self.weights[0]
        minutes: Ints = known.min(axis=0) if self.op in DIFFERENCES else known.max(axis=0)
        recent = [self.at(rings, slice(None), minutes - back) for back in range(RECENT_MINUTES)]
        worst: Floats = np.fmax.reduce(recent)
        self._include_long_recent(rings, minutes, worst)
        if self.op is Op.COUNT_DIFFERENCE:
            unsettled: Flags = np.logical_or.reduce(np.isnan(recent))
            self._include_settled(rings, minutes, worst, unsettled)
        return minutes, worst

    def _include_settled(self, rings: Rings, minutes: Ints, worst: Floats, unsettled: Flags) -> None:
        """Raise `worst` to the last settled results where the recent minutes are not settled yet."""
        positions = np.flatnonzero(unsettled)
        back = np.arange(RECENT_MINUTES, SETTLED_AFTER + RECENT_MINUTES, dtype=np.int32)[:, np.newaxis]
        earlier = minutes[positions] - back
        results = self.at(rings, np.tile(positions, len(back)), earlier.ravel()).reshape(earlier.shape)
        worst[positions] = np.fmax(worst[positions], np.fmax.reduce(results))

    def _include_long_recent(self, rings: Rings, minutes: Ints, worst: Floats) -> None:
        """Raise `worst` where more than RECENT_MINUTES are recent and a term is above 0 in one of them."""
        positive = (rings.recent_max[self.rows] * self.weights > 0).any(axis=0)
        span = rings.recent_minutes[self.rows].max(axis=0) * positive
        for back in range(RECENT_MINUTES, int(span.max(initial=0))):
            positions = np.flatnonzero(span > back)
            results = self.at(rings, positions, minutes[positions] - back)
            worst[positions] = np.fmax(worst[positions], results)

    def at(self, rings: Rings, positions: Index, minutes: Ints) -> Floats:
        """Return the results of some of the formulas, each in its minute; NaN where there is none."""
        terms = FormulaTerms(self.op, self.rows[:, positions], self.weights[:, positions], self.lower_bounds)
        return terms.result(rings, minutes)

    def formula(self, position: int) -> Formula:
        """Return the formula at a position."""
        rows, weights = self.rows[:, position], self.weights[:, position]
        return Formula(self.op, tuple(rows.tolist()), tuple(weights.tolist()))


class Formulas:
    """One formula for each series that has one, in blocks by operation and number of terms."""

    def __init__(self, lower_bounds: bool = False) -> None:
        self._lower_bounds = lower_bounds
        self._blocks: list[Block] = []
        self._block_numbers: dict[tuple[Op, int], int] = {}  # by operation and number of terms
        self._block_of = np.full(INITIAL_CAPACITY, NO_BLOCK, np.int16)  # the block's number, by slot
        self._positions = np.zeros(INITIAL_CAPACITY, np.int32)  # the position in the block, by slot

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def __bool__(self) -> bool:
        """Return true if any series has, or had, a formula here."""
        return bool(self._blocks)

    def get(self, slot: int) -> Formula | None:
        """Return the formula of the series in a slot; None if it has none."""
        number = self._block_of[slot] if slot < self._block_of.size else NO_BLOCK
        return None if number == NO_BLOCK else self._blocks[number].formula(int(self._positions[slot]))

    def put(self, slot: int, formula: Formula | None) -> None:
        """Set, replace or (None) remove the formula of the series in a slot."""
        if formula == self.get(slot):
            return
        self._grow_to(slot)
        self._remove(slot)
        if formula:
            number = self._block_number(formula)
            self._block_of[slot] = number
            self._positions[slot] = self._blocks[number].add(slot, formula)

    def newest_minutes(self, rings: Rings, slots: Slots) -> Ints:
        """Return the newest minute that has a result, for each slot; NEVER without a formula or a point."""
        minutes = np.full(slot_count(slots), NEVER, np.int32)
        for block, indices, positions in self._by_block(slots):
            minutes[indices] = block.newest_minutes(rings, positions)
        return minutes

    def has(self, slots: Ints) -> Flags:
        """Return which of these slots have a formula, as flags."""
        self._grow_to(int(slots.max(initial=0)))
        has_formula: Flags = self._block_of[slots] != NO_BLOCK
        return has_formula

    def recent_minutes(self, rings: Rings, slots: Ints) -> Ints:
        """Return how many minutes are recent for each slot (see `RingColumns`); 0 without a formula."""
        minutes = np.zeros(slots.size, np.int32)
        for block, indices, positions in self._by_block(slots):
            minutes[indices] = rings.recent_minutes[block.rows[:, positions]].max(axis=0)
        return minutes

    def complete_through(self, rings: Rings, slots: Ints) -> Ints:
        """Return the minute up to which results are complete, for each slot; ALWAYS without a formula."""
        minutes = np.full(slots.size, ALWAYS, np.int32)
        for block, indices, positions in self._by_block(slots):
            minutes[indices] = block.complete_through(rings, positions)
        return minutes

    def at(self, rings: Rings, slots: Slots, minutes: Ints) -> Floats:
        """Return the result for each slot in its minute; NaN where there is none."""
        results = np.full(minutes.size, NAN)
        for block, indices, positions in self._by_block(slots):
            results[indices] = block.at(rings, positions, minutes.take(indices))
        return results

    def _by_block(self, slots: Slots) -> Iterator[tuple[Block, Indices, Index]]:
        """Yield each block with formulas of these slots, and the indices and positions of these slots."""
        if isinstance(slots, slice):
            yield from ((block, block.series, slice(None)) for block in self._blocks)
            return
        self._grow_to(int(slots.max(initial=0)))
        numbers = self._block_of[slots]
        for number in range(int(numbers.max(initial=NO_BLOCK)) + 1):
            indices = np.flatnonzero(numbers == number)
            if indices.size:
                yield self._blocks[number], indices, self._positions[slots[indices]]

    def _block_number(self, formula: Formula) -> int:
        key = formula.op, len(formula.rows)
        if key not in self._block_numbers:
            self._block_numbers[key] = len(self._blocks)
            self._blocks.append(Block(*key, self._lower_bounds))
        return self._block_numbers[key]

    def _remove(self, slot: int) -> None:
        if self._block_of[slot] != NO_BLOCK:
            position = int(self._positions[slot])
            moved = self._blocks[self._block_of[slot]].remove(position)
            self._positions[moved] = position
            self._block_of[slot] = NO_BLOCK

    def _grow_to(self, slot: int) -> None:
        while slot >= self._block_of.size:
            self._block_of = np.concatenate([self._block_of, np.full_like(self._block_of, NO_BLOCK)])
            self._positions = np.concatenate([self._positions, np.zeros_like(self._positions)])
