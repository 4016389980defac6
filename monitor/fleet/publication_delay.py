"""The publication delay of each namespace of a cell: minutes until a minute is complete in CloudWatch.

Polls request recent minutes again. A point that is new or changed since the previous request shows that its
minute was incomplete then. The delay is the lowest age beyond which hardly any point changes. Minutes that
were not requested before, as the metric is new or calls were denied, are ignored.
"""

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Flags, Ints
from monitor.fleet.namespaces import NamespaceStates

MIN_DELAY, MAX_DELAY = 1, 10  # minutes
MAX_CHANGED_SHARE = 0.02  # of the points of an age at which minutes count as complete
MIN_POLLS = 5  # polls until the delay is measured; the collector's declared delay applies before
DECAY = 0.95  # factor of all counts from one poll to the next, so that old polls weigh less

Counts = npt.NDArray[np.float64]


class PublicationDelays:
    """The publication delays of the namespaces of one cell."""

    def __init__(self, states: NamespaceStates) -> None:
        self._states = states
        self._counts: dict[int, Counts] = {}  # by namespace: the points and the changed points, [2, age]
        self._polls: dict[int, int] = {}  # the number of polls, by namespace
        self._observed: set[int] = set()  # the namespaces with points in the current poll

    def observe(self, namespaces: Ints, ages: Ints, changed: Flags) -> None:
        """Count points of a poll, each with its namespace. changed: true if the point is new or changed.

        ages: minutes from the point to the last minute of the previous request for its metric; negative if
        that request did not include the point.
        """
        known = (ages >= 0) & (ages < MAX_DELAY)
        namespaces, ages, changed = namespaces[known], ages[known], changed[known]
        for namespace in np.unique(namespaces).tolist():
            is_own = namespaces == namespace
            counts = self._counts.setdefault(namespace, np.zeros((2, MAX_DELAY)))
            counts[0] += np.bincount(ages[is_own], minlength=MAX_DELAY)
            counts[1] += np.bincount(ages[is_own & changed], minlength=MAX_DELAY)
            self._observed.add(namespace)

    def learn(self) -> None:
        """Update the delays, at the end of a poll."""
        for namespace in self._observed:
            counts = self._counts[namespace]
            self._polls[namespace] = self._polls.get(namespace, 0) + 1
            if self._polls[namespace] >= MIN_POLLS:
                late = np.flatnonzero(counts[1] > MAX_CHANGED_SHARE * counts[0])
                youngest = int(np.argmax(counts[0] > 0))  # it is not known if younger minutes change
                self._states.delay[namespace] = max(int(late.max(initial=-1)) + 1, youngest, MIN_DELAY)
            self._counts[namespace] = DECAY * counts
        self._observed.clear()
