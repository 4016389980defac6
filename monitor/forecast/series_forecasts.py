"""Forecasts of one series, by its slot: the fan and the outlook. Both are computed in a thread.

The fan is drawn: past demand, and quantiles of future usage. The outlook tells how good past forecasts were,
and what another limit would change.
"""

import asyncio

import numpy as np

from monitor.fleet.fan import Fan
from monitor.fleet.outlook import Outlook
from monitor.forecast.fan import fan_from
from monitor.forecast.outlook import outlook_from
from monitor.forecast.recorder import Recorder
from rules.analogs import BINS_PER_DAY


async def fan_of(recorder: Recorder, slot: int, days: int, days_ahead: int) -> Fan | None:
    """Return the fan of the series in a slot; None without a history.

    days: the number of past days; days_ahead: the number of future days.
    """
    for block, _, columns in recorder.by_block(np.array([slot], np.int32)):
        return await asyncio.to_thread(
            fan_from, block, int(columns[0]), days * BINS_PER_DAY, days_ahead * BINS_PER_DAY
        )
    return None


async def outlook_of(
    recorder: Recorder, slot: int, limit: float, other_limit: float | None
) -> Outlook | None:
    """Return the outlook of the series in a slot; None without a history.

    limit: past forecasts are judged for this limit. other_limit: a new forecast is made for this limit; None:
    no new forecast is made.
    """
    for block, _, columns in recorder.by_block(np.array([slot], np.int32)):
        return await asyncio.to_thread(outlook_from, block, int(columns[0]), limit, other_limit)
    return None
