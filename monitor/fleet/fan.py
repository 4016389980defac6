"""The fan of one series, as pages draw it: past demand and quantiles of future usage."""

from typing import NamedTuple

import numpy as np

from rules.arrays import Floats


class Fan(NamedTuple):
    """The past demand of one series, and quantiles of its usage in the future.

    now: the minute in which the next quarter-hour begins. past: the highest demand of each quarter-hour
    before `now`, the oldest first; NaN where it is unknown. ahead: `FAN_QUANTILES` of the usage of each
    quarter-hour from `now` on, [quantile, quarter-hour]; NaN where there is no forecast.
    """

    now: int
    past: Floats
    ahead: Floats

    @property
    def is_known(self) -> bool:
        """True if there is a forecast for any quarter-hour."""
        return bool(np.isfinite(self.ahead).any())
