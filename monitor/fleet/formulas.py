"""Usage formulas of many series at once, grouped so that a few array expressions compute each group."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from collectors.base import Op
from monitor.fleet.columns import INITIAL_CAPACITY
from monitor.fleet.formula import Formula, Shape
from monitor.fleet.namespaces import ALWAYS, NEVER
from monitor.fleet.operations import NAN, SETTLED_AFTER, FormulaTerms
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.rings import Rings
from rules.alerts import Index, entries_at
from rules.arrays import Flags, Floats, Indices, Ints

SlotArray = npt.NDArray[np.integer[Any]]
Slots = SlotArray | slice  # the slots of series; a slice selects all series of a fleet and has no start

NO_BLOCK = -1
LOWER_BOUND_OPS = {Op.SUM, Op.MAX}  # operations whose known terms give a lower bound of the result


def slot_count(slots: Slots) -> int:
    """Return the number of slots."""
    return int(slots.stop) if isinstance(slots, slice) else slots.size


def select_slots(slots: Slots, indices: SlotArray) -> SlotArray:
    """Return the slots at these indices."""
    return indices if isinstance(slots, slice) else slots.take(indices)


class Block:
    """The formulas of one shape; `rows` and `weights` are [metric, position] and [term, position].

    may_fall: results may fall when a metric grows, because of the shape or the weights (see
    `monitor.fleet.formula`). lower_bound_if_unknown: a result with an unknown term is returned as a lower
    bound.
    """

    def __init__(self, shape: Shape, may_fall: bool, lower_bound_if_unknown: bool = False) -> None:
        self.shape, self.may_fall, self.size = shape, may_fall, 0
        self.lower_bound_if_unknown = (
            lower_bound_if_unknown and not may_fall and shape.operations <= LOWER_BOUND_OPS
        )
        self._slots = np.empty(16, np.intp)
        self._rows = np.empty((shape.metric_count, 16), np.int32)
        self._weights = np.empty((shape.weight_count, 16), np.float32)
        self._offsets = np.empty((shape.offset_count, 16), np.float32)

    @property
    def slots(self) -> Indices:
        """The slot of each formula's series."""
        return self._slots[: self.size]

    @property
    def rows(self) -> Ints:
        """The rows of the metrics: one line per metric, one column per formula."""
        return self._rows[:, : self.size]

    @property
    def has_counts(self) -> bool:
        """True if the results contain a difference of counts, which is unknown until it has settled."""
        return Op.COUNT_DIFFERENCE in self.shape.operations

    @property
    def _is_weighted_metric(self) -> bool:
        """True if each formula is one metric times a weight of 0 or more."""
        is_metric = self.shape.terms == (None,) and not self.shape.has_offset
        return is_metric and not self.may_fall

    def add(self, slot: int, formula: Formula) -> int:
        """Append a formula and return its position."""
        if self.size == self._slots.size:
            self._slots = np.concatenate([self._slots, np.empty_like(self._slots)])
            self._rows, self._weights, self._offsets = (
                np.concatenate([column, np.empty_like(column)], axis=1)
                for column in (self._rows, self._weights, self._offsets)
            )
        self._slots[self.size] = slot
        self._rows[:, self.size] = formula.rows
        self._weights[:, self.size] = formula.weights
        self._offsets[:, self.size] = formula.offsets
        self.size += 1
        return self.size - 1

    def remove(self, position: int) -> int:
        """Remove a formula, move the last formula to its position, and return the slot of the moved one."""
        self.size -= 1
        for column in (self._slots, self._rows, self._weights, self._offsets):
            column[..., position] = column[..., self.size]
        return int(self._slots[position])

    def newest_minutes(self, rings: Rings, positions: Index = slice(None)) -> Ints:
        """Return the newest minute that has a result, for some of the formulas or all.

        With several metrics, each must have a point in that minute or be proven to have none. A provisional
        minute is taken only if its result is no lower than the result of the newest complete minute. A result
        that may fall when a metric grows is taken from complete minutes only.
        """
        rows = entries_at(self.rows, positions)
        known = rings.latest_minute.take(rows)
        if self.may_fall:
            newest = self.shape.newest_minute(known)
            newest_known: Ints = np.minimum(newest, rings.complete_through(rows).min(axis=0))
        elif len(known) == 1:
            newest_known = known[0]
        else:
            newest_known = self._newest_of_all_terms(rings, positions, self.shape.newest_minute(known))
        return newest_known

    def _newest_of_all_terms(self, rings: Rings, positions: Index, newest: Ints) -> Ints:
        """Return the newest minute up to `newest` in which every term is known, for each formula."""
        proven = rings.proven_through.take(entries_at(self.rows, positions))
        complete: Ints = np.minimum(newest, proven.min(axis=0))
        ahead = np.flatnonzero(newest > complete)
        if not ahead.size:
            return complete
        terms = self._terms(np.arange(self.size)[positions][ahead])
        newest_known, newest = complete[ahead], newest[ahead]
        complete_result = terms.result(rings, newest_known)
        known_through = np.maximum(proven[:, ahead], rings.newest_point[terms.rows]).min(axis=0)
        # Of these two minutes, the newer one whose result is known and no lower than the complete result.
        for minutes in (np.minimum(newest, known_through), newest):
            result = terms.result(rings, minutes)
            newest_known = np.where(np.isnan(result) | (result < complete_result), newest_known, minutes)
        complete[ahead] = newest_known
        return complete

    def complete_through(self, rings: Rings, positions: Index = slice(None)) -> Ints:
        """Return the minute up to which results are complete, for some of the formulas or all."""
        complete: Ints = rings.complete_through(entries_at(self.rows, positions)).min(axis=0)
        return complete

    def worst_recent(self, rings: Rings) -> tuple[Ints, Floats]:
        """Return the newest known minute, and the highest result of the recent minutes up to it (NaN: none).

        The number of recent minutes is the highest `RingColumns.recent_minutes` of the metrics. A sum
        includes only the known metrics: it is throttled demand, which a late metric cannot reduce. A result
        that may fall is taken from complete minutes only, except a difference of counts: it is taken once it
        has settled.
        """
        known = rings.latest_minute.take(self.rows)
        if self._is_weighted_metric:
            return known[0], rings.recent_max.take(self.rows[0]) * self._weights[0, : self.size]
        minutes = self.shape.newest_minute(known)
        if self.may_fall and not self.has_counts:
            minutes = np.minimum(minutes, self.complete_through(rings))
        recent = [self.at(rings, slice(None), minutes - back) for back in range(RECENT_MINUTES)]
        worst: Floats = np.fmax.reduce(recent)
        self._include_long_recent(rings, minutes, worst)
        if self.has_counts:
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
        """Raise `worst` to the results of the recent minutes beyond RECENT_MINUTES, if these are higher.

        Formulas whose metrics are 0 in all recent minutes are left out.
        """
        may_be_positive = (rings.recent_max[self.rows] > 0).any(axis=0) | (self.shape.offset_count > 0)
        recent_minutes = rings.recent_minutes[self.rows].max(axis=0) * may_be_positive
        for back in range(RECENT_MINUTES, int(recent_minutes.max(initial=0))):
            positions = np.flatnonzero(recent_minutes > back)
            results = self.at(rings, positions, minutes[positions] - back)
            worst[positions] = np.fmax(worst[positions], results)

    def at(self, rings: Rings, positions: Index, minutes: Ints) -> Floats:
        """Return the results of some of the formulas, each in its minute; NaN where there is none."""
        return self._terms(positions, self.lower_bound_if_unknown).result(rings, minutes)

    def _terms(self, positions: Index, lower_bound_if_unknown: bool = False) -> FormulaTerms:
        weights, offsets = (
            entries_at(column[:, : self.size], positions) for column in (self._weights, self._offsets)
        )
        return FormulaTerms(
            self.shape, entries_at(self.rows, positions), weights, offsets, lower_bound_if_unknown
        )

    def factors(self) -> Floats | None:
        """Return factors, [metric, position]: a result is at most the largest product of metric and factor.

        None for operations other than SUM and MAX, and if a metric may lower the result. The metrics must be
        counts, which are never below 0.
        """
        if self.may_fall or self.shape.offset_count or not self.shape.operations <= LOWER_BOUND_OPS:
            return None
        return _factors(self.shape, self._weights[:, : self.size])

    def formula(self, position: int) -> Formula:
        """Return the formula at a position."""
        rows, weights = self._rows[:, position].tolist(), self._weights[:, position].tolist()
        offsets = self._offsets[:, position].tolist() if self.shape.offset_count else ()
        return Formula(self.shape, tuple(rows), tuple(weights), tuple(offsets))


