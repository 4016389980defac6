"""The stream of the demo's story: its writes and its number of shards follow from the scenes.

The demand of a minute is that of its busiest second so far, so that Headroom sees a scene at once, and the
published demand of a minute never decreases.

The shards are doubled as in AWS, which takes a while: new shards accept writes before AWS returns their
number, and closing shards throttle a few writes for some minutes. Here new shards accept all writes from the
first minute after the first refused writes, so that the newest minute is within the new limit when AWS
returns it.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from monitor.demo.scenes import BegunScenes, Scene
from monitor.demo.services.kinesis import DemoStream
from monitor.demo.traffic import MINUTES_PER_DAY, Minutes, Traffic
from rules.arrays import Float64s

SHARDS, RAISED_SHARDS = 2, 4
USUAL = Traffic(mean=0.66, noise=0.003)
# On each past day, a sale began at the time of day at which the demo was started.
SALE_MINUTES = (0, 2, 45, 60, MINUTES_PER_DAY)
SALE_HEIGHT = (0.0, 0.41, 0.41, 0.0, 0.0)  # shares of the limit of SHARDS, added to the usual demand
# By how much the demand exceeds the usual demand after the scenes RISE and THROTTLED, as shares of the limit
# of SHARDS, and how many seconds each rise takes.
RISEN, RISE_SECONDS = 0.26, 25.0
SURGED, SURGE_SECONDS = 0.52, 2.0
# What closing shards throttle at first: less than Headroom tolerates. The share falls to 0 within
# CLOSING_SECONDS.
CLOSING_THROTTLED, CLOSING_SECONDS = 0.0008, 600.0
SECONDS = np.arange(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStream(DemoStream):
    """The stream of the story.

    clock: returns epoch seconds. start: the minute since 1970 in which the world starts.
    """

    write: Traffic = USUAL
    shards: int = SHARDS
    scenes: BegunScenes = field(default_factory=BegunScenes)
    clock: Callable[[], float] = time.time
    start: int = 0

    @property
    def open_shards(self) -> int:
        """The open shards that AWS returns now: doubled once the scene has begun and all accept writes."""
        doubled_at = max(self._doubled_at, self.scenes.begun_at(Scene.RAISED))
        return RAISED_SHARDS if self.clock() >= doubled_at else SHARDS

    @property
    def _doubled_at(self) -> float:
        """The time at which new shards begin to accept writes, in epoch seconds; inf without refusals."""
        surged_at = self.scenes.begun_at(Scene.THROTTLED) + SURGE_SECONDS
        return surged_at if surged_at == math.inf else math.ceil(surged_at / 60) * 60.0

    def demand(self, minutes: Minutes) -> Float64s:
        """Return the demand on each of SHARDS in each minute, as a share of its limit."""
        return self._per_shard(self._usual(minutes) + self._highest_by_minute(minutes, self._scene_demand))

    def accepted(self, minutes: Minutes) -> Float64s:
        """Return the accepted demand, in the unit of `demand`."""
        return np.minimum(self.demand(minutes), 1 + self._highest_by_minute(minutes, self._added_capacity))

    def excess(self, minutes: Minutes, factor: float) -> Float64s:
        """Return the demand beyond `factor` times the limit, in the unit of `demand`."""

        def excess_share(seconds: Float64s) -> Float64s:
            return self._scene_demand(seconds) - factor * self._added_capacity(seconds)

        least = -factor * (RAISED_SHARDS / SHARDS - 1)
        busiest = self._highest_by_minute(minutes, excess_share, least)
        by_closing = self._highest_by_minute(minutes, self._throttled_by_closing) if factor == 1 else 0.0
        return self._per_shard(np.maximum(self._usual(minutes) + busiest - factor, by_closing))

    def _usual(self, minutes: Minutes) -> Float64s:
        """Return the demand without the scenes."""
        past_sales = np.interp(minutes % MINUTES_PER_DAY, SALE_MINUTES, SALE_HEIGHT) * (minutes < 0)
        demand: Float64s = self.write.demand(self.name, minutes) + past_sales
        return demand

    def _per_shard(self, demand: Float64s) -> Float64s:
        return np.outer(np.ones(SHARDS), demand)

    def _highest_by_minute(
        self, minutes: Minutes, share: Callable[[Float64s], Float64s], least: float = 0.0
    ) -> Float64s:
        """Return the highest share in the elapsed seconds of each minute; 0 before the world started.

        share: returns the share in each second. least: the lowest share that `share` can return.
        """
        highest, has_begun = np.zeros(minutes.size), minutes >= 0
        every_second = (self.start + minutes[has_begun])[:, None] * 60.0 + SECONDS
        elapsed_seconds = np.asarray(np.minimum(every_second, self.clock()), np.float64)
        highest[has_begun] = share(elapsed_seconds).max(axis=1, initial=least)
        return highest

    def _scene_demand(self, seconds: Float64s) -> Float64s:
        """Return what the scenes add to the usual demand in each second."""
        rise = _ramp(seconds, self.scenes.begun_at(Scene.RISE), RISEN, RISE_SECONDS)
        surge = _ramp(seconds, self.scenes.begun_at(Scene.THROTTLED), SURGED - RISEN, SURGE_SECONDS)
        demand: Float64s = rise + surge
        return demand

    def _throttled_by_closing(self, seconds: Float64s) -> Float64s:
        """Return the share that closing shards throttle, which falls to 0."""
        doubled_at = self._doubled_at
        throttled: Float64s = CLOSING_THROTTLED - _ramp(
            seconds, doubled_at, CLOSING_THROTTLED, CLOSING_SECONDS
        )
        return np.where(seconds >= doubled_at, throttled, 0.0)

    def _added_capacity(self, seconds: Float64s) -> Float64s:
        """Return what the new shards add to the limit in each second, as a share of the limit of SHARDS."""
        added: Float64s = np.where(seconds >= self._doubled_at, RAISED_SHARDS / SHARDS - 1, 0.0)
        return added


def _ramp(seconds: Float64s, begin: float, height: float, length: float) -> Float64s:
    """Return a share that rises from 0 at `begin` to `height` within `length` seconds."""
    if begin == np.inf:
        return np.zeros_like(seconds)
    ramp: Float64s = height * np.clip((seconds - begin) / length, 0.0, 1.0)
    return ramp
