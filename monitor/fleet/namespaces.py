"""The state of each CloudWatch namespace of each cell: up to when AWS published it, and how late.

Some metrics have no points while nothing happens. The other metrics of the namespace and cell show if a
missing point is a zero or merely late: if one of them has a point in that minute or a later one, AWS has
published the minute.
"""

from collections.abc import Hashable
from typing import ClassVar

import numpy as np

from monitor.fleet.columns import Columns
from rules import alerts
from rules.arrays import Flags, Ints, distinct_values

NEVER = alerts.NEVER  # the same minute as in the alert states
ALWAYS = -NEVER  # after every minute
NO_NAMESPACE = 0  # for rows that hold no CloudWatch metric: every minute that was read is proven at once
MIN_LATE = 5  # a namespace is late once so many minutes were read without finding a point
RESUME_FOR = 30  # minutes after a late namespace published again in which delayed points may still come
SILENT_AFTER = 60  # minutes without any point after which a namespace counts as silent, no longer as late


class NamespaceStates(Columns):
    """Columns by namespace of a cell, and by period: metrics of a longer period are published later.

    A point of a shorter period proves the longer periods that ended by then, but not the other way round.

    period: the period of its metrics, in minutes.
    watermark: the newest minute in which any of its metrics has a point.
    first_read: the last minute of the first request for any of its metrics. A namespace that never had a
        point is late for SILENT_AFTER minutes after that, and silent from then on.
    read: the newest minute up to which any of its metrics was read.
    resume_from, resume_until: after the namespace was late, the minutes after `resume_from` (the newest
        minute that had a point before) are requested again until a poll reads `resume_until`, as delayed
        points may come in any order.
    delay: the measured publication delay, in minutes after the end of a minute; -1: not measured yet.
    confirmed_is_final: hardly any point changes once two requests have returned it, as measured.
    """

    declared: ClassVar = {
        "period": (np.int32, 1),
        "watermark": (np.int32, NEVER),
        "first_read": (np.int32, NEVER),
        "read": (np.int32, NEVER),
        "resume_from": (np.int32, NEVER),
        "resume_until": (np.int32, NEVER),
        "delay": (np.int32, -1),
        "confirmed_is_final": (np.bool_, False),
    }
    period: Ints
    watermark: Ints
    first_read: Ints
    read: Ints
    resume_from: Ints
    resume_until: Ints
    delay: Ints
    confirmed_is_final: Flags

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Hashable, dict[int, int]] = {}  # the numbers, by name and period
        # By number: the numbers with the same name and a longer period.
        self._longer: dict[int, list[int]] = {}
        self.watermark[self.allocate()] = ALWAYS

    def number_of(self, name: Hashable, period: int = 1) -> int:
        """Return the number of a namespace; a new namespace gets a new number.

        name: the cell and the namespace. period: the period of the metrics, in minutes.
        """
        numbers = self._numbers.setdefault(name, {})
        if period not in numbers:
            numbers[period] = self.allocate()
            self.period[numbers[period]] = period
            for shorter, number in numbers.items():
                self._longer[number] = [numbers[longer] for longer in numbers if longer > shorter]
        return numbers[period]

    def advance(self, namespaces: Ints, minutes: Ints) -> dict[int, bool]:
        """Raise watermarks to the minutes of points.

        Return the namespaces whose watermark rose, each with whether the namespace was late before.
        """
        was_late = self._raise_watermarks(namespaces, minutes)
        for number in tuple(was_late):
            for longer in self._longer.get(number, ()):
                period = self.period[longer]
                ended = (self.watermark[number] + 1) // period * period - 1
                longer_was_late = self._raise_watermarks(
                    np.array([longer], np.int32), np.array([ended], np.int32)
                )
                for key, is_late in longer_was_late.items():
                    was_late[key] = is_late or was_late.get(key, False)
        return was_late

    def _raise_watermarks(self, namespaces: Ints, minutes: Ints) -> dict[int, bool]:
        """Do what `advance` does, without the namespaces of longer periods."""
        risen = distinct_values(namespaces)
        before = self.watermark[risen]
        np.maximum.at(self.watermark, namespaces, minutes)
        has_risen = self.watermark[risen] > before
        risen, before = risen[has_risen], before[has_risen]
        min_late = MIN_LATE + self.period[risen] - 1
        was_late = (before > NEVER) & (self.read[risen] - before >= min_late)
        self._resume(risen[was_late], before[was_late])
        return dict(zip(risen.tolist(), was_late.tolist(), strict=True))

    def _resume(self, late: Ints, before: Ints) -> None:
        """Request the minutes after `before`, the former watermarks of late namespaces, again."""
        is_resuming = self.resume_until[late] > before
        self.resume_from[late] = np.where(is_resuming, np.minimum(self.resume_from[late], before), before)
        self.resume_until[late] = self.watermark[late] + RESUME_FOR

    def note_read(self, namespaces: Ints, minutes: Ints) -> None:
        """Store the first and the newest minute up to which each namespace was read."""
        first = self.first_read[namespaces]
        self.first_read[namespaces] = np.where(first == NEVER, minutes, first)
        np.maximum.at(self.read, namespaces, minutes)

    def complete_through(self, namespaces: Ints, read: Ints) -> Ints:
        """Return the minute up to which each namespace is complete. read: the newest minute that was read."""
        complete = np.where(
            self.are_silent(namespaces, read), read, np.minimum(read, self.watermark[namespaces])
        )
        is_resuming = read < self.resume_until[namespaces]
        return np.where(is_resuming, np.minimum(complete, self.resume_from[namespaces]), complete)

    def are_silent(self, namespaces: Ints, read: Ints) -> Flags:
        """Return which namespaces had no points in the SILENT_AFTER minutes before `read`.

        For a period of several minutes, SILENT_AFTER is extended by the period less one minute.
        """
        watermark = self.watermark[namespaces]
        last = np.where(watermark == NEVER, self.first_read[namespaces], watermark)
        silent: Flags = (last > NEVER) & (read - last >= SILENT_AFTER + self.period[namespaces] - 1)
        return silent
