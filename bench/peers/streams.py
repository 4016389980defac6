"""Simulated Kinesis streams with late and revised points, which are the same for every monitor.

The point of a minute is visible 60 to 180 seconds after the minute began. One point in five has only a part
of its value at first; one point in fifty becomes visible another five minutes later. All metrics of a stream
have the same delay.

A monitor has two kinds of events to detect: streams within the band go above the band for some minutes, again
and again; and writes to streams above or within the band are throttled.
"""

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]

HISTORY = 180  # minutes before the start
SHARDS, SHARD_BYTES = 10, 1024**2
METRICS = {  # by name: the statistic, and the sum or maximum of a minute at a utilization of 1
    "IncomingBytes": ("Sum", SHARDS * SHARD_BYTES * 60.0),
    "IncomingRecords": ("Sum", SHARDS * 1000 * 60.0),
    "GetRecords.Success": ("SampleCount", SHARDS * 5 * 60.0),
    "GetRecords.IteratorAgeMilliseconds": ("Maximum", 60_000.0),
    "WriteProvisionedThroughputExceeded": ("Sum", 600.0),
    "ReadProvisionedThroughputExceeded": ("Sum", 600.0),
}
THROTTLED = ("WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded")
# The lowest and the highest utilization of streams, by their kind.
SAFE, WITHIN, ABOVE = (0.1, 0.3), (0.45, 0.6), (0.75, 0.85)
WITHIN_SHARE, ABOVE_SHARE = 0.15, 0.05  # of the streams; all other streams are safe
EDGE = 0.7  # the upper edge of the band
CROSSING_EVERY, CROSSING_FOR = 40, 8  # minutes: every 40, a stream within the band is above it for 8
# The share of minutes in which writes are throttled: of a stream above the band, of a stream within it.
ABOVE_THROTTLED_SHARE, WITHIN_THROTTLED_SHARE = 0.1, 0.004
QUIET_FOR = 10  # minutes without an event that precede each event to detect
MIN_DELAY, MAX_DELAY = 60, 180  # seconds
REVISED_SHARE = 0.2  # of points: they have only FIRST_FRACTION of their value for REVISED_AFTER seconds
FIRST_FRACTION, REVISED_AFTER = 0.83, 60
LATE_SHARE, LATE_SECONDS = 0.02, 300  # share of points, additional delay


class Kind(StrEnum):
    """Names the kinds of events to detect on a stream."""

    ABOVE = "above the band"
    THROTTLED = "throttled"


class Streams:
    """The points of some streams in a range of minutes. names: the streams' names. first: the first minute.

    utilization: [stream, minute]. is_within, is_above: whether a stream is usually within or above the band.
    """

    def __init__(self, count: int, first: int, minutes: int) -> None:
        rng = np.random.default_rng(count)
        shape = count, minutes
        self.names = [f"stream-{n}" for n in range(count)]
        self.numbers = {name: n for n, name in enumerate(self.names)}
        self.first, self._minutes = first, minutes
        share = np.arange(count) / count
        self.is_above = share < ABOVE_SHARE
        self.is_within = ~self.is_above & (share < ABOVE_SHARE + WITHIN_SHARE)
        low, high = (
            np.select([self.is_above, self.is_within], [ABOVE[n], WITHIN[n]], SAFE[n])[:, None]
            for n in (0, 1)
        )
        self.utilization = rng.uniform(low, high, shape)
        offset = rng.integers(CROSSING_EVERY, size=(count, 1))
        is_crossing_time = (np.arange(minutes) + offset) % CROSSING_EVERY < CROSSING_FOR
        crosses = self.is_within[:, None] & is_crossing_time
        self.utilization[crosses] = rng.uniform(*ABOVE, np.count_nonzero(crosses))
        throttled_share = np.select(
            [self.is_above, self.is_within], [ABOVE_THROTTLED_SHARE, WITHIN_THROTTLED_SHARE], 0.0
        )
        self._throttled = rng.random(shape) < throttled_share[:, None]
        starts = 60.0 * (first + np.arange(minutes))
        late = np.where(rng.random(shape) < LATE_SHARE, LATE_SECONDS, 0)
        self.visible_at: Times = starts + rng.uniform(MIN_DELAY, MAX_DELAY, shape) + late
        self._final_at = self.visible_at + np.where(rng.random(shape) < REVISED_SHARE, REVISED_AFTER, 0)

    def beginnings(self, kind: Kind) -> Iterator[tuple[int, float]]:
        """Yield each event to detect: the number of the stream, and when CloudWatch first shows the event.

        CloudWatch shows the event when the first point that proves the event becomes visible. That need not
        be the event's first point: a point that has only a part of its value may not prove it.
        """
        proves_at = np.where(self._throttled, self.visible_at, np.inf)
        if kind is Kind.ABOVE:
            proves_at = np.where(self.utilization >= EDGE, self._final_at, np.inf)
            is_proved_by_part = self.utilization * FIRST_FRACTION >= EDGE
            proves_at[is_proved_by_part] = self.visible_at[is_proved_by_part]
        proves = np.isfinite(proves_at)
        # The columns begin at QUIET_FOR, so an index of them is where the quiet time before a minute begins.
        for stream, quiet_from in np.argwhere(proves[:, QUIET_FOR:]):
            if not proves[stream, quiet_from : quiet_from + QUIET_FOR].any():
                following = proves_at[stream, quiet_from + QUIET_FOR :][:CROSSING_FOR]
                yield int(stream), float(following.min())

    def points(
        self, metric: str, stream: str, start: float, end: float, now: float
    ) -> tuple[list[int], list[float]]:
        """Return the minutes and values, newest first, that CloudWatch shows `now` for a range of seconds."""
        if metric not in METRICS or stream not in self.numbers:
            return [], []
        row = self.numbers[stream]
        bounds = int(start // 60), int(-(-end // 60))
        from_, until = (min(max(minute - self.first, 0), self._minutes) for minute in bounds)
        part = slice(from_, until)
        is_visible = self.visible_at[row, part] <= now
        if metric in THROTTLED:
            is_visible = is_visible & self._throttled[row, part]
        fraction = np.where(self._final_at[row, part] <= now, 1.0, FIRST_FRACTION)
        values = self.utilization[row, part] * fraction * METRICS[metric][1]
        minutes = np.flatnonzero(is_visible)[::-1]
        return (minutes + from_ + self.first).tolist(), values[minutes].tolist()
