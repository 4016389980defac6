"""Zones: where a series stands, for one series or a million at once."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Zones = npt.NDArray[np.int8]


class Zone(IntEnum):
    """A series' zone; the numbers from `BELOW` on are exported as `headroom_zone`, higher is worse."""

    UNOBSERVABLE = -3
    STALE = -2
    BELOW = -1
    WITHIN = 0
    ABOVE = 1
    CRITICAL = 2
    SATURATED = 3

    @property
    def word(self) -> str:
        return self.name.lower()


ZONES = {zone.word: zone for zone in Zone}


def zones(utilization: Floats, saturation: Floats, low: Floats, high: Floats, critical: Floats) -> Zones:
    """The zone of each series, from arrays of equal length.

    The band is [low, high], both bounds within; `critical` and more is critical. Refused demand (`saturation`
    > 0, per second) outranks any utilization, known or not. Otherwise a missing utilization (NaN) is stale;
    a missing saturation refuses nothing.
    """
    zone = (utilization >= low).astype(np.int8)
    zone -= np.int8(1)
    zone += utilization > high
    zone += utilization >= critical
    zone[np.isnan(utilization)] = Zone.STALE
    zone[saturation > 0] = Zone.SATURATED
    return zone
