"""The series that scans made of AWS's answers: while the answers are unchanged, series are only confirmed.

Most inventories find nothing new. To make the series of a resource, and to compare each with the registered
one, takes ten times as long as to compare the answers.
"""

from array import array
from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass, field

from collectors.base import Observed
from collectors.resource import ResourcePath
from monitor.aws.scan import LimitReadAt
from monitor.fleet.fleet import Fleet, Series

INT64 = "q"  # the array type of an entry


class KnownSeries:
    """The registered series that one scan function made of AWS's answers, by subject.

    A subject is what some answers are about, such as the id of a resource.

    An entry holds the digest of the answers, a hash over the fleet's digests of the series, and the slots of
    the series. The hash changes if a series is registered again, or if another series takes its slot. Entries
    are packed into bytes, as a fleet may have hundreds of thousands of series.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._entries: dict[Hashable, bytes] = {}

    def find(self, subject: Hashable, digest: int) -> Sequence[Series] | None:
        """Return the series of a subject; None if the series must be made again.

        digest: the digest of the answers, and of all else that the registration of the series depends on.
        """
        if (entry := self._entries.get(subject)) is None:
            return None
        entry_digest, registrations_hash, *slots = array(INT64, entry)
        is_unchanged = entry_digest == digest and registrations_hash == self._registrations_hash(slots)
        return [self._fleet.by_slot[slot] for slot in slots] if is_unchanged else None

    def put(self, subject: Hashable, digest: int, slots: Sequence[int]) -> None:
        """Remember the series of a subject, unless one has digest 0: it must always be registered again."""
        if all(self._fleet.digest[slot] for slot in slots):
            self._entries[subject] = array(INT64, (digest, self._registrations_hash(slots), *slots)).tobytes()
        else:
            self._entries.pop(subject, None)

    def retain(self, found: Set[Hashable]) -> None:
        """Forget the series of all subjects that were not found."""
        for subject in self._entries.keys() - found:
            del self._entries[subject]

    def _registrations_hash(self, slots: Sequence[int]) -> int:
        return hash(tuple([int(self._fleet.digest[slot]) for slot in slots]))


@dataclass(slots=True)
class ScannedSeries:
    """The series that one run of a scan function makes of answers, and the known series that it confirms.

    known: the series of earlier runs. context: returns all that the registration of the series depends on
    beside the answers; it may change during the scan. confirm: called with known series, and the time when
    their limits were read.
    """

    known: KnownSeries
    context: Callable[[], Hashable]
    confirm: Callable[[Sequence[Series], LimitReadAt], None]
    _found_subjects: set[Hashable] = field(default_factory=set)
    _made_series: dict[Hashable, tuple[int, Sequence[Observed]]] = field(default_factory=dict)

    def confirm_if_unchanged(self, subject: Hashable, answers_digest: int, read_at: LimitReadAt) -> bool:
        """Confirm the series of a subject if its answers are unchanged; else return false.

        read_at: when the limits were read.
        """
        series = self.known.find(subject, hash((answers_digest, self.context())))
        if series is None:
            return False
        self._found_subjects.add(subject)
        self.confirm(series, read_at)
        return True

    def note(self, subject: Hashable, answers_digest: int, series: Sequence[Observed]) -> None:
        """Record the series that were made of the answers about a subject."""
        self._found_subjects.add(subject)
        self._made_series[subject] = hash((answers_digest, self.context())), series

    def end(self, slot_of: Callable[[Observed], int | None], failed: Set[ResourcePath]) -> None:
        """Remember the series that were made, for the next scan; called after a complete scan.

        slot_of: returns the slot of a series; None if it is excluded. failed: the paths of resources with a
        failure; their series are made again, so that the failure is reported again.
        """
        for subject, (digest, series) in self._made_series.items():
            if not any(_has_api_usage(item) or item.resource.path in failed for item in series):
                slots = [slot for item in series if (slot := slot_of(item)) is not None]
                self.known.put(subject, digest, slots)
        self.known.retain(self._found_subjects)


def _has_api_usage(observed: Observed) -> bool:
    """Return whether an API returned the usage, so that each inventory must write the new number."""
    return isinstance(observed.usage, float | int)
