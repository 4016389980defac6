"""The store that survives a restart: alert states, silences and notifications that wait for delivery."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from monitor.alerting.delivery_store import DeliveryStore
from monitor.alerting.silences import SilenceStore
from monitor.alerting.tables import Key, Row, Table
from monitor.notifiers.notice import Notice

Changes = Mapping[tuple[Table[Any], Key], msgspec.Struct | None]  # the new row, or None to delete it


class AlertStateStore(DeliveryStore, SilenceStore, Protocol):
    """Everything that alerting stores, each call in one transaction. `Journal` implements it with SQLite.

    number: the highest number of all notices that were ever committed.
    """

    number: int

    def all(self, table: Table[Row]) -> Mapping[Key, Row]:
        """Return the rows of a table by key, oldest first. Any thread may read them."""

    def write(self, changes: Changes, notices: Sequence[Notice] = ()) -> Awaitable[None]:
        """Make several changes, and add notices to the history."""

    def reject(self, table: Table[Row], key: Key, error: Exception) -> None:
        """Take out a row that cannot be used, and keep it for people to look at, with the reason."""

    def history(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[Notice]]:
        """Return the newest notices, of one alert or of all, newest first."""
