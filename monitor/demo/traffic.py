"""How hard a resource is used, minute by minute: pure functions of its name and the minute.

A minute is counted from the start of the world: 0 is the minute it started in, -180 is three hours before.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Minutes = NDArray[np.int64]

DAY = 24 * 60
SURGE_EVERY = 60
SURGE = ((0, 12, 18, 22, SURGE_EVERY), (0.0, 1.0, 1.0, 0.0, 0.0))  # minutes, share of its height
GROWTH_EVERY = 12 * 60
GROWTH_BEFORE_START = 3 * 60
BURST_CHANCE = 1 / 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The demand on a resource as a share of its limit: 0.55 is 55 %, above 1 something is refused.

    Every field but `mean`, `period` and `ended` is a share of the limit too.
    """

    mean: float
    day: float = 0.02  # half the way between the quietest and the busiest hour
    wave: float = 0.0  # half the way between low and high of each period
    period: int = 14  # minutes
    surge: float = 0.0  # height of the surge at the start of each hour, 12 minutes to its top
    growth: float = 0.0  # per hour, until somebody cleans up, twice a day
    burst: float = 0.0  # height of single minutes, one in 15
    noise: float = 0.01
    ended: int | None = None  # the minute after which nothing more is heard

    def at(self, name: str, minutes: Minutes) -> Floats:
        """The demand on the resource called `name`; NaN where it is silent."""
        seed = zlib.crc32(name.encode())
        phase = seed % 997 / 997
        share: Floats = self.mean + self.day * np.sin(2 * np.pi * (minutes / DAY + phase))
        share += self.wave * np.sin(2 * np.pi * (minutes / self.period + phase))
        share += self.surge * np.interp(minutes % SURGE_EVERY, *SURGE)
        share += self.growth * ((minutes + GROWTH_BEFORE_START) % GROWTH_EVERY - GROWTH_BEFORE_START) / 60
        share += self.burst * (dice(seed + 1, minutes) < BURST_CHANCE)
        share += self.noise * (dice(seed + 2, minutes) + dice(seed + 3, minutes) - 1)
        share[minutes > (np.inf if self.ended is None else self.ended)] = np.nan
        return np.maximum(share, 0.0)


def dice(seed: int, minutes: Minutes) -> Floats:
    """One number in [0, 1) a minute, the same each time it is asked for (splitmix64)."""
    mixed: NDArray[np.uint64] = minutes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
