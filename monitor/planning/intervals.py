"""The shortest and longest intervals at which metrics are read."""

from dataclasses import dataclass

# Minutes. No configured interval is longer. Intervals are lengthened at most to this one: for metrics that
# are idle or proven safe, and to keep within a budget.
MAX_INTERVAL = 60


@dataclass(frozen=True, slots=True)
class Intervals:
    """The configured limits of cadences, in minutes.

    shortest: for all metrics. longest: for metrics of usage. throttled: the longest for metrics of throttled
    demand.
    """

    shortest: int
    longest: int
    throttled: int
