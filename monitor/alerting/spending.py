"""Stores in the journal how much of its budget each account has spent."""

from collections.abc import Mapping
from typing import cast

from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.tables import SPENDING
from monitor.planning.spending import SavedSpending


class JournalSpending:
    """A `SpendingStore` that keeps its rows in an `AlertStateStore`."""

    def __init__(self, store: AlertStateStore) -> None:
        self._store = store

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return the stored spending, by account."""
        return cast("Mapping[str, SavedSpending]", self._store.rows_of(SPENDING))

    async def save_spending(self, saved: SavedSpending) -> None:
        """Store the spending of an account. While the disk fails, only memory has it."""
        await self._store.write({(SPENDING, saved.account): saved})
