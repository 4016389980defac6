"""The state of each CloudWatch namespace of each cell: up to when AWS published it, and how late.

Some metrics have no points while nothing happens. Whether a missing point is a zero or merely late follows
from the other metrics of the namespace and cell: a point of theirs, of that minute or a later one, proves
that AWS has published the minute.
"""

from collections.abc import Hashable
from typing import ClassVar

import numpy as np

from monitor.fleet.columns import Columns, Flags, Ints

NEVER = -(2**30)  # a minute before all others, far enough from the limits of its type to subtract from
ALWAYS = -NEVER  # a minute after all others
NO_NAMESPACE = 0  # the namespace of what belongs to none: what was read of it is a fact at once
MIN_LATE = 5  # minutes without a point, though they were read, that make a namespace late
RESUME_FOR = 30  # minutes after a late namespace published again in which delayed points may still come
SILENT_AFTER = 60  # minutes without any point after which a namespace counts as idle, no longer as late


class NamespaceStates(Columns):
    """Columns by namespace of a cell.

    watermark: the newest minute that has a point, of whatever metric.
    first_read: up to which minute the namespace was read by the first request. A namespace of which
        nothing ever came is late for SILENT_AFTER minutes from then on, and idle after that.
    read: up to which minute it was read, of whatever metric.
    resume_from, resume_until: when it was late last, the newest minute that it had then, and up to which
        minute it is requested again from there on, as delayed points may come in any order.
    delay: minutes after its end until a minute is complete, as learnt; -1: not learnt yet.
    """

    declared: ClassVar = {
        "watermark": (np.int32, NEVER),
        "first_read": (np.int32, NEVER),
        "read": (np.int32, NEVER),
        "resume_from": (np.int32, NEVER),
        "resume_until": (np.int32, NEVER),
        "delay": (np.int32, -1),
    }
    watermark: Ints
    first_read: Ints
    read: Ints
    resume_from: Ints
    resume_until: Ints
    delay: Ints

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Hashable, int] = {}
        self.watermark[self.allocate()] = ALWAYS

    def number_of(self, name: Hashable) -> int:
        """Return the number of a namespace of a cell, by a name of both; allocated if it is new."""
        if name not in self._numbers:
            self._numbers[name] = self.allocate()
        return self._numbers[name]

    def advance(self, namespaces: Ints, minutes: Ints) -> dict[int, bool]:
        """Raise watermarks to points' minutes; return those that moved, and whether each was late before."""
        each = np.unique(namespaces)
        before = self.watermark[each]
        np.maximum.at(self.watermark, namespaces, minutes)
        moved = self.watermark[each] > before
        each, before = each[moved], before[moved]
        late = (before > NEVER) & (self.read[each] - before >= MIN_LATE)
        self._resume(each[late], before[late])
        return dict(zip(each.tolist(), late.tolist(), strict=True))

    def _resume(self, late: Ints, before: Ints) -> None:
        lasting = self.resume_until[late] > before
        self.resume_from[late] = np.where(lasting, np.minimum(self.resume_from[late], before), before)
        self.resume_until[late] = self.watermark[late] + RESUME_FOR

    def note_read(self, namespaces: Ints, minutes: Ints) -> None:
        """Store up to which minutes namespaces were read, first and last."""
        first = self.first_read[namespaces]
        self.first_read[namespaces] = np.where(first == NEVER, minutes, first)
        np.maximum.at(self.read, namespaces, minutes)

    def complete_through(self, namespaces: Ints, read: Ints) -> Ints:
        """Return the minute up to which namespaces are complete. read: that up to which each was read."""
        done = np.where(self.are_silent(namespaces, read), read, np.minimum(read, self.watermark[namespaces]))
        resumed = read < self.resume_until[namespaces]
        return np.where(resumed, np.minimum(done, self.resume_from[namespaces]), done)

    def are_silent(self, namespaces: Ints, read: Ints) -> Flags:
        """Return whether namespaces had no points in the SILENT_AFTER minutes before `read`."""
        watermark = self.watermark[namespaces]
        last = np.where(watermark == NEVER, self.first_read[namespaces], watermark)
        silent: Flags = (last > NEVER) & (read - last >= SILENT_AFTER)
        return silent
