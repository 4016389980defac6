"""The analogs of a forecast: the usage that followed the same time of day on earlier days, moved to now.

Each analog may happen again. It is moved by the growth of the daily mean since that day, and at first also by
the rest of the difference between usage then and now, which fades within hours.

Arrays are [bin, series] and [analog, series], because numpy reduces the first axis many times faster than the
last.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.arrays import Flags, Floats, Ints

BIN_MINUTES: Final = 15
BINS_PER_DAY: Final = 24 * 60 // BIN_MINUTES
MIN_DAY_BINS: Final = BINS_PER_DAY * 3 // 4  # known bins from which on a day has a mean
LEVEL_BINS: Final = 2  # the present usage is the mean of so many bins
FADE_BINS: Final = 300 / BIN_MINUTES  # bins after which 37 % of the difference is left
DAILY_WEIGHT: Final = 0.9  # weight of an analog, relative to the analog of the next day
WEEKDAY_WEIGHT: Final = 2.5  # weight of an analog of the same weekday, relative to others
WEEK: Final = 7  # days
NORMAL_SLOPE: Final = 1.702  # slope at which a logistic function is nearly a normal distribution
# The width of the distribution around each analog is a sum: of this share of the standard deviation of all
# analogs, and of this share of the spread of the series.
ANALOG_WIDTH: Final = np.float32(0.5)
MIN_WIDTH: Final = np.float32(0.02)
TINY: Final = np.float32(1e-30)  # prevents divisions by zero


@dataclass(frozen=True)
class Past:
    """The usage of some series, [bin, series], the oldest bin first, and its statistics.

    The last bin ends now. NaN is missing.
    """

    usage: Floats

    @cached_property
    def known_bins(self) -> Ints:
        """The number of bins that are not missing."""
        known: Ints = np.isfinite(self.usage).sum(axis=0, dtype=np.int32)
        return known

    @cached_property
    def daily_means(self) -> Floats:
        """The mean of each day, [day, series], the last 24 hours first; NaN if over a quarter is missing."""
        days = self.usage.reshape(-1, BINS_PER_DAY, self.usage.shape[1])
        means: Floats = days.mean(axis=1)
        day, series = np.nonzero(np.isnan(means))
        partial_days = days[day, :, series]
        known = np.isfinite(partial_days).sum(axis=1, dtype=np.int32)
        sums = np.nansum(partial_days, axis=1)
        means[day, series] = np.where(known >= MIN_DAY_BINS, sums / np.maximum(known, 1), np.nan)
        return means[::-1]

    @cached_property
    def level(self) -> Floats:
        """The present usage: the mean of the last LEVEL_BINS."""
        return self.level_before(0)

    @cached_property
    def mean(self) -> Floats:
        """The mean of all bins."""
        return self._mean_of(self.usage)

    @cached_property
    def spread(self) -> Floats:
        """The standard deviation of all bins; at least a millionth of the highest usage."""
        highest = np.fmax.reduce(np.abs(self.usage), axis=0)
        spread: Floats = np.sqrt(self._mean_of(np.square(self.usage - self.mean)))
        spread += np.float32(1e-6) * highest + TINY
        return spread

    @cached_property
    def volatility(self) -> Floats:
        """The mean absolute change from bin to bin."""
        return self._mean_of(self._changes)

    @cached_property
    def volatility_today(self) -> Floats:
        """The mean absolute change from bin to bin in the last 24 hours."""
        changes: Floats = np.nansum(self._changes[-BINS_PER_DAY:], axis=0) / np.float32(BINS_PER_DAY)
        return changes

    def level_before(self, bins: int) -> Floats:
        """Return the usage some bins ago: the mean of LEVEL_BINS, like `level`."""
        end = len(self.usage) - bins
        level: Floats = self.usage[end - LEVEL_BINS : end].mean(axis=0)
        return level

    def select(self, series: NDArray[np.intp]) -> "Past":
        """Return the past of some series."""
        return Past(self.usage.take(series, axis=1))

    @cached_property
    def _changes(self) -> Floats:
        changes: Floats = np.abs(np.diff(self.usage, axis=0))
        return changes

    def _mean_of(self, values: Floats) -> Floats:
        mean: Floats = np.nansum(values, axis=0) / np.maximum(self.known_bins, 1).astype(np.float32)
        return mean


@dataclass(frozen=True)
class Analogs:
    """The highest usage within the next bins, as each earlier day suggests it, [analog, series].

    moved: moved to now. unmoved: as it was on that day. weight: the weights of a series add up to 1; 0 for an
    analog with a missing bin.
    """

    past: Past
    days_ago: tuple[int, ...]
    moved: Floats
    unmoved: Floats
    weight: Floats

    @classmethod
    def of(cls, past: Past, bins: int) -> "Analogs":
        """Find the analogs of the next bins."""
        days_ago = analog_days(bins, len(past.usage))
        moved = np.stack([moved_analog(past, days, bins).max(axis=0) for days in days_ago])
        unmoved = np.stack([unmoved_analog(past, days, bins).max(axis=0) for days in days_ago])
        known = np.isfinite(moved)
        weight = np.where(known, weights(days_ago)[:, None], np.float32(0))
        weight /= np.maximum(weight.sum(axis=0), TINY)
        moved[~known] = unmoved[~known] = 0
        return cls(past, days_ago, moved, unmoved, weight)

    @property
    def has_analog(self) -> Flags:
        """Flags of the series that have an analog."""
        has_analog: Flags = self.weight.sum(axis=0) > 0
        return has_analog

    def mean(self, values: Floats) -> Floats:
        """Return the weighted mean of values, [analog, series], over the analogs."""
        mean: Floats = (self.weight * values).sum(axis=0)
        return mean

    def deviation(self, values: Floats) -> Floats:
        """Return the weighted standard deviation of values, [analog, series], over the analogs."""
        deviation: Floats = np.sqrt(self.mean(np.square(values - self.mean(values))))
        return deviation

    def share_above(self, values: Floats, limit: Floats) -> Floats:
        """Return the share of analogs that reach the limit; an analog near the limit counts in part."""
        width = ANALOG_WIDTH * self.deviation(values) + MIN_WIDTH * self.past.spread
        return self.mean(logistic(np.float32(NORMAL_SLOPE) * (values - limit) / width))

    def a_week_ago(self, values: Floats) -> Floats:
        """Return the value of a week ago; the mean of all analogs where it is missing."""
        row = self.days_ago.index(WEEK)
        return np.where(self.weight[row] > 0, values[row], self.mean(values))


def analog_days(bins: int, past_bins: int) -> tuple[int, ...]:
    """Return how many days ago each analog begins. Its `bins` must all be past and stored."""
    first = max(1, ceil(bins / BINS_PER_DAY))  # an analog that begins later has not ended
    return tuple(range(first, past_bins // BINS_PER_DAY))


def weights(days_ago: tuple[int, ...]) -> Floats:
    """Return the weight of each analog: recent days and the same weekday count more."""
    weekday_factors = (WEEKDAY_WEIGHT if days % WEEK == 0 else 1.0 for days in days_ago)
    return np.array(
        [DAILY_WEIGHT**days * factor for days, factor in zip(days_ago, weekday_factors, strict=True)],
        np.float32,
    )


def moved_analog(past: Past, days_ago: int, bins: int) -> Floats:
    """Return the usage that followed the same time of day, moved to now, [bin, series]."""
    growth = past.daily_means[0] - past.daily_means[days_ago]
    gap = past.level - past.level_before(days_ago * BINS_PER_DAY) - growth
    fading: Floats = np.exp(-np.arange(bins, dtype=np.float32) / np.float32(FADE_BINS))
    moved: Floats = fading[:, None] * gap
    moved += growth
    moved += unmoved_analog(past, days_ago, bins)
    return moved


def unmoved_analog(past: Past, days_ago: int, bins: int) -> Floats:
    """Return the usage that followed the same time of day, as it was, [bin, series]."""
    begin = len(past.usage) - days_ago * BINS_PER_DAY
    return past.usage[begin : begin + bins]


def logistic(values: NDArray[np.floating]) -> Floats:
    """Return the logistic function of values, from 0 to 1."""
    shares: Floats = 1 / (1 + np.exp(np.clip(-values, -30, 30)))
    return shares
