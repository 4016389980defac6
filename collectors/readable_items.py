"""The items of a list that have what identifies them; the others are counted, and prevent no read."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from monitor.lib.errors import HeadroomError


class UnreadableItemsError(HeadroomError):
    """AWS listed items without what identifies them."""


@dataclass(slots=True)
class ReadableItems:
    """The items of a list, as far as they can be read.

    kind: what the items are, in the plural. parse: returns what is read of an item; None where it lacks what
    identifies it. unreadable: how many did so far.
    """

    listed: AsyncIterator[Any]
    kind: str
    parse: Callable[[Any], Any]
    unreadable: int = 0

    async def items(self) -> AsyncIterator[Any]:
        """Yield what is read of each item that can be read."""
        async for item in self.listed:
            if (found := self.parse(item)) is None:
                self.unreadable += 1
            else:
                yield found

    @property
    def problem(self) -> str:
        """A sentence on the items that cannot be read; empty where all can."""
        return f"{self.unreadable} of the {self.kind} in AWS's list cannot be read" if self.unreadable else ""

    def check(self) -> None:
        """Raise UnreadableItemsError where an item cannot be read: after all others were."""
        if self.problem:
            raise UnreadableItemsError(self.problem)
