"""Resources in no danger, of which calls tell nothing that is needed soon: they are described more rarely."""

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.resource import ResourcePath
from monitor.fleet.columns import Flags, Indices
from monitor.fleet.fleet import Fleet
from rules.band import Zone


@dataclass(frozen=True, slots=True)
class CalmResources:
    """The resources of a service in a cell whose series are all below their bands, with nothing throttled.

    calm: the paths of all of which a series, or one of a part, is calm. restless: the paths of those that
    have another series. with_restless: those, and all that they are parts of.
    """

    calm: frozenset[ResourcePath] = frozenset()
    restless: frozenset[ResourcePath] = frozenset()
    with_restless: frozenset[ResourcePath] = frozenset()

    def __contains__(self, path: object) -> bool:
        """Return whether a resource, and what it is a part of and its parts, are in no danger."""
        if not isinstance(path, tuple) or path not in self.calm or path in self.with_restless:
            return False
        return not any(path[:end] in self.restless for end in range(1, len(path)))


def calm_resources(fleet: Fleet, slots: Indices) -> CalmResources:
    """Return the resources of a service that are in no danger, by the last judgement.

    slots: those of all series of the service in a cell.

    Series that are not judged say nothing of a resource. One whose usage is a number that an API returned is
    not calm: the call about the resource reads the usage, too. A doubted limit is read at once in any case.
    """
    slots = slots[fleet.observable[slots]]
    is_calm = (fleet.zone[slots] == Zone.BELOW) & ~(fleet.saturation[slots] > 0) & ~fleet.returned[slots]
    restless = _paths(fleet, slots, ~is_calm)
    return CalmResources(
        frozenset(_with_parents(_paths(fleet, slots, is_calm))),
        frozenset(restless),
        frozenset(_with_parents(restless)),
    )


def _paths(fleet: Fleet, slots: Indices, are_chosen: Flags) -> set[ResourcePath]:
    return {fleet.by_slot[slot].key.subject.path for slot in slots[are_chosen].tolist()}


def _with_parents(paths: Iterable[ResourcePath]) -> Iterable[ResourcePath]:
    return (path[:end] for path in paths for end in range(1, len(path) + 1))
