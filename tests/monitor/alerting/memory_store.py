"""An `AlertStateStore` in memory, with no more than the engine requires of a store."""

from collections.abc import Sequence

from monitor.alerting.records import SentNotice
from monitor.alerting.row_store import RowStore
from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.tables import RowChanges, RowKey, StoredRow, Table
from monitor.notifiers.notice import Notice


class MemoryStore(RowStore):
    """Keeps rows only in memory, and drops rows that cannot be used."""

    def __init__(self) -> None:
        super().__init__()
        self._history: list[Notice] = []
        self._sent: list[SentNotice] = []

    async def write(self, changes: RowChanges, notices: Sequence[Notice] = ()) -> None:
        self._sent.extend(self.sent_notices_of(changes))
        self.apply(changes)
        self._history.extend(notices)

    def move_to_unusable(self, table: Table[StoredRow], key: RowKey, error: Exception) -> None:
        del self.rows[table][key]

    async def history(self, alert: str | None = None, limit: int = 100) -> list[Notice]:
        return [notice for notice in reversed(self._history) if alert in (None, notice.alert)][:limit]

    async def notice_count(self, alert: str | None = None) -> int:
        return sum(alert in (None, notice.alert) for notice in self._history)

    async def sent_notices(self, alert: str | None = None, limit: int = 100) -> list[SentNotice]:
        return [sent for sent in reversed(self._sent) if alert in (None, sent.alert)][:limit]

    async def maintain(self) -> None:
        """Do nothing: this store deletes no old rows."""


_: type[AlertStateStore] = MemoryStore
