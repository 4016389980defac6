"""The stream of the demo's story: its writes and its number of shards follow from the scenes.

The demand of a minute is that of its busiest second so far, so that Headroom sees a scene at once, and the
published demand of a minute never decreases.

The shards are doubled as in AWS: new shards accept writes at once, closing shards refuse a few for some
minutes, and AWS returns the new number at the end. By then a whole minute was within the new limit, so that
the alert ends as soon as Headroom reads the new limit.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from monitor.demo.scenes import BegunScenes, Scene
from monitor.demo.services.kinesis import DemoStream
from monitor.demo.traffic import MINUTES_PER_DAY, Floats, Minutes, Traffic

SHARDS, RAISED_SHARDS = 2, 4
USUAL = Traffic(mean=0.66, noise=0.003)
# On each past day, a sale began at the time of day at which the demo was started.
SALE_MINUTES = (0, 2, 45, 60, MINUTES_PER_DAY)
SALE_HEIGHT = (0.0, 0.41, 0.41, 0.0, 0.0)  # shares of the limit of SHARDS, added to the usual demand
# The demand in excess of the usual after the scenes RISE and THROTTLED, and how long each takes.
RISEN, RISE_SECONDS = 0.26, 25.0
SURGED, SURGE_SECONDS = 0.52, 5.0
# The decrease of the demand once the shards are doubled: faster than noise can rise.
EBB, EBB_SECONDS = 0.2, 600.0
REFUSED, REFUSED_SECONDS = 0.0008, 600.0  # by closing shards, less and less; less than Headroom tolerates
STREAMED_WITHIN = 10.0  # seconds from the end of a minute until Headroom has all its points
SECONDS = np.arange(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStream(DemoStream):
    """The stream of the story. clock: returns epoch seconds. start: the world's first minute since 1970."""

    write: Traffic = USUAL
    shards: int = SHARDS
    scenes: BegunScenes = field(default_factory=BegunScenes)
    clock: Callable[[], float] = time.time
    start: int = 0

    @property
    def open_shards(self) -> int:
        """The open shards that AWS returns now: doubled only after a whole minute with the new shards."""
        last_whole_minute = (self.clock() - STREAMED_WITHIN) // 60 - 1
        return RAISED_SHARDS if last_whole_minute * 60 >= self.scenes.begun_at(Scene.RAISED) else SHARDS

    def demand(self, minutes: Minutes) -> Floats:
        """Return the demand on each of SHARDS in each minute, as a share of its limit."""
        return self._per_shard(self._usual(minutes) + self._busiest(minutes, self._risen))

    def accepted(self, minutes: Minutes) -> Floats:
        """Return the accepted demand, in the unit of `demand`."""
        return np.minimum(self.demand(minutes), 1 + self._busiest(minutes, self._raised))

    def excess(self, minutes: Minutes, factor: float) -> Floats:
        """Return the demand beyond `factor` times the limit, in the unit of `demand`."""

        def beyond(seconds: Floats) -> Floats:
            return self._risen(seconds) - factor * self._raised(seconds)

        lowest = -factor * (RAISED_SHARDS / SHARDS - 1)
        busiest = self._busiest(minutes, beyond, lowest)
        refused = self._busiest(minutes, self._refused) if factor == 1 else 0.0
        return self._per_shard(np.maximum(self._usual(minutes) + busiest - factor, refused))

    def _usual(self, minutes: Minutes) -> Floats:
        """Return the demand without the scenes."""
        past = np.interp(minutes % MINUTES_PER_DAY, SALE_MINUTES, SALE_HEIGHT) * (minutes < 0)
        usual: Floats = self.write.demand(self.name, minutes) + past
        return usual

    def _per_shard(self, demand: Floats) -> Floats:
        return np.outer(np.ones(SHARDS), demand)

    def _busiest(self, minutes: Minutes, share: Callable[[Floats], Floats], lowest: float = 0.0) -> Floats:
        """Return the highest share in the elapsed seconds of each minute; 0 before the world started."""
        shares, started = np.zeros(minutes.size), minutes >= 0
        every_second = (self.start + minutes[started])[:, None] * 60.0 + SECONDS
        seconds = np.asarray(np.minimum(every_second, self.clock()), np.float64)
        shares[started] = share(seconds).max(axis=1, initial=lowest)
        return shares

    def _risen(self, seconds: Floats) -> Floats:
        rise = _ramp(seconds, self.scenes.begun_at(Scene.RISE), RISEN, RISE_SECONDS)
        surge = _ramp(seconds, self.scenes.begun_at(Scene.THROTTLED), SURGED - RISEN, SURGE_SECONDS)
        ebb = _ramp(seconds, self.scenes.begun_at(Scene.RAISED), EBB, EBB_SECONDS)
        risen: Floats = rise + surge - ebb
        return risen

    def _refused(self, seconds: Floats) -> Floats:
        """Return the share that closing shards refuse, which falls to 0."""
        begun = self.scenes.begun_at(Scene.RAISED)
        left: Floats = REFUSED - _ramp(seconds, begun, REFUSED, REFUSED_SECONDS)
        return np.where(seconds >= begun, left, 0.0)

    def _raised(self, seconds: Floats) -> Floats:
        raised: Floats = np.where(
            seconds >= self.scenes.begun_at(Scene.RAISED), RAISED_SHARDS / SHARDS - 1, 0.0
        )
        return raised


def _ramp(seconds: Floats, begin: float, height: float, length: float) -> Floats:
    """Return a share that rises from 0 at `begin` to `height` within `length` seconds."""
    if begin == np.inf:
        return np.zeros_like(seconds)
    ramp: Floats = height * np.clip((seconds - begin) / length, 0.0, 1.0)
    return ramp
