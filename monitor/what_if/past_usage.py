"""The part of a fleet's usage history that questions need."""

from typing import NamedTuple, Protocol

from monitor.fleet.columns import Ids
from rules.arrays import Flags, Floats, Indices, Ints


class PastHighest(NamedTuple):
    """The highest usage of each series in a fortnight, by slot; NaN where none is known.

    throttled: whether demand of the series was throttled in the fortnight.
    """

    usage: Floats
    throttled: Flags


class PeakMoments(NamedTuple):
    """The peaks of some series in a fortnight.

    minutes: the minute of each peak; NEVER if it is unknown.
    p99: the 99th percentile of usage.
    bins: the number of quarter-hours with known usage.
    """

    minutes: Ints
    p99: Floats
    bins: Ints


class PastUsage(Protocol):
    """A fortnight of usage by quarter-hour. All methods may be called in a thread.

    ids: `Key.id` of the series in each slot, as numbers. The past of a slot that holds another series by now
    is unknown.
    """

    def highest(self, ids: Ids) -> PastHighest:
        """Return the highest usage of all series."""
        ...

    def peak_moments(self, ids: Ids, slots: Indices) -> PeakMoments:
        """Return the peaks of the series in these slots, with their times."""
        ...

    def highest_together(self, ids: Ids, first: Indices, second: Indices) -> Floats:
        """Return the highest sum of two series' usage at one time; NaN is unknown.

        first, second: the slots of the two series of each pair.
        """
        ...
