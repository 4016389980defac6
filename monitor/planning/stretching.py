"""A budget of dollars: how cadences stretch to keep within it.

How often metrics are requested depends on how many there are of each cadence, and not on which they are.
"""

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Ints
from monitor.planning.intervals import MAX_INTERVAL

MAX_EXPONENT = 8.0  # turns 2 minutes into MAX_INTERVAL
BISECTIONS = 30

Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def longer_cadences(counts: Counts, metrics_per_minute: float) -> Ints:
    """Return for each cadence in minutes, from 0 on, the one that takes its place.

    So many metrics at most are then requested in a minute on average. Those stretch most that are longest, as
    there is least danger; those of a minute stretch only once all others are as long as can be. None becomes
    longer than MAX_INTERVAL, unless it was so before. counts: of the metrics, by their cadence.
    """
    cadences = np.arange(counts.size, dtype=np.int32)
    if _requested(counts, cadences.astype(np.float64)) <= metrics_per_minute:
        return cadences
    low, high = 0.0, MAX_EXPONENT + MAX_INTERVAL
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _requested(counts, _stretch(cadences, middle)) <= metrics_per_minute:
            high = middle
        else:
            low = middle
    return np.ceil(_stretch(cadences, high)).astype(np.int32)


def _stretch(cadences: Ints, amount: float) -> Doubles:
    """Return longer cadences: to the power of 1 + amount; an excess over MAX_EXPONENT raises the shortest."""
    exponent, shortest = min(amount, MAX_EXPONENT), max(amount - MAX_EXPONENT, 0.0) + 1
    longest = np.maximum(cadences, MAX_INTERVAL)
    longer: Doubles = np.minimum(np.maximum(cadences ** (1 + exponent), shortest), longest)
    return longer


def _requested(counts: Counts, cadences: Doubles) -> float:
    """Return how many metrics are requested in a minute on average; those of 0 minutes in each minute."""
    return float((counts / np.maximum(cadences, 1)).sum())
