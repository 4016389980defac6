"""Parts of what is planned: series and metrics that are computed at once, before other tasks may run.

Between two parts an inventory may add series and metrics. An array that was made before has an entry more
than there were, the last one, which stands for all that came since; they are planned the next time.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.columns import Indices, Ints
from monitor.fleet.formulas import Formulas

PART_SIZE = 16_384  # series or metrics: some milliseconds


def ranges(size: int) -> Iterator[slice]:
    """Yield the ranges of so many series or metrics, one part after the other."""
    for first in range(0, size, PART_SIZE):
        yield slice(first, min(first + PART_SIZE, size))


def formula_parts(formulas: Formulas, slots: int, rows: int) -> Iterator[tuple[Indices, Ints]]:
    """Yield the slots of formulas with the rows of their metrics, [metric, slot], part by part.

    slots, rows: how many there were at first; those that came since are given as these numbers.
    """
    for block in formulas:
        for some in ranges(block.size):
            yield np.minimum(block.series[some], slots), np.minimum(block.rows[:, some], rows)
