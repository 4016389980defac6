"""The minimum of minutes between two requests of a metric."""

import numpy as np

from monitor.fleet.columns import Ints
from monitor.fleet.rings import Rings
from monitor.planning.cadence import DELAY_SHARE


def min_minutes(rings: Rings, rows: Ints) -> Ints:
    """Return the minutes in which another request of a metric would return nothing new, by metric."""
    at_least: Ints = np.maximum(rings.delays(rows) // DELAY_SHARE, rings.period[rows])
    return at_least
