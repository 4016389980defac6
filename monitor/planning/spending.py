"""Stores of what was spent of a budget, for the next process."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class SavedSpending(msgspec.Struct, frozen=True):
    """The dollars by which an account is ahead of its budget; `account` is empty where all share one.

    dollars: spent, or about to be spent, beyond what the budget had earned. at: when, in epoch seconds.
    budget: in dollars a month, at that time.
    """

    account: str
    dollars: float
    at: float
    budget: float


class SpendingStore(Protocol):
    """Keeps what was spent across restarts."""

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return what is stored, by account."""
        ...

    async def save_spending(self, saved: SavedSpending) -> None:
        """Store what was spent; returns once it survives a restart, or if that is not possible now."""
        ...


class InMemorySpendingStore:
    """Keeps what was spent in memory, for a process that reads everything once and ends."""

    def __init__(self) -> None:
        self._saved = dict[str, SavedSpending]()

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return what this process has stored."""
        return self._saved

    async def save_spending(self, saved: SavedSpending) -> None:
        """Keep what was spent in memory."""
        self._saved[saved.account] = saved
