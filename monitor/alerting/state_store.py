"""The protocol of the store whose alert states, silences and notifications survive a restart."""

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from monitor.alerting.delivery_store import DeliveryStore
from monitor.alerting.records import SentNotice
from monitor.alerting.silences import SilenceStore
from monitor.alerting.tables import RowChanges, RowKey, StoredRow, Table
from monitor.notifiers.notice import Notice


class AlertStateStore(DeliveryStore, SilenceStore, Protocol):
    """Stores all data of alerting; each call is one transaction. `Journal` implements the store with SQLite.

    number: the highest number of any notice that was ever committed. failure: a sentence that says why
    changes do not survive a restart; None while they do. unusable_count: the number of rows that this process
    moved by `move_to_unusable`. corrupt_files: the corrupt files that this process renamed.
    """

    number: int
    failure: str | None
    unusable_count: int
    corrupt_files: list[Path]

    def rows_of(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        """Return the rows of a table by key, oldest first. Any thread may read the rows."""

    def write(self, changes: RowChanges, notices: Sequence[Notice] = ()) -> Awaitable[None]:
        """Apply changes to rows, and add notices to the history."""

    def move_to_unusable(self, table: Table[StoredRow], key: RowKey, error: Exception) -> None:
        """Move a row that cannot be used, with the reason, to a table for inspection."""

    def history(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[Notice]]:
        """Return the newest notices of one alert, or of all alerts, newest first."""

    def notice_count(self, alert: str | None = None) -> Awaitable[int]:
        """Return the number of notices of one alert, or of all alerts."""

    def sent_notices(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[SentNotice]]:
        """Return the newest sent notices of one alert, or of all alerts, newest first."""
