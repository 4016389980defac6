"""The series of one region that receive the traffic of their counterparts in a failing region."""

from collections.abc import Hashable, Iterator
from typing import NamedTuple

import numpy as np

from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from monitor.what_if.selection import in_groups
from rules.arrays import Flags, Indices


class Failover(NamedTuple):
    """The slots of the series that send their traffic to another region, and of their receivers.

    sending, receiving: in the same order.
    not_carried: the slots of the failing region whose traffic no series of the other region carries.
    """

    sending: Indices
    receiving: Indices
    not_carried: Indices


NO_SLOTS: Indices = np.empty(0, np.intp)
NO_FAILOVER = Failover(NO_SLOTS, NO_SLOTS, NO_SLOTS)


def failover(snapshot: Snapshot, failing: str, receiving_region: str, moving: Flags) -> Failover:
    """Return the series whose traffic moves from the failing region, and the series that receive it.

    A receiver has the same account, service and signal as the sender, and the same ids, in which the region's
    name may differ. If no series has these ids, the receiver has the same names, in which the region's name
    may differ; only one series of the receiving region may have these names.

    moving: the slots whose traffic moves if they are in the failing region.
    """
    receivers = _Receivers(snapshot, receiving_region)
    sending, receiving, not_carried = [], [], []
    in_region = in_groups(snapshot, (group[1] == failing for group in snapshot.groups))
    for slot in np.flatnonzero(in_region & moving).tolist():
        receiver = receivers.take(snapshot.series[slot], failing)
        if receiver is None:
            not_carried.append(slot)
        else:
            sending.append(slot)
            receiving.append(receiver)
    return Failover(*(np.array(slots, np.intp) for slots in (sending, receiving, not_carried)))


class _Receivers:
    """The series of the receiving region, by ids and by names.

    Each receives the traffic of at most one series.
    """

    def __init__(self, snapshot: Snapshot, region: str) -> None:
        self._region = region
        self._by_ids: dict[Hashable, int] = {}
        self._by_names: dict[Hashable, int | None] = {}  # None: several series have these names
        is_in_region = in_groups(snapshot, (group[1] == region for group in snapshot.groups))
        for slot in np.flatnonzero(is_in_region).tolist():
            key = snapshot.series[slot].key
            self._by_ids[_identity(key, key.subject.path)] = slot
            identity_by_names = _identity(key, key.subject.names)
            if key.subject.names:
                self._by_names[identity_by_names] = None if identity_by_names in self._by_names else slot
        self._taken_slots = set[int]()

    def take(self, series: Series, failing: str) -> int | None:
        """Return the slot that receives the traffic of a series; None if there is none."""
        for slot in self._candidates(series.key, failing):
            if slot is not None and slot not in self._taken_slots:
                self._taken_slots.add(slot)
                return slot
        return None

    def _candidates(self, key: Key, failing: str) -> Iterator[int | None]:
        path, names = key.subject.path, key.subject.names
        yield self._by_ids.get(_identity(key, path))
        yield self._by_ids.get(_identity(key, self._with_receiving_region(path, failing)))
        if names:
            yield self._by_names.get(_identity(key, names))
            yield self._by_names.get(_identity(key, self._with_receiving_region(names, failing)))

    def _with_receiving_region(self, parts: tuple[str, ...], failing: str) -> tuple[str, ...]:
        return tuple(part.replace(failing, self._region) for part in parts)


def _identity(key: Key, parts: tuple[str, ...]) -> Hashable:
    return key.account, key.service, key.signal, parts
