"""The time until a budget that drains, such as burst credits, is exhausted at its present rate.

The rate is the median of the slopes from each sample of the first half of the last hour to its counterpart in
the second half (Theil's incomplete method), so that single outliers do not move it. If the rate computed in
the same way from the last 20 minutes is 0 or negative, the budget no longer drains, and there is no time to
exhaustion. All series are computed at once.
"""

from typing import NamedTuple

import numpy as np

from monitor.fleet.operations import NAN
from monitor.fleet.series_columns import SeriesColumns
from rules.arrays import Floats, Ints

RATE_MINUTES = 60  # minutes up to the newest sample, from which the rate is computed
PRESENT_MINUTES = 20  # the newest of RATE_MINUTES; a budget whose usage did not rise in these does not drain
MIN_SPAN = 15  # minutes between the first and the last sample of a rate
MAX_EXHAUSTION = 7 * 86400  # seconds; the rate of an hour says nothing about a later time


class NewestSamples(NamedTuple):
    """The newest sample of each series, with the limit of its minute; NaN where it is stale.

    utilization: also NaN where the usage is only bounded or the limit is doubted.
    """

    minutes: Ints
    usage: Floats
    utilization: Floats
    limit: Floats


def seconds_to_exhaustion(columns: SeriesColumns, newest: NewestSamples, now: int) -> Floats:
    """Return the seconds from the minute `now` until the usage of each series reaches its limit.

    0 where the usage has reached the limit; elsewhere at least 60. NaN where the usage is not known, does not
    rise towards the limit or would take longer than MAX_EXHAUSTION, and for signals that do not drain.
    """
    size = newest.usage.size
    seconds = np.full(size, NAN)
    slots = np.flatnonzero(columns.drains[:size]).astype(np.int32)
    slots = slots[np.isfinite(newest.utilization[slots])]
    if slots.size:
        minutes, remaining = newest.minutes[slots], newest.limit[slots] - newest.usage[slots]
        usage = _usages(columns, slots, minutes)
        rate, present_rate = _rates(usage), _rates(usage[:, -PRESENT_MINUTES:])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            minutes_left = np.maximum(remaining / rate - (now - minutes), 1)
        seconds_left = minutes_left.astype(np.float32) * 60
        is_foreseen = (rate > 0) & ~(present_rate <= 0) & (seconds_left <= MAX_EXHAUSTION)
        seconds[slots] = np.where(remaining <= 0, np.float32(0), np.where(is_foreseen, seconds_left, NAN))
    return seconds


def _usages(columns: SeriesColumns, slots: Ints, newest: Ints) -> Floats:
    """Return the usage in the RATE_MINUTES up to the newest minute of each slot, [slot, minute]."""
    minutes = (newest[:, None] + np.arange(1 - RATE_MINUTES, 1)).astype(np.int32)
    usage = columns.usages.at(columns.rings, np.repeat(slots, RATE_MINUTES), minutes.ravel())
    usage = usage.reshape(minutes.shape)
    usage[minutes < columns.created[slots][:, None]] = NAN
    return usage


def _rates(usage: Floats) -> Floats:
    """Return the rise of each series per minute, from its usage in consecutive minutes; NaN if unknown."""
    is_known, size = ~np.isnan(usage), usage.shape[1]
    minutes = np.argsort(~is_known, axis=1, kind="stable")  # the minutes with a known sample first
    count = is_known.sum(axis=1, keepdims=True)
    # The known sample `first` of the first half and the known sample `second` of the second half are a pair.
    half, first = count // 2, np.arange(size)
    second = np.minimum(first + half, size - 1)
    samples = np.take_along_axis(usage, minutes, axis=1)
    rise = np.take_along_axis(samples, second, axis=1) - samples
    elapsed = np.take_along_axis(minutes, second, axis=1) - minutes
    is_pair = (half > 0) & (first + half < count)
    rates = np.where(is_pair, rise / np.where(is_pair, elapsed, 1), NAN).astype(np.float32)
    last = np.take_along_axis(minutes, np.maximum(count - 1, 0), axis=1)
    return np.where((last - minutes[:, :1])[:, 0] >= MIN_SPAN, _medians(rates), NAN)


def _medians(values: Floats) -> Floats:
    """Return the median of the values of each row that are not NaN; NaN for a row without any."""
    ascending = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    middle = np.maximum([(count - 1) // 2, count // 2], 0)
    low, high = (np.take_along_axis(ascending, index, axis=1)[:, 0] for index in middle)
    medians: Floats = ((low + high) / 2).astype(np.float32)
    return medians
