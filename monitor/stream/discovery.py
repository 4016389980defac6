"""The interface of the stream to inventories, which discover the resources of its points."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.fleet.key import CellKey

RequestInventory = Callable[[CellKey, str], None]
MayDiscover = Callable[[CellKey, str], bool]


def request_nothing(_: CellKey, __: str) -> None:
    """Request no inventory."""


def discovers_nothing(_: CellKey, __: str) -> bool:
    """Return False: no inventory runs."""
    return False


@dataclass(frozen=True, slots=True)
class Discovery:
    """The functions that the stream calls, each with a cell and a service.

    request_inventory: requests an inventory; called for points of an unknown resource.
    may_discover: returns whether the first inventory still runs, so that it may discover the resource.
    """

    request_inventory: RequestInventory = request_nothing
    may_discover: MayDiscover = discovers_nothing
