"""The store that survives a restart: alert states, silences and notifications that wait for delivery."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from monitor.alerting.delivery_store import DeliveryStore
from monitor.alerting.records import SentNotice
from monitor.alerting.silences import SilenceStore
from monitor.alerting.tables import RowChanges, RowKey, StoredRow, Table
from monitor.notifiers.notice import Notice


class AlertStateStore(DeliveryStore, SilenceStore, Protocol):
    """Everything that alerting stores, each call in one transaction. `Journal` implements it with SQLite.

    number: the highest number of all notices that were ever committed.
    """

    number: int

    def all(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        """Return the rows of a table by key, oldest first. Any thread may read them."""

    def write(self, changes: RowChanges, notices: Sequence[Notice] = ()) -> Awaitable[None]:
        """Make several changes, and add notices to the history."""

    def reject(self, table: Table[StoredRow], key: RowKey, error: Exception) -> None:
        """Move a row that cannot be used to a table of its own, with the reason, for inspection."""

    def history(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[Notice]]:
        """Return the newest notices, of one alert or of all, newest first."""

    def sent_notices(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[SentNotice]]:
        """Return which receivers were notified of one alert, or of all, newest first."""
