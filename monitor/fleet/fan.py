"""The fan of one series, as pages draw it."""

from typing import NamedTuple

import numpy as np

from monitor.fleet.columns import Floats


class Fan(NamedTuple):
    """The usage of one series in the last days, and what it may be in as many next ones.

    now: the minute in which the next quarter of an hour begins. past: the highest demand of each quarter of
    an hour until then, the oldest first; NaN is unknown. ahead: `FAN_QUANTILES` of the usage of each next
    quarter, [quantile, quarter]; NaN where nothing can be said.
    """

    now: int
    past: Floats
    ahead: Floats

    @property
    def is_known(self) -> bool:
        """True if something can be said of the next days."""
        return bool(np.isfinite(self.ahead).any())
