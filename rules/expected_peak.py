"""The peak of usage to expect in the coming days, by the past fortnight.

It is the 99th percentile of the fortnight or of the last week, whichever is higher. If each day of the last
week had a higher mean than the same day of the week before, the percentile of the last week is multiplied by
the median growth. `bench/expected_peak.py` compares the rule with real traces.

Arrays are [bin, series], as in `rules.analogs`.
"""

from typing import Final, NamedTuple

import numpy as np

from rules.analogs import BINS_PER_DAY, MIN_DAY_BINS, WEEK
from rules.arrays import Floats, Ints
from rules.right_size import MAX_WEEKLY_GROWTH

PEAK_QUANTILE: Final = 0.99  # share of the quarter-hours whose highest demand is at most the peak
MIN_COMPARED_DAYS: Final = 5  # days of the last week that are known a week before, too
MIN_WEEKLY_GROWTH: Final = np.float32(0.01)
WEEK_BINS: Final = WEEK * BINS_PER_DAY
HIGHEST_BINS: Final = 2 * WEEK_BINS // 100 + 1  # the peak of a fortnight is one of so many highest bins


class ExpectedPeak(NamedTuple):
    """The expected peaks of some series.

    peak: in the unit of usage; NaN without known usage. weekly_growth: the growth from week to week that the
    peak contains, as a share; 0 if none is counted.
    """

    peak: Floats
    weekly_growth: Floats


def expected_peak(usage: Floats) -> ExpectedPeak:
    """Return the expected peaks of series with this usage of a fortnight, [bin, series]; NaN is missing.

    The oldest bin is the first.
    """
    with np.errstate(all="ignore"):
        growth = weekly_growth(usage)
        highest = _highest_by_week(usage)
        known_bins = np.count_nonzero(np.isfinite(usage).reshape(2, WEEK_BINS, -1), axis=1)
        last_week = _percentile(highest[:, 1], known_bins[1]) * (1 + growth)
        fortnight = _percentile(highest.reshape(len(highest), -1), known_bins.sum(axis=0))
        return ExpectedPeak(np.fmax(fortnight, last_week), growth)


def weekly_growth(usage: Floats) -> Floats:
    """Return the growth from week to week of each series, as a share; 0 if not all days grew.

    usage: as for `expected_peak`. Of two days a week apart, the bins that are known of both are compared.
    """
    before, after = usage.reshape(2, WEEK, BINS_PER_DAY, -1)
    is_known = np.isfinite(before + after)
    sum_before, sum_after = (np.where(is_known, days, 0).sum(axis=1) for days in (before, after))
    is_compared = (np.count_nonzero(is_known, axis=1) >= MIN_DAY_BINS) & (sum_before > 0)
    compared_days = np.count_nonzero(is_compared, axis=0)
    day_growth = np.full(sum_before.shape, np.nan, np.float32)
    np.divide(sum_after - sum_before, sum_before, out=day_growth, where=is_compared)
    day_growth.sort(axis=0)  # NaN comes last
    median = np.take_along_axis(day_growth, np.maximum((compared_days - 1) // 2, 0)[None], axis=0)[0]
    grows = (compared_days >= MIN_COMPARED_DAYS) & (day_growth[0] > 0) & (median >= MIN_WEEKLY_GROWTH)
    return np.where(grows, np.minimum(median, MAX_WEEKLY_GROWTH), np.float32(0))


def _highest_by_week(usage: Floats) -> Floats:
    """Return the highest HIGHEST_BINS of each week, [series, week, bin], in no order; -inf is missing."""
    by_series = usage.T.copy()  # Partitioning the last axis takes a quarter of the time of the first.
    np.fmax(by_series, np.float32(-np.inf), out=by_series)
    weeks = by_series.reshape(-1, 2, WEEK_BINS)
    weeks.partition(WEEK_BINS - HIGHEST_BINS, axis=2)
    return weeks[:, :, WEEK_BINS - HIGHEST_BINS :]


def _percentile(highest: Floats, known_bins: Ints) -> Floats:
    """Return the 99th percentile of usage with these highest bins, [series, bin]; NaN without a known bin."""
    rank_from_top = known_bins - np.ceil(PEAK_QUANTILE * known_bins).astype(np.intp)
    places = highest.shape[1] - 1 - rank_from_top
    percentile: Floats = np.take_along_axis(np.sort(highest, axis=1), places[:, None], axis=1)[:, 0]
    return np.where(known_bins > 0, percentile, np.float32(np.nan))
