"""Rows of the journal that cannot be used. They are stored in a separate table for inspection."""

import time
from typing import Any, NamedTuple
from uuid import uuid4

from monitor.alerting.records import UnusableRow
from monitor.alerting.tables import Table

MAX_TEXT_LENGTH = 4096  # characters of each of the key, the reason, and the repr of the columns
# Errors of decoding a row. The errors of msgspec and Unicode are ValueErrors.
ROW_ERRORS = (ValueError, RecursionError)


class LocatedRow(NamedTuple):
    """A row that cannot be used, with its table and its rowid in SQLite."""

    table: Table[Any]
    rowid: int
    unusable: UnusableRow


def describe_unusable(table: Table[Any], key: object, row: object, error: Exception) -> UnusableRow:
    """Return the record of a row that cannot be used. row: the columns. error: why it cannot be used."""
    texts = {"key": key, "reason": str(error) or type(error).__name__, "row": repr(row)}
    shortened = {name: ascii(text)[:MAX_TEXT_LENGTH] for name, text in texts.items()}
    return UnusableRow(id=uuid4().hex, name=table.name, at=time.time(), **shortened)
