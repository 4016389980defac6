"""The fewest minutes between two requests of a metric."""

import numpy as np

from monitor.fleet.rings import Rings
from monitor.planning.cadence import DELAY_DIVISOR
from rules.arrays import Ints


def min_minutes(rings: Rings, rows: Ints) -> Ints:
    """Return, by metric, for how many minutes after a request another request would return nothing new."""
    minutes: Ints = np.maximum(rings.delays(rows) // DELAY_DIVISOR, rings.period[rows])
    return minutes
