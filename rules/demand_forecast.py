"""Forecasts a fortnight of recorded demand, which may be late, have holes, repeat daily or only grow.

A running Headroom and the backtest of a look-back call this, so that both forecast alike.
Arrays are [bin, series], as in `rules.analogs`.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, DAY
from rules.arrays import Floats
from rules.forecast import BINS, forecast
from rules.growth import growth

MAX_LATE: Final = 4  # bins by which the newest demand may be older than the newest bin
MAX_HOLE: Final = 4  # missing bins in a row that are filled with the demand before them

CEILING_DAYS: Final = BINS // DAY + 1  # days whose throttling is remembered: a fortnight and today

Bins = NDArray[np.int32]
BinnedDemand = NDArray[np.floating]


class DemandForecast(NamedTuple):
    """A forecast, as `rules.forecast.Forecast`. known_bins: how many bins of each series are known."""

    probability: Floats
    minutes: Floats
    known_bins: Bins


def demand_forecast(demand: BinnedDemand, limit: NDArray[np.floating]) -> DemandForecast:
    """Forecast when demand reaches the limit.

    demand: the demand of each quarter of an hour, [BINS, series], the oldest first; the last one ends now;
    NaN is missing. limit: the limit of each series in the same unit, above 0; NaN is unknown. Where the
    newest demand is older than MAX_LATE bins, the forecast is NaN.
    """
    late = late_bins(demand, MAX_LATE + 1)
    known = recent_demand(demand, late)
    by_analogs, (growing, by_slopes) = forecast(known.T, limit), growth(known, limit)
    probability = np.where(growing[:, None], by_slopes.probability, by_analogs.probability)
    until = np.where(growing[:, None], by_slopes.minutes, by_analogs.minutes) - (late * BIN_MINUTES)[:, None]
    minutes: Floats = np.maximum(until, 0).astype(np.float32)  # keeps NaN
    probability[late > MAX_LATE] = minutes[late > MAX_LATE] = np.nan
    return DemandForecast(probability, minutes, np.isfinite(known).sum(axis=0, dtype=np.int32))


def recent_demand(demand: BinnedDemand, late: Bins) -> BinnedDemand:
    """Return the demand of each series, shifted until its newest known bin is last, with short holes filled.

    late: see `late_bins`. A series whose newest demand is older than MAX_LATE bins is not shifted.
    """
    return without_short_holes(up_to_newest(demand, np.where(late > MAX_LATE, 0, late)))


def late_bins(demand: BinnedDemand, max_bins: int) -> Bins:
    """Return how many bins old the newest known demand of each series is, `max_bins` at most."""
    known = np.isfinite(demand[: -max_bins - 1 : -1])
    return np.where(known.any(axis=0), known.argmax(axis=0), max_bins).astype(np.int32)


def up_to_newest(demand: BinnedDemand, late: Bins) -> BinnedDemand:
    """Return the demand of each series, shifted until its newest known bin is last. late: see `late_bins`."""
    if not late.any():
        return demand
    shifted = demand.copy()
    for bins in np.unique(late[late > 0]).tolist():
        columns = np.flatnonzero(late == bins)
        shifted[bins:, columns] = demand[:-bins, columns]
        shifted[:bins, columns] = np.nan
    return shifted


def without_short_holes(demand: BinnedDemand) -> BinnedDemand:
    """Fill holes of up to MAX_HOLE bins with the demand before them, so that no day is lost."""
    bin_number = np.arange(len(demand), dtype=np.int16)[:, None]
    last_known = np.maximum.accumulate(
        np.where(np.isfinite(demand), bin_number, np.int16(-MAX_HOLE - 1)), axis=0
    )
    filled = np.take_along_axis(demand, np.maximum(last_known, 0).astype(np.intp), axis=0)
    return np.where(bin_number - last_known <= MAX_HOLE, filled, demand.dtype.type(np.nan))
