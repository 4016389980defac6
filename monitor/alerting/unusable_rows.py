"""Rows of the journal that cannot be used, as they are kept for people to look at."""

import time
from typing import Any, NamedTuple
from uuid import uuid4

from monitor.alerting.records import UnusableRow
from monitor.alerting.tables import Table

MAX_TEXT = 4096  # characters each of the key, the reason and the columns
ROW_ERRORS = (ValueError, RecursionError)  # of decoding; msgspec's and Unicode's errors are ValueErrors


class LocatedRow(NamedTuple):
    """A row that could not be used, and where it is: its table and SQLite's rowid."""

    table: Table[Any]
    rowid: int
    unusable: UnusableRow


def describe_unusable(table: Table[Any], key: object, row: object, error: Exception) -> UnusableRow:
    """Return the record of a row that cannot be used. row: its columns."""
    reason, shown = str(error) or type(error).__name__, repr(row)
    parts = (ascii(key)[:MAX_TEXT], ascii(reason)[:MAX_TEXT], ascii(shown)[:MAX_TEXT])
    name = dict(zip(("key", "reason", "row"), parts, strict=True))
    return UnusableRow(id=uuid4().hex, name=table.name, at=time.time(), **name)
