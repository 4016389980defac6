"""Stores for the next process how many dollars each account is ahead of its budget."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class SavedSpending(msgspec.Struct, frozen=True):
    """The dollars by which an account is ahead of its budget.

    A budget grows evenly over a month. account: empty if all accounts share the budget. dollars: spent, or
    about to be spent, beyond what the budget had grown to at the time `at`, in epoch seconds. budget: the
    dollars a month at that time.
    """

    account: str
    dollars: float
    at: float
    budget: float


class SpendingStore(Protocol):
    """Keeps spending across restarts."""

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return the stored spending, by account."""
        ...

    async def save_spending(self, saved: SavedSpending) -> None:
        """Store spending. Returns once it survives a restart, or if it cannot be stored now."""
        ...


class InMemorySpendingStore:
    """Keeps spending in memory, for a process that reads everything once and ends."""

    def __init__(self) -> None:
        self._saved = dict[str, SavedSpending]()

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return the spending that this process has stored, by account."""
        return self._saved

    async def save_spending(self, saved: SavedSpending) -> None:
        """Keep spending in memory."""
        self._saved[saved.account] = saved
