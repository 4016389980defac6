"""Purchases that series share: one shard provides bytes written, records written and bytes read."""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from monitor.fleet.columns import Ids
from monitor.fleet.key import Key
from rules.arrays import Ints
from rules.sizes import Size


class Purchase(NamedTuple):
    """A purchase that sets a limit: an item for a resource, such as the shards of a stream.

    If it is unknown how the limit of a series is bought, `resource` is the id of the series, and `item` is
    empty.
    """

    account: str
    region: str
    service: str
    resource: str
    item: str

    @classmethod
    def of(cls, key: Key, size: Size | None) -> "Purchase":
        """Return the purchase of a series' limit. size: how the limit is bought; None if unknown."""
        if size is None:
            return cls(*key[:3], key.id, "")
        path = key.subject.path[:1] if size.for_parts else key.subject.path
        return cls(*key[:3], "\0".join(path), size.item)

    @property
    def id(self) -> int:
        """A short number that is the same after a restart."""
        identity = "\0".join(self).encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(identity, digest_size=8).digest())


class PurchaseMembers(NamedTuple):
    """The series that share a purchase with others, grouped by purchase.

    slots: the slots of these series. starts, counts: for each purchase, the index in `slots` at which its
    series begin, and their number. start_by_slot, count_by_slot: the same for each slot of the fleet; 0 for a
    series that shares its purchase with no other series.
    """

    slots: Ints
    starts: Ints
    counts: Ints
    start_by_slot: Ints
    count_by_slot: Ints


def group_purchases(slots: Ints, purchases: Ids, size: int) -> PurchaseMembers:
    """Group slots that share a purchase.

    purchases: the id of each slot's purchase. size: the number of slots in the fleet.
    """
    _, group, member_counts = np.unique(purchases, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(member_counts[group] > 1)
    order = shared[np.argsort(group[shared], kind="stable")]
    counts = member_counts[member_counts > 1].astype(np.int32)
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    member_slots = slots[order]
    start_by_slot, count_by_slot = np.zeros((2, size), np.int32)
    start_by_slot[member_slots] = np.repeat(starts, counts)
    count_by_slot[member_slots] = np.repeat(counts, counts)
    return PurchaseMembers(member_slots, starts, counts, start_by_slot, count_by_slot)
