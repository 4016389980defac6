"""The demand on a resource, as a pure function of its name and the minute.

Minutes are counted from the start of the world: -180 is three hours before.
"""

import zlib
from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from rules.arrays import Float64s

Minutes = NDArray[np.int64]

MINUTES_PER_DAY = 24 * 60
SURGE_INTERVAL = 60  # minutes
SURGE = (
    (0, 12, 18, 22, SURGE_INTERVAL),  # minutes of each hour, counted from the start of the world
    (0.0, 1.0, 1.0, 0.0, 0.0),  # share of the height
)
WEEKEND = (
    (0, 1.8, 2, 3.8, 4, 7),  # days of a week that begins with the start of the world
    (0.0, 0.0, 1.0, 1.0, 0.0, 0.0),  # share of `Traffic.weekly`
)
GROWTH_INTERVAL = 12 * 60  # minutes after which growth drops back and begins anew
GROWTH_BEFORE_START = 3 * 60  # minutes from such a begin to the start of the world, at which growth adds 0
BURST_CHANCE = 1 / 15  # per minute


LimitShare = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]


class Rush(BaseModel, frozen=True, extra="forbid"):
    """A time of higher demand before the start of the world, which `headroom lookback` finds.

    hours_before: the hours from its begin to the start of the world. minutes: its length. height: a share of
    the limit; demand rises to it in the first quarter, and falls in the last quarter.
    """

    hours_before: Annotated[float, Field(gt=0, le=24 * 63, strict=True)]
    minutes: Annotated[int, Field(ge=4, strict=True)]
    height: LimitShare

    def share(self, minutes: Minutes) -> Float64s:
        """Return the demand that the rush adds in each minute."""
        elapsed_share = (minutes + self.hours_before * 60) / self.minutes
        return self.height * np.interp(elapsed_share, (0.0, 0.25, 0.75, 1.0), (0.0, 1.0, 1.0, 0.0))


class Traffic(BaseModel, frozen=True, extra="forbid"):
    """The demand on a resource as a share of its limit: 0.55 is 55 %; demand above 1 is throttled.

    All fields but `period`, `rushes` and `ended` are shares of the limit.
    """

    mean: LimitShare
    daily: LimitShare = 0.02  # amplitude of the daily wave
    weekly: LimitShare = 0.0  # how much lower demand is on two days of each week
    wave: LimitShare = 0.0  # amplitude of the wave whose length is `period`
    period: Annotated[int, Field(ge=1, strict=True)] = 14  # minutes
    surge: LimitShare = 0.0  # height of the hourly surge, which begins at the start of the world; see SURGE
    growth: float = 0.0  # per hour; drops back every 12 hours
    burst: LimitShare = 0.0  # height of random single minutes, 1 in 15
    noise: LimitShare = 0.01
    rushes: tuple[Rush, ...] = ()
    ended: int | None = None  # the last minute with data

    def demand(self, name: str, minutes: Minutes) -> Float64s:
        """Return the demand on the resource `name` in each minute; NaN without data."""
        seed = zlib.crc32(name.encode())
        phase = seed % 997 / 997
        share: Float64s = self.mean + self.daily * np.sin(2 * np.pi * (minutes / MINUTES_PER_DAY + phase))
        share -= self.weekly * np.interp(minutes / MINUTES_PER_DAY % 7, *WEEKEND)
        share += self.wave * np.sin(2 * np.pi * (minutes / self.period + phase))
        share += self.surge * np.interp(minutes % SURGE_INTERVAL, *SURGE)
        share += self.growth * ((minutes + GROWTH_BEFORE_START) % GROWTH_INTERVAL - GROWTH_BEFORE_START) / 60
        share += self.burst * (random_shares(seed + 1, minutes) < BURST_CHANCE)
        for rush in self.rushes:
            share += rush.share(minutes)
        share += self.noise * (random_shares(seed + 2, minutes) + random_shares(seed + 3, minutes) - 1)
        if self.ended is not None:
            share[minutes > self.ended] = np.nan
        return np.maximum(share, 0.0)


def random_shares(seed: int, minutes: Minutes) -> Float64s:
    """Return a number in [0, 1) per minute, which depends on seed and minute only (splitmix64)."""
    mixed: NDArray[np.uint64] = minutes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53


def constant(value: float) -> Callable[[Minutes], Float64s]:
    """Return a function of the minute with a constant value."""
    return lambda minutes: np.full(len(minutes), float(value))


QUIET = Traffic(mean=0.06)  # of resources and series without a story
