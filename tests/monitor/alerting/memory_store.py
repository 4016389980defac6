"""An `AlertStateStore` in memory: the least that the engine requires of a store."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from monitor.alerting.records import PendingNotice, SavedState
from monitor.alerting.state_store import Changes
from monitor.alerting.tables import PENDING_NOTICES, STATES, TABLES, Key, Row, Table
from monitor.notifiers.notice import Notice


class MemoryStore:
    """Keeps rows in memory. rejected: rows that could not be used, each with its error."""

    def __init__(self) -> None:
        self.number = 0
        self.rejected: list[tuple[Any, Exception]] = []
        self._rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self._history: list[Notice] = []
        self._ids = count(1)

    def all(self, table: Table[Row]) -> Mapping[Key, Row]:
        return self._rows[table]

    def numbered(self, pending: Iterable[PendingNotice]) -> list[PendingNotice]:
        return [msgspec.structs.replace(one, id=next(self._ids)) for one in pending]

    async def commit(
        self,
        states: Mapping[str, bytes | None],
        notices: Sequence[Notice],
        pending: Sequence[PendingNotice] = (),
    ) -> None:
        changes: dict[tuple[Table[Any], Key], msgspec.Struct | None] = {
            (STATES, key): None if value is None else SavedState(key, value) for key, value in states.items()
        }
        await self.write(changes | {(PENDING_NOTICES, one.id): one for one in pending}, notices)

    async def put(self, table: Table[Row], row: Row) -> None:
        table.encode(row)
        await self.write({(table, table.key_of(row)): row})

    async def remove(self, table: Table[Row], key: Key) -> None:
        await self.write({(table, key): None})

    async def write(self, changes: Changes, notices: Sequence[Notice] = ()) -> None:
        for (table, key), row in changes.items():
            if row is None:
                self._rows[table].pop(key, None)
            else:
                self._rows[table][key] = row
        self._history.extend(notices)
        self.number = max([self.number, *(one.number for one in notices)])

    def reject(self, table: Table[Row], key: Key, error: Exception) -> None:
        self.rejected.append((self._rows[table].pop(key), error))

    async def history(self, alert: str | None = None, limit: int = 100) -> list[Notice]:
        return [one for one in reversed(self._history) if alert in (None, one.alert)][:limit]

    async def maintain(self) -> None:
        """Do nothing: this store deletes no old rows."""
