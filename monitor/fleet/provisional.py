"""Samples of minutes that CloudWatch may not have published completely yet."""

import numpy as np

from monitor.fleet.rings import PROVISIONAL_FOR
from monitor.fleet.series_columns import SeriesColumns
from rules.arrays import Flags, Ints


def complete_through(columns: SeriesColumns, slots: Ints) -> Ints:
    """Return the minute up to which usage and throttled demand of each slot are complete."""
    formulas = columns.usages, columns.throttled
    minutes: Ints = np.minimum(*(column.complete_through(columns.rings, slots) for column in formulas))
    return minutes


def is_provisional(minutes: Ints, complete: Ints) -> Flags:
    """Return which samples are incomplete and may still grow.

    minutes: the minutes of the samples. complete: the minute up to which each series is complete.
    """
    beyond = minutes - complete
    provisional: Flags = (beyond > 0) & (beyond <= PROVISIONAL_FOR)
    return provisional
