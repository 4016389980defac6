"""Series and metrics that are planned part by part, while an inventory adds more."""

import asyncio

import numpy as np

from collectors.base import Op
from monitor.fleet.fleet import Fleet
from monitor.fleet.formula import Formula, Shape
from monitor.fleet.formulas import Formulas
from monitor.planning.intervals import Intervals
from monitor.planning.parts import PART_SIZE, formula_parts, ranges
from monitor.planning.planner import Planner
from tests.monitor.fleet.fleets import NOW, add, key

SERIES = PART_SIZE + 3


def test_ranges_cover_all_positions_by_slices_of_at_most_a_part() -> None:
    for size in (0, 1, PART_SIZE, SERIES, 3 * PART_SIZE):
        parts = [*ranges(size)]
        assert [n for part in parts for n in range(part.start, part.stop)] == [*range(size)]
        assert all(0 < part.stop - part.start <= PART_SIZE for part in parts)


def test_formula_parts_cover_all_formulas_and_bound_slots_and_rows_by_the_counts_of_the_plan() -> None:
    formulas = Formulas()
    for slot in range(SERIES):
        formulas.put(slot, Formula(Shape(Op.SUM, (None,)), (2 * slot,), (1.0,)))
    slot_count, row_count = SERIES - 1, 2 * (SERIES - 1)  # the counts before the last formula was added
    parts = [*formula_parts(formulas, slot_count, row_count)]
    assert len(parts) == 2
    assert np.concatenate([part_slots for part_slots, _ in parts]).tolist() == [*range(SERIES)]
    assert np.concatenate([part_rows[0] for _, part_rows in parts]).tolist() == [*range(0, 2 * SERIES, 2)]
    (*_, (last_slots, last_rows)) = formula_parts(formulas, slot_count - 1, row_count - 2)
    assert last_slots.tolist()[-2:] == [slot_count - 1] * 2
    assert last_rows[0].tolist()[-2:] == [row_count - 2] * 2


def test_a_fleet_of_several_parts_is_planned_while_series_are_added() -> None:
    fleet = Fleet()
    for n in range(SERIES):
        add(fleet, key(f"stream-{n}"), throttled=None)
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    fleet.rings.write(rows, np.full(rows.size, NOW - 1, np.int32), np.full(rows.size, 600.0, np.float32))
    planner = Planner(fleet, Intervals(1, 15, 5))

    async def grow() -> None:
        for n in range(40):
            await asyncio.sleep(0)
            add(fleet, key(f"new-{n}"))

    async def main() -> None:
        await asyncio.gather(planner.update(NOW), grow())

    fleet.rises_from[: fleet.size], fleet.rises_through[: fleet.size] = NOW - 10_000, NOW - 1
    asyncio.run(main())
    assert set(fleet.cadence[:SERIES].tolist()) == {15}
    planned = fleet.rings.cadence[: rows.size].tolist()
    assert planned.count(5) == 1  # the metric that proves that its namespace publishes
    assert planned.count(15) == rows.size - 1
    planner.plan(NOW + 3)
    assert set(fleet.rings.cadence[rows.size : fleet.rings.size].tolist()) <= {0, 5, 15}
