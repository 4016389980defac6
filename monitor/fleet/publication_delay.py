"""The publication delay of each namespace of a cell: minutes until a minute is complete in CloudWatch.

Polls request recent minutes again. A point that is new or changed since the previous request shows that its
minute was incomplete then. The delay is the lowest age beyond which hardly any point changes. Minutes that
were not requested before, as the metric is new or calls were denied, are ignored.

Most of the delay is the time until the last points are published. How often published points change is
measured separately: CloudWatch revises most points soon after it published them, and hardly ever twice.
"""

import numpy as np

from monitor.fleet.namespaces import NamespaceStates
from rules.arrays import Flags, Float64s, Ints, distinct_values

MIN_DELAY, MAX_DELAY = 1, 10  # minutes
# An age is complete if at most this share of the points of that age changed. Confirmed points, which two
# requests have returned, are final if at most this share of them changed.
MAX_CHANGED_SHARE = 0.02
CONFIRMED = MAX_DELAY  # the index of the counts of confirmed points, after those of the ages
MIN_POLLS = 5  # polls until the delay is measured; the collector's declared delay applies before
DECAY = 0.95  # factor of all counts from one poll to the next, so that old polls weigh less


class PublicationDelays:
    """The publication delays of the namespaces of one cell."""

    def __init__(self, states: NamespaceStates) -> None:
        self._states = states
        # By namespace: numbers of points and of changed points, [2, age]; the last column: confirmed points
        # of any age.
        self._counts: dict[int, Float64s] = {}
        self._polls: dict[int, int] = {}  # the number of polls, by namespace
        self._observed: set[int] = set()  # the namespaces with points in the current poll

    def observe(self, namespaces: Ints, ages: Ints, changed: Flags, confirmed: Flags) -> None:
        """Count points of a poll, each with its namespace. changed: true if the point is new or changed.

        ages: minutes from the point to the last minute of the previous request for its metric; negative if
        that request did not include the point. confirmed: true if two requests had returned the point before.
        """
        is_counted = (ages >= 0) & (ages < MAX_DELAY)
        namespaces, ages, changed = namespaces[is_counted], ages[is_counted], changed[is_counted]
        confirmed = confirmed[is_counted]
        for namespace in distinct_values(namespaces).tolist():
            of_namespace = namespaces == namespace
            counts = self._counts.setdefault(namespace, np.zeros((2, MAX_DELAY + 1)))
            for row, selected in enumerate((of_namespace, of_namespace & changed)):
                counts[row] += np.bincount(ages[selected], minlength=MAX_DELAY + 1)
                counts[row, CONFIRMED] += np.count_nonzero(confirmed & selected)
            self._observed.add(namespace)

    def learn(self) -> None:
        """Update the delays, at the end of a poll."""
        for namespace in self._observed:
            counts = self._counts[namespace]
            self._polls[namespace] = self._polls.get(namespace, 0) + 1
            if self._polls[namespace] >= MIN_POLLS:
                points, may_change = counts[0], counts[1] > MAX_CHANGED_SHARE * counts[0]
                oldest_change = int(np.flatnonzero(may_change[:CONFIRMED]).max(initial=-1))
                lowest_age = int(np.argmax(points > 0))  # whether points of a lower age change is unknown
                self._states.delay[namespace] = max(oldest_change + 1, lowest_age, MIN_DELAY)
                is_final = points[CONFIRMED] > 0 and not may_change[CONFIRMED]
                self._states.confirmed_is_final[namespace] = is_final
            self._counts[namespace] = DECAY * counts
        self._observed.clear()
