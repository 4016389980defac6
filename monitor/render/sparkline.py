"""Sparklines of three hours as a few characters, for terminals and plain text."""

import numpy as np

from monitor.fleet.history import SeriesHistory
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Floats

LENGTH = 18  # characters
BUCKET = WINDOW // LENGTH  # minutes per character; the character shows the highest value of these minutes
BLOCKS = "▁▂▃▄▅▆▇█"  # the last block means at the limit or above
GAP, THROTTLED = " ", "!"
LEGEND = (
    f"Three hours, the highest of {BUCKET} minutes per character: from {BLOCKS[0]} no usage to "
    f"{BLOCKS[-1]} the limit, {THROTTLED} throttled demand, blank where unknown."
)


def sparkline(history: SeriesHistory) -> str:
    """Return the utilization as blocks, on the same scale for all series; blank where it is unknown."""
    utilization, throttled = _bucket_max(history.utilization), _bucket_max(history.throttled) > 0
    top = len(BLOCKS) - 1
    heights = np.floor(np.nan_to_num(utilization) * top).clip(0, top).astype(int)
    return "".join(
        THROTTLED if is_throttled else BLOCKS[height] if is_known else GAP
        for height, is_known, is_throttled in zip(heights, np.isfinite(utilization), throttled, strict=True)
    )


def _bucket_max(values: Floats) -> Floats:
    """Return the highest known value of each bucket; NaN if no value is known."""
    highest: Floats = np.fmax.reduce(values.reshape(LENGTH, BUCKET), axis=1)
    return highest
