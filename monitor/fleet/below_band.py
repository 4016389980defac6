"""Resources below their bands, which the inventory describes more rarely than other resources."""

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.resource import ResourcePath
from monitor.fleet.fleet import Fleet
from rules.arrays import Flags, Indices
from rules.band import Zone


@dataclass(frozen=True, slots=True)
class ResourcesBelowBand:
    """The resources of a service in a cell whose series are all below their bands and not throttled.

    below: the paths of resources with a series below its band, and the paths of their parents. others: the
    paths of resources with a series that is not below its band. others_and_parents: `others`, and the paths
    of their parents.
    """

    below: frozenset[ResourcePath] = frozenset()
    others: frozenset[ResourcePath] = frozenset()
    others_and_parents: frozenset[ResourcePath] = frozenset()

    def __contains__(self, path: object) -> bool:
        """Return whether all series of a resource, of its parents and of its parts are below their bands."""
        if not isinstance(path, tuple) or path not in self.below or path in self.others_and_parents:
            return False
        return not any(path[:end] in self.others for end in range(1, len(path)))


def resources_below_band(fleet: Fleet, slots: Indices) -> ResourcesBelowBand:
    """Return the resources of a service that are below their bands by the last judgement.

    slots: the slots of all series of the service in a cell.

    Series that are not observable do not count. A series whose usage is a number that an API returned is
    never below, as the call that describes the resource also reads the usage. A doubted limit is read again
    at once, whatever the zone.
    """
    slots = slots[fleet.observable[slots]]
    is_below = (fleet.zone[slots] == Zone.BELOW) & ~(fleet.saturation[slots] > 0) & ~fleet.returned[slots]
    others = _paths(fleet, slots, ~is_below)
    return ResourcesBelowBand(
        frozenset(_with_parents(_paths(fleet, slots, is_below))),
        frozenset(others),
        frozenset(_with_parents(others)),
    )


def _paths(fleet: Fleet, slots: Indices, are_chosen: Flags) -> set[ResourcePath]:
    return {fleet.by_slot[slot].key.subject.path for slot in slots[are_chosen].tolist()}


def _with_parents(paths: Iterable[ResourcePath]) -> Iterable[ResourcePath]:
    return (path[:end] for path in paths for end in range(1, len(path) + 1))
