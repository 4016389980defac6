"""The probability that usage reaches a limit within some hours, and when, for many series at once.

The usage after the present time of day on each of the last thirteen days may repeat (`rules.analogs`).
A logistic regression computes a probability from the share of these days that reach the limit, and other
numbers without a unit (`rules.forecast_features`). Its coefficients are the same for all series.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, BINS_PER_DAY, Past, analog_days, logistic, moved_analog, weights
from rules.arrays import Floats
from rules.forecast_features import HORIZONS, Crossings, features

BINS: Final = 14 * BINS_PER_DAY  # bins of history
MIN_BINS: Final = 2 * BINS_PER_DAY  # known bins; with fewer, nothing is forecast
SERIES_AT_ONCE: Final = 256  # series that fit into a processor's cache
QUANTILES: Final = (0.1, 0.5, 0.9)
# Times are computed within the shortest horizon that has at least this probability; if none has, within the
# longest horizon with a known probability.
LIKELY: Final = 0.5
MIN_PROBABILITY: Final = 0.05  # below it, no times are given

# By horizon in minutes: the bias, then a coefficient for each of FEATURES. Fitted to 93 real traces by
# `bench/forecast.py --fit`.
COEFFICIENTS: Final = {
    60: (0.08, 0.27, 0.26, 0.02, 0.20, -0.14, 0.07, 0.34, -0.01, 0.03, 1.14, 0.64, 0.09, -0.04),
    360: (0.49, 0.29, 0.16, 0.25, 0.10, -0.27, 0.18, 0.03, 0.15, 0.21, 0.68, 0.21, 0.10, -0.21),
    1440: (1.72, 0.20, 0.12, 0.29, 0.23, -0.20, 0.26, 0.01, 0.32, 0.14, 0.08, 0.16, 0.08, -0.22),
    4320: (2.60, 0.22, 0.05, 0.50, 0.11, -0.04, 0.17, 0.13, 0.42, 0.09, -0.11, 0.14, -0.01, -0.23),
}


@dataclass(frozen=True)
class Forecast:
    """The probability that some series reach their limits, and the time until they do.

    probability: of reaching the limit within each of HORIZONS, [series, horizon]; it never falls from one
    horizon to the next. minutes: from now until the limit is reached, if it is, by QUANTILES, [series,
    quantile]. NaN: unknown.
    """

    probability: Floats
    minutes: Floats


NO_FORECAST: Final = Forecast(
    np.empty((0, len(HORIZONS)), np.float32), np.empty((0, len(QUANTILES)), np.float32)
)


def forecast(history: NDArray[np.floating], limit: NDArray[np.floating]) -> Forecast:
    """Forecast when usage reaches the limit.

    history: the highest usage of each quarter-hour, [series, BINS], the oldest first; the last one ends
    now; NaN is missing. limit: the limit of each series in the same unit, above 0; NaN is unknown.
    """
    parts = [slice(at, at + SERIES_AT_ONCE) for at in range(0, len(history), SERIES_AT_ONCE)]
    with np.errstate(all="ignore"):
        forecasts = [_forecast(history[part], limit[part].astype(np.float32)) for part in parts]
    forecasts.insert(0, NO_FORECAST)  # so that there is something to concatenate
    return Forecast(
        np.concatenate([part.probability for part in forecasts]),
        np.concatenate([part.minutes for part in forecasts]),
    )


def _forecast(history: NDArray[np.floating], limit: Floats) -> Forecast:
    past = Past(np.ascontiguousarray(history.T, np.float32))
    crossings = Crossings.of(past, limit)
    # [horizon, series]
    probability = np.stack([_probability(past, limit, crossings, horizon) for horizon in HORIZONS])
    probability = np.fmax.accumulate(probability, axis=0)
    is_reached = past.usage[-1] >= limit
    probability[:, is_reached] = 1
    probability[:, ~(np.isfinite(past.level) & (limit > 0) & (past.known_bins >= MIN_BINS))] = np.nan
    minutes = _minutes(past, limit, probability)
    minutes[is_reached & np.isfinite(probability[-1])] = 0
    return Forecast(np.ascontiguousarray(probability.T), minutes)


def _probability(past: Past, limit: Floats, crossings: Crossings, horizon: int) -> Floats:
    """Return the probability of reaching the limit within a horizon; NaN without an analog."""
    bias, *coefficients = COEFFICIENTS[horizon]
    values, has_analog = features(past, limit, crossings, horizon)
    probability = logistic(np.float32(bias) + np.array(coefficients, np.float32) @ values)
    return np.where(has_analog, probability, np.float32(np.nan))


def _minutes(past: Past, limit: Floats, probability: Floats) -> Floats:
    """Return QUANTILES of the time until the limit is reached, if it is, [series, quantile].

    probability: [horizon, series].
    """
    minutes = np.full((len(limit), len(QUANTILES)), np.nan, np.float32)
    longest_known = len(HORIZONS) - 1 - np.isfinite(probability[::-1]).argmax(axis=0)
    likely = probability >= LIKELY
    horizon_numbers = np.where(likely.any(axis=0), likely.argmax(axis=0), longest_known)
    is_given = np.fmax.reduce(probability, axis=0) >= MIN_PROBABILITY
    for number, horizon in enumerate(HORIZONS):
        series = np.flatnonzero(is_given & (horizon_numbers == number))
        if series.size:
            minutes[series] = _first_crossings(past.select(series), limit[series], horizon // BIN_MINUTES)
    return minutes


def _first_crossings(past: Past, limit: Floats, bins: int) -> Floats:
    """Return QUANTILES of the minutes until the analogs that reach the limit do so, [series, quantile].

    `reaches` is [analog, bin, series]; `first`, the first such bin, and the weights are [analog, series].
    """
    days_ago = analog_days(bins, len(past.usage))
    reaches = np.stack([moved_analog(past, ago, bins) >= limit for ago in days_ago])
    first = np.where(reaches.any(axis=1), reaches.argmax(axis=1), np.nan)
    order = np.argsort(first, axis=0)
    weight = np.where(np.isfinite(first), weights(days_ago)[:, None], 0)
    share = np.take_along_axis(weight, order, axis=0).cumsum(axis=0) / weight.sum(axis=0)
    ranks = np.stack([(share >= quantile).argmax(axis=0) for quantile in QUANTILES])
    bins_until = np.take_along_axis(np.take_along_axis(first, order, axis=0), ranks, axis=0)
    middle_of_bin = bins_until.T + 0.5
    return middle_of_bin.astype(np.float32) * BIN_MINUTES
