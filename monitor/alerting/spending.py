"""Stores in the journal what was spent of the budget."""

from collections.abc import Mapping
from typing import cast

from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.tables import SPENDING
from monitor.planning.spending import SavedSpending


class JournalSpending:
    """A `SpendingStore` whose rows are in the store of alerts."""

    def __init__(self, store: AlertStateStore) -> None:
        self._store = store

    def spending(self) -> Mapping[str, SavedSpending]:
        """Return what is stored, by account."""
        return cast("Mapping[str, SavedSpending]", self._store.all(SPENDING))

    async def save_spending(self, saved: SavedSpending) -> None:
        """Store what was spent; while the disk fails, in memory only."""
        await self._store.write({(SPENDING, saved.account): saved})
