"""The store of notices that wait for delivery, and of undeliverable notifications."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Protocol

from monitor.alerting.records import PendingNotice
from monitor.alerting.tables import RowChanges, RowKey, StoredRow, Table
from monitor.notifiers.notice import Notice


class DeliveryStore(Protocol):
    """Stores pending notices, notifications in delivery and dead letters, each kind in its own table.

    `Journal` implements it with SQLite. One transaction moves a notice from one table to the next, so a crash
    neither loses nor repeats the notice. `rows_of` contains a change as soon as `commit` or `write` is
    called; once the call has returned, the change survives a restart. Changes are stored in the order of the
    calls.
    """

    def rows_of(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        """Return the rows of a table by key, in the order in which they were added."""

    def with_ids(self, pending: Iterable[PendingNotice]) -> list[PendingNotice]:
        """Return the rows with new ids, which are higher than all earlier ids."""

    def commit(
        self,
        states: Mapping[str, bytes | None],
        notices: Sequence[Notice],
        pending: Sequence[PendingNotice] = (),
    ) -> Awaitable[None]:
        """Store states of the alert engine, the history of alerts and pending notices in one transaction.

        states: by key; None deletes a state. pending: rows that `with_ids` returned.
        """

    def write(self, changes: RowChanges) -> Awaitable[None]:
        """Make several changes in one transaction."""

    def maintain(self) -> Awaitable[None]:
        """Delete old rows, and recover from failures. Called every few seconds."""
