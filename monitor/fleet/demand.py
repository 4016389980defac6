"""Demand, which is usage plus throttled demand, by quarter-hour: forecasts are made from it."""

from typing import Final

import numpy as np

from monitor.fleet.judged import Judged
from monitor.fleet.series_columns import SeriesColumns
from monitor.fleet.throttling import throttled_per_served
from rules.analogs import BIN_MINUTES
from rules.arrays import Flags, Floats, Ints

MEAN_MINUTES: Final = 5  # minutes of a mean; the highest of the three means of a quarter-hour counts
# Endings of metric queries whose value for five minutes is the mean of the values of the single minutes.
MEAN_STATISTICS: Final = (b'Sum"}', b'Average"}', b'SampleCount"}')


def demand_of(columns: SeriesColumns, slots: Ints, minutes: Ints, judged: Judged) -> Floats:
    """Return the demand of slots, each in its minute: the usage plus the throttled demand.

    judged: the judgement of these slots in these minutes. NaN where the usage is unknown, only bounded or not
    observable. Throttled demand is added as its share of served demand; where that share is unknown, the
    demand is the usage alone.
    """
    usage = np.where(judged.bounded | ~judged.observable, np.float32(np.nan), judged.usage)
    demand: Floats = usage * (1 + throttled_per_served(columns, columns.rings, slots, minutes))
    return demand


def are_peaks(columns: SeriesColumns, slots: Ints) -> Flags:
    """Return which series have a usage that is a maximum or a percentile, not a mean or a sum."""
    rings, formulas = columns.rings, map(columns.usages.get, slots.tolist())
    queries_by_series = (
        [rings.metric[row] for row in formula.rows] if formula else [] for formula in formulas
    )
    flags = [
        any(query and not query.endswith(MEAN_STATISTICS) for query in queries)
        for queries in queries_by_series
    ]
    return np.array(flags, np.bool_)


def highest_by_bin(demand: Floats, peaks: Flags) -> tuple[Floats, Flags]:
    """Return the highest demand of each bin, and whether the whole bin is known, both [bin, series].

    A bin is a quarter-hour; its highest demand is the highest of its three means of five minutes.
    demand: the demand of each minute, [minute, series]. peaks: the series whose usage is a maximum or a
    percentile; for these the highest of five minutes replaces the mean.
    """
    spans = demand.reshape(-1, MEAN_MINUTES, demand.shape[1])  # [five minutes, minute, series]
    is_known = np.isfinite(spans)
    known_count = is_known.sum(axis=1)
    mean = np.where(is_known, spans, 0).sum(axis=1) / np.maximum(known_count, 1)
    means = np.where(peaks, np.fmax.reduce(spans, axis=1), np.where(known_count > 0, mean, np.nan))
    means_by_bin = means.reshape(-1, BIN_MINUTES // MEAN_MINUTES, demand.shape[1]).astype(np.float32)
    highest: Floats = np.fmax.reduce(means_by_bin, axis=1)
    return highest, np.logical_and.reduce(np.isfinite(means_by_bin), axis=1)


def throttled_utilization(judged: Judged) -> Floats:
    """Return the utilization of the minutes in which demand was throttled; NaN for other minutes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        utilization = judged.utilization
    is_throttled = (judged.excess > 0) & (utilization >= 0) & np.isfinite(utilization)
    where_throttled: Floats = np.where(is_throttled, utilization, np.float32(np.nan))
    return where_throttled


def rounded_as_stored(demand: Floats) -> Floats:
    """Return the demand rounded to a half float, the precision of the history of a fortnight."""
    mantissa, exponent = np.frexp(demand)
    rounded: Floats = np.ldexp(mantissa.astype(np.float16).astype(np.float32), exponent)
    return rounded
