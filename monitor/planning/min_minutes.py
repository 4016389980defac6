"""The minutes of metrics within which another request is of no use."""

import numpy as np

from monitor.fleet.columns import Ints
from monitor.fleet.rings import Rings
from monitor.planning.cadence import DELAY_SHARE


def min_minutes(rings: Rings, rows: Ints) -> Ints:
    """Return the minutes of some metrics within which another request is of no use."""
    at_least: Ints = np.maximum(rings.delays(rows) // DELAY_SHARE, rings.period[rows])
    return at_least
