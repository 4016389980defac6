"""A budget of dollars: how cadences stretch to keep within it."""

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Ints
from monitor.planning.intervals import MAX_INTERVAL

MAX_EXPONENT = 8.0  # turns 2 minutes into MAX_INTERVAL
BISECTIONS = 30

Doubles = npt.NDArray[np.float64]


def stretched(cadences: Ints, metrics_per_minute: float) -> Ints:
    """Return cadences in minutes, of metrics, that request at most this many metrics a minute on average.

    Those stretch most that are longest, as there is least danger; those of a minute stretch only once all
    others are as long as can be. None becomes longer than MAX_INTERVAL, unless it was so before.
    """
    if _requested(cadences.astype(np.float64)) <= metrics_per_minute:
        return cadences
    low, high = 0.0, MAX_EXPONENT + MAX_INTERVAL
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _requested(_stretch(cadences, middle)) <= metrics_per_minute:
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


def _requested(cadences: Doubles) -> float:
    """Return how many metrics are requested in a minute on average."""
    return float((1 / cadences).sum())
