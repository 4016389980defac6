"""The series that scans made of AWS's answers: what equal answers would make again is confirmed instead.

Most inventories find what the one before found. Making the series of a resource, and comparing each with what
is registered, takes ten times as long as comparing the answers that they are made of.
"""

from array import array
from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass, field

from collectors.base import Observed
from collectors.resource import ResourcePath
from monitor.aws.scan import LimitReadAt
from monitor.fleet.fleet import Fleet, Series

NUMBERS = "q"  # the type of the numbers of an entry


class KnownSeries:
    """The series that one scan function made of answers, by what they are of, as the fleet has them.

    An entry is the digest of what they were made of, the digest of those with which they are registered, and
    their slots, in as few bytes as possible, as a fleet may have hundreds of thousands. A series that was
    registered anew since, or whose slot another series has, has another digest.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._entries: dict[Hashable, bytes] = {}

    def find(self, of: Hashable, digest: int) -> Sequence[Series] | None:
        """Return the series made of responses with this digest; None where they are to be made again."""
        if (entry := self._entries.get(of)) is None:
            return None
        made_of, registered, *slots = array(NUMBERS, entry)
        is_same = made_of == digest and registered == self._registered(slots)
        return [self._fleet.by_slot[slot] for slot in slots] if is_same else None

    def put(self, of: Hashable, digest: int, slots: Sequence[int]) -> None:
        """Remember series, unless the next inventory has to register one of them anew in any case."""
        if all(self._fleet.digest[slot] for slot in slots):
            self._entries[of] = array(NUMBERS, (digest, self._registered(slots), *slots)).tobytes()
        else:
            self._entries.pop(of, None)

    def retain(self, found: Set[Hashable]) -> None:
        """Forget the series of everything that was not found."""
        for of in self._entries.keys() - found:
            del self._entries[of]

    def _registered(self, slots: Sequence[int]) -> int:
        return hash(tuple([int(self._fleet.digest[slot]) for slot in slots]))


@dataclass(slots=True)
class ScannedSeries:
    """The series that one run of a scan function makes of answers, and those that it confirms without that.

    context: returns all else that the series are registered with; it may change during the scan. confirm:
    confirms series; it is passed what tells when their limits were read.
    """

    known: KnownSeries
    context: Callable[[], Hashable]
    confirm: Callable[[Sequence[Series], LimitReadAt], None]
    _found: set[Hashable] = field(default_factory=set)
    _made: dict[Hashable, tuple[int, Sequence[Observed]]] = field(default_factory=dict)

    def confirms(self, of: Hashable, answers: int, read_at: LimitReadAt) -> bool:
        """Confirm what was made of equal answers; return false where the series are to be made.

        answers: their digest. read_at: tells when the limits were read.
        """
        series = self.known.find(of, hash((answers, self.context())))
        if series is None:
            return False
        self._found.add(of)
        self.confirm(series, read_at)
        return True

    def note(self, of: Hashable, answers: int, made: Sequence[Observed]) -> None:
        """Note which series are made of answers."""
        self._found.add(of)
        self._made[of] = hash((answers, self.context())), made

    def end(self, slot_of: Callable[[Observed], int | None], failed: Set[ResourcePath]) -> None:
        """Remember what was made for the next scan, after one that was complete.

        slot_of: returns the slot of a series; None where it is excluded. failed: the paths of resources of
        which something failed, which is to be reported each time.
        """
        for of, (digest, made) in self._made.items():
            if not any(_is_made_each_time(one) or one.resource.path in failed for one in made):
                slots = [slot for one in made if (slot := slot_of(one)) is not None]
                self.known.put(of, digest, slots)
        self.known.retain(self._found)


def _is_made_each_time(observed: Observed) -> bool:
    """Return whether a series is of a number that an API returned, which is written each time."""
    return isinstance(observed.usage, float | int)
