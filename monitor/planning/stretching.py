"""Stretches the cadences of metrics so that their requests keep within a budget of dollars.

A cadence is the minutes between two reads of a metric. How far it stretches depends only on the budget, and
on how many metrics have each cadence.
"""

import numpy as np

from monitor.planning.intervals import MAX_INTERVAL
from rules.arrays import Float64s, Int64s, Ints

MAX_EXPONENT = 8.0  # with it, even 2 minutes become MAX_INTERVAL
BISECTIONS = 30


def longer_cadences(counts: Int64s, metrics_per_minute: float) -> Ints:
    """Return, for each cadence of 0, 1, 2 ... minutes, the stretched cadence that takes its place.

    On average at most `metrics_per_minute` are then requested. The longest cadences stretch most, as their
    series are in the least danger; a cadence of one minute stretches only once all other cadences have the
    maximum. The maximum is MAX_INTERVAL, or the cadence itself if it was longer. counts: the number of
    metrics of each cadence.
    """
    cadences = np.arange(counts.size, dtype=np.int32)
    if _metrics_per_minute(counts, cadences.astype(np.float64)) <= metrics_per_minute:
        return cadences
    low, high = 0.0, MAX_EXPONENT + MAX_INTERVAL
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _metrics_per_minute(counts, _stretch(cadences, middle)) <= metrics_per_minute:
            high = middle
        else:
            low = middle
    return np.ceil(_stretch(cadences, high)).astype(np.int32)


def _stretch(cadences: Ints, amount: float) -> Float64s:
    """Return cadences to the power of 1 + amount; beyond MAX_EXPONENT, lengthen the shortest instead."""
    exponent, shortest = min(amount, MAX_EXPONENT), max(amount - MAX_EXPONENT, 0.0) + 1
    maximum = np.maximum(cadences, MAX_INTERVAL)
    longer: Float64s = np.minimum(np.maximum(cadences ** (1 + exponent), shortest), maximum)
    return longer


def _metrics_per_minute(counts: Int64s, cadences: Float64s) -> float:
    """Return how many metrics are requested in a minute on average; a cadence of 0 counts as 1 minute."""
    return float((counts / np.maximum(cadences, 1)).sum())
