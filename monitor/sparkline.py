"""Three hours of a series in a few characters, for terminals and plain text."""

import numpy as np

from monitor.columns import Floats
from monitor.course import Course
from monitor.rings import WINDOW

LENGTH = 18  # characters
BUCKET = WINDOW // LENGTH  # minutes that one character stands for: their highest
BLOCKS = "▁▂▃▄▅▆▇█"  # the last one from the limit on
GAP, REFUSED = " ", "!"
LEGEND = (
    f"Three hours, the highest of {BUCKET} minutes a character: from {BLOCKS[0]} nothing used to "
    f"{BLOCKS[-1]} the limit, {REFUSED} demand refused, blank where nothing is known."
)


def sparkline(course: Course) -> str:
    """Utilization as blocks, on one scale for all series; nothing but blanks where none is known."""
    used, refused = _highest(course.utilization), _highest(course.saturation) > 0
    heights = np.floor(np.nan_to_num(used) * (len(BLOCKS) - 1)).clip(0, len(BLOCKS) - 1).astype(int)
    return "".join(
        REFUSED if flag else BLOCKS[height] if known else GAP
        for height, known, flag in zip(heights, np.isfinite(used), refused, strict=True)
    )


def _highest(values: Floats) -> Floats:
    highest: Floats = np.fmax.reduce(values.reshape(LENGTH, BUCKET), axis=1)
    return highest
