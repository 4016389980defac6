"""The shortest and longest intervals at which metrics are read."""

from dataclasses import dataclass

MAX_INTERVAL = 60  # minutes; also for metrics that are idle, stretched by a budget, or proven safe


@dataclass(frozen=True, slots=True)
class Intervals:
    """The configured limits of cadences, in minutes.

    shortest: for all metrics. longest: for metrics of usage. throttled: the longest for metrics of throttled
    demand.
    """

    shortest: int
    longest: int
    throttled: int