def _factors(shape: Shape, weights: Floats) -> Floats:
    """Return the factors of formulas, [metric, position]. weights: [term, position]."""
    term_count = len(shape.terms)
    # A sum is at most the number of its terms times the largest of them.
    term_factors = weights[:term_count] * np.float32(term_count if shape.op is Op.SUM else 1)
    inner_factors = [
        term_factors[inner.term] * _factors(inner.shape, weights[inner.weights])
        for inner in shape.inner_formulas
    ]
    factors: Floats = np.vstack([term_factors[[*shape.metric_terms]], *inner_factors])
    return factors


class Formulas:
    """The formulas of series, at most one for each slot, in blocks by shape."""

    def __init__(self, lower_bound_if_unknown: bool = False) -> None:
        self._lower_bound_if_unknown = lower_bound_if_unknown
        self._blocks: list[Block] = []
        self._block_numbers: dict[tuple[Shape, bool], int] = {}  # by shape and `may_fall`
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

    def put(self, slot: int, formula: Formula | None) -> Formula | None:
        """Set, replace or (None) remove the formula of the series in a slot. Return the previous formula."""
        before = self.get(slot)
        if formula == before:
            return before
        self._grow_to(slot)
        if before:
            self._remove(slot)
        if formula:
            number = self._block_number(formula)
            self._block_of[slot] = number
            self._positions[slot] = self._blocks[number].add(slot, formula)
        return before

    def newest_minutes(self, rings: Rings, slots: Slots) -> Ints:
        """Return the newest minute that has a result, for each slot; NEVER without a formula or a point."""
        minutes = np.full(slot_count(slots), NEVER, np.int32)
        for block, indices, positions in self._by_block(slots):
            minutes[indices] = block.newest_minutes(rings, positions)
        return minutes

    def has(self, slots: SlotArray) -> Flags:
        """Return which of these slots have a formula, as flags."""
        self._grow_to(int(slots.max(initial=0)))
        has_formula: Flags = self._block_of.take(slots) != NO_BLOCK
        return has_formula

    def metric_set_numbers(self, slots: Ints) -> Ints:
        """Return a number for each slot, equal for formulas of equal shape and metrics.

        The numbers are below `slots.size`. Each slot must have a formula.
        """
        numbers, count = np.zeros(slots.size, np.int32), 0
        for block, indices, positions in self._by_block(slots):
            distinct, inverse = np.unique(entries_at(block.rows, positions), axis=1, return_inverse=True)
            numbers[indices] = count + inverse.ravel()
            count += distinct.shape[1]
        return numbers

    def recent_minutes(self, rings: Rings, slots: Ints) -> Ints:
        """Return how many minutes are recent for each slot (see `RingColumns`); 0 without a formula."""
        minutes = np.zeros(slots.size, np.int32)
        for block, indices, positions in self._by_block(slots):
            minutes[indices] = rings.recent_minutes[entries_at(block.rows, positions)].max(axis=0)
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
            yield from ((block, block.slots, slice(None)) for block in self._blocks)
            return
        self._grow_to(int(slots.max(initial=0)))
        numbers = self._block_of.take(slots)
        for number in range(int(numbers.max(initial=NO_BLOCK)) + 1):
            indices = np.flatnonzero(numbers == number)
            if indices.size:
                yield self._blocks[number], indices, self._positions.take(slots.take(indices))

    def _block_number(self, formula: Formula) -> int:
        key = formula.shape, formula.may_fall
        number = self._block_numbers.get(key)
        if number is None:
            number = self._block_numbers[key] = len(self._blocks)
            self._blocks.append(Block(*key, self._lower_bound_if_unknown))
        return number

    def _remove(self, slot: int) -> None:
        position = int(self._positions[slot])
        moved_slot = self._blocks[self._block_of[slot]].remove(position)
        self._positions[moved_slot] = position
        self._block_of[slot] = NO_BLOCK

    def _grow_to(self, slot: int) -> None:
        while slot >= self._block_of.size:
            self._block_of = np.concatenate([self._block_of, np.full_like(self._block_of, NO_BLOCK)])
            self._positions = np.concatenate([self._positions, np.zeros_like(self._positions)])
