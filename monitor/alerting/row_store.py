"""The rows of a store in memory, and the methods of `AlertStateStore` that are one call of `write`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from monitor.alerting.records import PendingNotice, SavedState, SentNotice
from monitor.alerting.tables import PENDING_NOTICES, STATES, TABLES, RowChanges, RowKey, StoredRow, Table
from monitor.notifiers.notice import Notice


class RowStore(ABC):
    """Keeps the rows of all tables in memory. `write` of a subclass may also store them in a file.

    rows: the rows by table and key. number, failure, unusable_count, corrupt_files: see `AlertStateStore`.
    """

    def __init__(self) -> None:
        self.rows: dict[Table[Any], dict[RowKey, Any]] = {table: {} for table in TABLES}
        self.number = 0
        self.failure: str | None = None
        self.unusable_count = 0
        self.corrupt_files: list[Path] = []
        self._ids = count(1)

    @abstractmethod
    async def write(self, changes: RowChanges, notices: Sequence[Notice] = ()) -> None:
        """Make changes, and add notices to the history, in one transaction.

        The rows in memory change before the first `await`.
        """

    def rows_of(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        """Return the rows of a table by key."""
        return self.rows[table]

    def with_ids(self, pending: Iterable[PendingNotice]) -> list[PendingNotice]:
        """Return the pending notices with new ids, which are higher than all earlier ids."""
        return [msgspec.structs.replace(row, id=next(self._ids)) for row in pending]

    async def commit(
        self,
        states: Mapping[str, bytes | None],
        notices: Sequence[Notice],
        pending: Sequence[PendingNotice] = (),
    ) -> None:
        """Store states, add notices to the history, and add pending notices.

        states: the values by key; None deletes the state. pending: rows that `with_ids` returned.
        """
        changes: RowChanges = {
            (STATES, key): None if value is None else SavedState(key, value) for key, value in states.items()
        }
        changes |= {(PENDING_NOTICES, row.id): row for row in pending}
        self.number = max([self.number, *(notice.number for notice in notices)])
        await self.write(changes, notices)

    def sent_notices_of(self, changes: RowChanges) -> list[SentNotice]:
        """Return a sent notice for each pending notice that the changes add, for the history."""
        added_rows = (
            row for (table, _), row in changes.items() if table is PENDING_NOTICES and row is not None
        )
        return [
            SentNotice(
                alert=row.notice.alert,
                number=row.notice.number,
                receiver=row.receiver,
                reason=row.reason,
                at=row.due,
            )
            for row in added_rows
            if isinstance(row, PendingNotice)
        ]

    async def put(self, table: Table[StoredRow], row: StoredRow) -> None:
        """Add or replace a row. Raises ValueError if the row could not be read back unchanged."""
        table.encode(row)
        await self.write({(table, table.key_of(row)): row})

    async def remove(self, table: Table[StoredRow], key: RowKey) -> None:
        """Delete a row, if there is one with this key."""
        await self.write({(table, key): None})

    def apply(self, changes: RowChanges) -> None:
        """Make changes in memory only."""
        for (table, key), row in changes.items():
            if row is None:
                self.rows[table].pop(key, None)
            else:
                self.rows[table][key] = row
