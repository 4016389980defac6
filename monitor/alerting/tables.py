"""The tables of the journal, except those of the history.

Each table stores the structs of one class, with a column for each field.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec

from monitor.alerting.matchers import parse_matcher_lists
from monitor.alerting.records import (
    Acknowledgement,
    DeadLetter,
    PendingNotice,
    SavedState,
    Silence,
    UnusableRow,
)
from monitor.notifiers.notice import Notification
from monitor.planning.spending import SavedSpending
from monitor.schema.annotations import MAX_NUMBER

RowKey = str | int
SqlValue = str | bytes | int | float | None
StoredRow = TypeVar("StoredRow", bound=msgspec.Struct)

NATIVE_TYPES = (str, bytes, int, float, type(None))  # stored as they are; other types are stored as JSON


def _accept(_: Any) -> None:
    """Accept every row."""


@dataclass(frozen=True, eq=False)
class Table(Generic[StoredRow]):
    """Rows of one class, identified by the field `key`.

    row_class: the class. key: the name of the key field. check: raises ValueError for a row that has the
    right types but cannot be used.
    """

    name: str
    row_class: type[StoredRow]
    key: str
    check: Callable[[StoredRow], object] = _accept

    def key_of(self, row: StoredRow) -> RowKey:
        """Return the value of the key field."""
        key: RowKey = getattr(row, self.key)
        return key

    @cached_property
    def types(self) -> Mapping[str, Any]:
        """The types of the fields, by name."""
        return {field.name: field.type for field in msgspec.structs.fields(self.row_class)}

    @cached_property
    def quoted_columns(self) -> str:
        """The column names, quoted for SQL."""
        return ", ".join(f'"{name}"' for name in self.types)  # "group" is a keyword of SQL

    @cached_property
    def insert_sql(self) -> str:
        """The statement that adds or replaces a row."""
        placeholders = ", ".join("?" * len(self.types))
        return f"INSERT OR REPLACE INTO {self.name} ({self.quoted_columns}) VALUES ({placeholders})"

    @cached_property
    def delete_sql(self) -> str:
        """The statement that deletes the row with a key."""
        return f"DELETE FROM {self.name} WHERE {self.key} = ?"

    @cached_property
    def select_sql(self) -> str:
        """The query of the rowid and the columns of all rows, oldest first."""
        return f"SELECT rowid, {self.quoted_columns} FROM {self.name} ORDER BY rowid"

    def encode(self, row: StoredRow) -> list[SqlValue]:
        """Return the values of a row's columns. Raises ValueError if `decode` would return another row."""
        return [_encode_value(getattr(row, name)) for name in self.types]

    def decode(self, values: Iterable[Any]) -> StoredRow:
        """Return the row whose columns have these values. Raises ValueError, as msgspec does."""
        named_values = zip(self.types.items(), values, strict=True)
        row = msgspec.convert(
            {name: _decode_value(field_type, value) for (name, field_type), value in named_values},
            self.row_class,
        )
        self.check(row)
        return row


def _encode_value(value: Any) -> SqlValue:
    if isinstance(value, str):
        value.encode()  # raises UnicodeError for lone surrogates
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    elif isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ValueError(f"expected a number of at most {MAX_NUMBER}, found {value}")
    return value if isinstance(value, NATIVE_TYPES) else msgspec.json.encode(value).decode()


def _decode_value(field_type: Any, value: Any) -> Any:
    if isinstance(value, str):
        value.encode()  # raises UnicodeError for invalid UTF-8, which was decoded to lone surrogates
    if value is None and type(None) in get_args(field_type):
        return None
    is_json = get_origin(field_type) in (tuple, Mapping) or any(
        isinstance(member, type) and issubclass(member, msgspec.Struct)
        for member in (field_type, *get_args(field_type))
    )
    if is_json and not isinstance(value, str):
        raise ValueError(f"expected JSON, found {value!r:.100}")
    return msgspec.json.decode(value, type=field_type) if is_json else value


# By table and key, the new row; None deletes the row.
RowChanges = dict[tuple[Table[Any], RowKey], msgspec.Struct | None]

STATES = Table("states", SavedState, "key")
PENDING_NOTICES = Table("pending_notices", PendingNotice, "id")
NOTIFICATIONS = Table("notifications", Notification, "id")
DEAD_LETTERS = Table("dead_letters", DeadLetter, "id")
SILENCES = Table("silences", Silence, "id", lambda silence: parse_matcher_lists(silence.matchers))
ACKNOWLEDGEMENTS = Table("acknowledgements", Acknowledgement, "alert")
UNUSABLE_ROWS = Table("unusable_rows", UnusableRow, "id")

SPENDING = Table("spending", SavedSpending, "account")

TABLES: tuple[Table[Any], ...] = (
    STATES,
    PENDING_NOTICES,
    NOTIFICATIONS,
    DEAD_LETTERS,
    SILENCES,
    ACKNOWLEDGEMENTS,
    UNUSABLE_ROWS,
    SPENDING,
)
