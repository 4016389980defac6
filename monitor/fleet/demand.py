"""Demand in quarters of an hour, of which forecasts are made: what was used, and what was throttled then."""

from typing import Final

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.judged import Judged
from monitor.fleet.series_columns import SeriesColumns
from monitor.fleet.throttling import throttled_per_served
from rules.analogs import BIN_MINUTES

MEAN_MINUTES: Final = 5  # a bin is the highest of three means of so many minutes
# The ends of queries whose value for five minutes is the mean of the values of the minutes.
MEAN_STATISTICS: Final = (b'Sum"}', b'Average"}', b'SampleCount"}')


def demand_of(columns: SeriesColumns, slots: Ints, minutes: Ints, judged: Judged) -> Floats:
    """Return the usage of slots, each in its minute, together with the demand that was throttled then.

    judged: of these slots in these minutes. NaN where the usage is unknown, only bounded or not observable.
    What was throttled is known as a share of what was served; where it is not, the usage alone is returned.
    """
    usage = np.where(judged.bounded | ~judged.observable, np.float32(np.nan), judged.usage)
    demand: Floats = usage * (1 + throttled_per_served(columns, columns.rings, slots, minutes))
    return demand


def are_peaks(columns: SeriesColumns, slots: Ints) -> Flags:
    """Return which series have a usage that is a highest value or a percentile, not a mean or a sum."""
    rings, formulas = columns.rings, map(columns.usages.get, slots.tolist())
    queries = ([rings.metric[row] for row in one.rows] if one else [] for one in formulas)
    peaks = [any(one and not one.endswith(MEAN_STATISTICS) for one in some) for some in queries]
    return np.array(peaks, np.bool_)


def highest_by_bin(demand: Floats, peaks: Flags) -> tuple[Floats, Flags]:
    """Return the highest demand of each bin, [bin, series], and the bins of which all is known.

    demand: of each minute, [minute, series]. Forecasts are made for means of five minutes. peaks: series
    whose usage is a maximum or a percentile, of which the highest of five minutes is taken instead.
    """
    minutes = demand.reshape(-1, MEAN_MINUTES, demand.shape[1])
    known = np.isfinite(minutes)
    count = known.sum(axis=1)
    mean = np.where(known, minutes, 0).sum(axis=1) / np.maximum(count, 1)
    fives = np.where(peaks, np.fmax.reduce(minutes, axis=1), np.where(count > 0, mean, np.nan))
    parts = fives.reshape(-1, BIN_MINUTES // MEAN_MINUTES, demand.shape[1]).astype(np.float32)
    highest: Floats = np.fmax.reduce(parts, axis=1)
    return highest, np.logical_and.reduce(np.isfinite(parts), axis=1)


def throttled_utilization(judged: Judged) -> Floats:
    """Return the utilization of the minutes in which demand was throttled; NaN for others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        utilization = judged.utilization
    is_throttled = (judged.excess > 0) & (utilization >= 0) & np.isfinite(utilization)
    found: Floats = np.where(is_throttled, utilization, np.float32(np.nan))
    return found


def as_kept(demand: Floats) -> Floats:
    """Return the demand with the digits that a half float has, as the history of a fortnight keeps it."""
    mantissa, exponent = np.frexp(demand)
    kept: Floats = np.ldexp(mantissa.astype(np.float16).astype(np.float32), exponent)
    return kept
