"""Holds streamed points of unknown resources until an inventory that may discover the resources has ended."""

from collections.abc import Iterator
from typing import NamedTuple

from monitor.fleet.key import CellService
from monitor.lib.byte_budget import ByteBudgetExceededError
from monitor.stream.discovery import MayDiscover
from monitor.stream.interner import NameInterner
from rules.arrays import Float64s, Int64s

MAX_EARLY_POINTS = 200_000  # a point takes some 60 bytes


class NamedPoints(NamedTuple):
    """Columns of points, as `Points.columns` returns them. names: the interner that gave
    the numbers of the names."""

    names: NameInterner
    name_numbers: Int64s
    times: Int64s
    values: Float64s


class EarlyPoints:
    """Holds points in order of arrival, and the inventories that may discover their resources."""

    def __init__(self, may_discover: MayDiscover, max_points: int = MAX_EARLY_POINTS) -> None:
        self.may_discover, self._max_points = may_discover, max_points
        self._parts: list[NamedPoints] = []
        self._awaited_inventories: set[CellService] = set()
        self._count = 0

    @property
    def is_ready(self) -> bool:
        """True once an inventory that points wait for has ended."""
        return any(not self.may_discover(*cell_service) for cell_service in self._awaited_inventories)

    def add(self, part: NamedPoints, inventories: set[CellService]) -> None:
        """Hold points until one of these inventories has ended.

        Raises ByteBudgetExceededError when too many points are held.
        """
        if self._count + part.name_numbers.size > self._max_points:
            raise ByteBudgetExceededError
        self._parts.append(part)
        self._awaited_inventories |= inventories
        self._count += part.name_numbers.size

    def take_all(self) -> Iterator[NamedPoints]:
        """Remove all points, and return them in order of arrival."""
        parts = self._parts
        self._parts, self._awaited_inventories, self._count = [], set(), 0
        return iter(parts)
