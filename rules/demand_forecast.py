"""Forecasts a fortnight of recorded demand, which may be late, have holes, repeat daily or only grow.

A running Headroom and the backtest of a look-back call this, so that both forecast alike.
Arrays are [bin, series], as in `rules.analogs`.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Flags, Floats, distinct_values
from rules.forecast import BINS, forecast
from rules.growth import growth

MAX_BINS_LATE: Final = 4  # bins by which the newest demand may be older than the newest bin
MAX_HOLE_BINS: Final = 4  # missing bins in a row that are filled with the demand before them

CEILING_DAYS: Final = BINS // BINS_PER_DAY + 1  # days whose throttling is remembered: a fortnight and today

Bins = NDArray[np.int32]
BinnedDemand = NDArray[np.floating]


class DemandForecast(NamedTuple):
    """A forecast, as `rules.forecast.Forecast`. known_bins: how many bins of each series are known."""

    probability: Floats
    minutes: Floats
    known_bins: Bins


def demand_forecast(demand: BinnedDemand, limit: NDArray[np.floating]) -> DemandForecast:
    """Forecast when demand reaches the limit.

    demand: the demand of each quarter-hour, [BINS, series], the oldest first; the last one ends now;
    NaN is missing. limit: the limit of each series in the same unit, above 0; NaN is unknown. Where the
    newest demand is more than MAX_BINS_LATE old, the forecast is NaN.
    """
    bins_late = late_bins(demand, MAX_BINS_LATE + 1)
    recent = recent_demand(demand, bins_late)
    by_analogs, (growing, by_slopes) = forecast(recent.T, limit), growth(recent, limit)
    probability = np.where(growing[:, None], by_slopes.probability, by_analogs.probability)
    from_newest_demand = np.where(growing[:, None], by_slopes.minutes, by_analogs.minutes)
    from_now = from_newest_demand - (bins_late * BIN_MINUTES)[:, None]
    minutes: Floats = np.maximum(from_now, 0).astype(np.float32)  # keeps NaN
    is_stale = bins_late > MAX_BINS_LATE
    probability[is_stale] = minutes[is_stale] = np.nan
    return DemandForecast(probability, minutes, np.isfinite(recent).sum(axis=0, dtype=np.int32))


def recent_demand(demand: BinnedDemand, bins_late: Bins) -> BinnedDemand:
    """Return the demand of each series, shifted until its newest known bin is last, with short holes filled.

    bins_late: see `late_bins`. A series whose newest demand is more than MAX_BINS_LATE old is not shifted.
    """
    return without_short_holes(up_to_newest(demand, np.where(bins_late > MAX_BINS_LATE, 0, bins_late)))


def late_bins(demand: BinnedDemand, max_bins: int) -> Bins:
    """Return how many bins old the newest known demand of each series is, `max_bins` at most."""
    known = np.isfinite(demand[: -max_bins - 1 : -1])
    return np.where(known.any(axis=0), known.argmax(axis=0), max_bins).astype(np.int32)


def up_to_newest(demand: BinnedDemand, bins_late: Bins) -> BinnedDemand:
    """Return the demand of each series, shifted until its newest known bin is last.

    bins_late: see `late_bins`.
    """
    if not bins_late.any():
        return demand
    shifted = demand.copy()
    for bins in distinct_values(bins_late[bins_late > 0]).tolist():
        columns = np.flatnonzero(bins_late == bins)
        shifted[bins:, columns] = demand[:-bins, columns]
        shifted[:bins, columns] = np.nan
    return shifted


def without_short_holes(demand: BinnedDemand) -> BinnedDemand:
    """Fill holes of up to MAX_HOLE_BINS with the demand before them, so that no day is lost."""
    known = np.isfinite(demand)
    with_holes = np.flatnonzero((known[:-1] & ~known[1:]).any(axis=0))
    if not with_holes.size:
        return demand
    filled = demand.copy()
    filled[:, with_holes] = _filled(demand[:, with_holes], known[:, with_holes])
    return filled


def _filled(demand: BinnedDemand, known: Flags) -> BinnedDemand:
    bin_number = np.arange(len(demand), dtype=np.int16)[:, None]
    last_known = np.maximum.accumulate(np.where(known, bin_number, np.int16(-MAX_HOLE_BINS - 1)), axis=0)
    filled = np.take_along_axis(demand, np.maximum(last_known, 0).astype(np.intp), axis=0)
    return np.where(bin_number - last_known <= MAX_HOLE_BINS, filled, demand.dtype.type(np.nan))
