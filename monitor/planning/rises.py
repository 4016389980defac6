"""Finds by how much the usage of a series may rise within some minutes, from its own history.

The highest rise is remembered, and forgotten slowly: a series that rose at noon may rise at the next noon,
but the samples are stored for three hours only.
"""

from typing import Final

import numpy as np

from rules.arrays import Floats, Ints

HORIZONS: Ints = np.array([1, 2, 4, 8, 16, 32, 60], np.int32)  # minutes
HALF_LIFE: Final = np.float32(7 * 1440)  # minutes in which a remembered rise loses half of its height


def highest_rises(usage: Floats) -> Floats:
    """Return the highest rise of each series within each of HORIZONS, [series, horizon]; 0 if it never rose.

    usage: [series, minute], the oldest first; NaN is missing.
    """
    rises, later, span = np.zeros((len(usage), HORIZONS.size), np.float32), _values_after(usage, 1), 1
    for column, horizon in enumerate(HORIZONS.tolist()):
        while span < horizon:  # `later` is the highest usage of the next `span` minutes
            step = min(span, horizon - span)
            later, span = np.fmax(later, _values_after(later, step)), span + step
        rises[:, column] = np.fmax.reduce(later - usage, axis=1, initial=0.0)
    return rises


def faded_rises(rises: Floats, minutes: Ints) -> Floats:
    """Return what is left of remembered rises, [series, horizon], after `minutes` of each series."""
    return rises * np.float32(0.5) ** (minutes[:, None].astype(np.float32) / HALF_LIFE)


def _values_after(values: Floats, minutes: int) -> Floats:
    """Return for each minute the value that follows after `minutes`; NaN where the samples end."""
    later = np.full_like(values, np.nan)
    later[:, :-minutes] = values[:, minutes:]
    return later
