"""The items of a list that can be read; others, such as items without an id or a name, are counted."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from monitor.lib.errors import HeadroomError


class UnreadableItemsError(HeadroomError):
    """AWS listed items that cannot be read, such as items without an id."""


@dataclass(slots=True)
class ReadableItems:
    """The items of a list that can be read.

    listed: the items as AWS lists them. kind: the noun for the items, in the plural. parse: returns the
    members of an item that are read; None if the item cannot be read. unreadable_count: the number of items
    so far that cannot be read.
    """

    listed: AsyncIterator[Any]
    kind: str
    parse: Callable[[Any], Any]
    unreadable_count: int = 0

    async def items(self) -> AsyncIterator[Any]:
        """Yield the parsed items, without those that cannot be read."""
        async for item in self.listed:
            if (parsed := self.parse(item)) is None:
                self.unreadable_count += 1
            else:
                yield parsed

    @property
    def problem(self) -> str:
        """A sentence about the items that cannot be read; empty if all items can be read."""
        if not self.unreadable_count:
            return ""
        return f"{self.unreadable_count} of the {self.kind} in AWS's list cannot be read"

    def check(self) -> None:
        """Raise UnreadableItemsError if an item could not be read. Call it once all items were yielded."""
        if self.problem:
            raise UnreadableItemsError(self.problem)
