"""Splits the series and metrics of a plan into parts; other tasks may run between two parts.

Between two parts an inventory may add series and metrics. An array that was made before has one entry more
than there were series or metrics: its last entry stands for all that were added since, which are planned the
next time.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.formulas import Formulas
from rules.arrays import Indices, Ints

PART_SIZE = 16_384  # series or metrics that are planned at once, in some milliseconds


def ranges(size: int) -> Iterator[slice]:
    """Yield the parts of `size` series or metrics, as slices."""
    for first in range(0, size, PART_SIZE):
        yield slice(first, min(first + PART_SIZE, size))


def formula_parts(formulas: Formulas, slot_count: int, row_count: int) -> Iterator[tuple[Indices, Ints]]:
    """Yield the slots of formulas with the rows of their metrics, [metric, slot], part by part.

    slot_count, row_count: how many there were when the plan began; slots and rows added since are replaced by
    these numbers.
    """
    for block in formulas:
        for part in ranges(block.size):
            yield np.minimum(block.slots[part], slot_count), np.minimum(block.rows[:, part], row_count)
