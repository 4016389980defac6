"""The limits of how often metrics are read."""

from dataclasses import dataclass

MAX_INTERVAL = 60  # minutes: also where a budget stretches all, or where an aggregate proves a series safe


@dataclass(frozen=True, slots=True)
class Intervals:
    """The configured limits of cadences, in minutes.

    shortest: for all metrics. longest: for metrics of usage. throttled: the longest for those of throttled
    demand.
    """

    shortest: int
    longest: int
    throttled: int
