"""The fan of one series: its last days, and how high its usage may be in the next ones."""

import asyncio

import numpy as np

from monitor.fleet.fan import Fan
from monitor.forecast.history_block import HistoryBlock
from monitor.forecast.recorder import Recorder
from rules.analogs import BIN_MINUTES, DAY
from rules.demand_forecast import MAX_LATE, late_bins, up_to_newest, without_short_holes
from rules.fan import usage_fan


async def fan_of(recorder: Recorder, slot: int, days: int) -> Fan | None:
    """Return the fan of the series in a slot; None without a history. It computes in a thread.

    days: how many to look back and ahead.
    """
    for block, _, columns in recorder.by_block(np.array([slot], np.int32)):
        return await asyncio.to_thread(_fan, block, int(columns[0]), days * DAY)
    return None


def _fan(block: HistoryBlock, column: int, bins: int) -> Fan:
    with block.lock:
        usage = block.recent()[:, [column]]
        scale, through = float(block.scale[column]) or 1.0, block.through
    late = late_bins(usage, MAX_LATE + 1)
    is_stale = bool(late[0] > MAX_LATE)
    if not is_stale:
        usage, through = up_to_newest(usage, late), through - int(late[0])
    fan = usage_fan(without_short_holes(usage), bins)[:, :, 0] * np.float32(scale)
    if is_stale:
        fan[:] = np.nan
    return Fan((through + 1) * BIN_MINUTES, usage[-bins:, 0].astype(np.float32) * np.float32(scale), fan)
