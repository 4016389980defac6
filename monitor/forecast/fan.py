"""The fan of one series: its usage of the last days, and how high its usage may be in the next days."""

from typing import NamedTuple

import numpy as np

from monitor.fleet.fan import Fan
from monitor.forecast.history_block import HistoryBlock
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats
from rules.demand_forecast import MAX_BINS_LATE, late_bins, up_to_newest, without_short_holes
from rules.fan import usage_fan


class RecentUsage(NamedTuple):
    """The last fortnight of one series. usage: in the series' unit, [bin], the oldest first; NaN is unknown.

    end: the minute in which the last bin ends. is_stale: the newest usage is too old for a forecast.
    """

    usage: Floats
    end: int
    is_stale: bool


def recent_usage(block: HistoryBlock, column: int) -> RecentUsage:
    """Return the fortnight up to the newest known bin of a column of `block`.

    If that bin is too old for a forecast, the fortnight ends with the block.
    """
    with block.lock:
        usage = block.recent()[:, [column]]
        scale, last_bin = float(block.scale[column]) or 1.0, block.last_bin
    bins_late = late_bins(usage, MAX_BINS_LATE + 1)
    is_stale = bool(bins_late[0] > MAX_BINS_LATE)
    if not is_stale:
        usage, last_bin = up_to_newest(usage, bins_late), last_bin - int(bins_late[0])
    scaled_usage = usage[:, 0].astype(np.float32) * np.float32(scale)
    return RecentUsage(scaled_usage, (last_bin + 1) * BIN_MINUTES, is_stale)


def fan_from(block: HistoryBlock, column: int, bins: int, bins_ahead: int) -> Fan:
    """Return the fan of a column, with this number of past bins and of future bins (`bins_ahead`)."""
    usage, end, is_stale = recent_usage(block, column)
    fan = usage_fan(without_short_holes(usage[:, None]), bins_ahead)[:, :, 0]
    if is_stale:
        fan[:] = np.nan
    return Fan(end, usage[-bins:], fan)
