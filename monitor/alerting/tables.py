"""The tables of the journal: each one holds the structs of one class, a column for every field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, get_origin

import msgspec

from monitor.alerting.notice import Notification
from monitor.alerting.records import Ack, Owed, Parked, Silence, State, Told

Key = str | int
Column = str | bytes | int | float | None
Row = TypeVar("Row", bound=msgspec.Struct)

PLAIN = (str, bytes, int, float, type(None))  # what SQLite keeps as it is; all else becomes JSON


@dataclass(frozen=True, eq=False)
class Table(Generic[Row]):
    """Rows of one class, told apart by the field `key`."""

    name: str
    row: type[Row]
    key: str

    def key_of(self, row: Row) -> Key:
        key: Key = getattr(row, self.key)
        return key

    @cached_property
    def types(self) -> Mapping[str, Any]:
        return {field.name: field.type for field in msgspec.structs.fields(self.row)}

    @cached_property
    def columns(self) -> str:
        return ", ".join(f'"{name}"' for name in self.types)  # "group" is a word of SQL

    @cached_property
    def put(self) -> str:
        return (
            f"INSERT OR REPLACE INTO {self.name} ({self.columns}) VALUES ({', '.join('?' * len(self.types))})"
        )

    @cached_property
    def delete(self) -> str:
        return f"DELETE FROM {self.name} WHERE {self.key} = ?"

    @cached_property
    def select(self) -> str:
        return f"SELECT {self.columns} FROM {self.name} ORDER BY rowid"

    def encode(self, row: Row) -> list[Column]:
        return [_column(getattr(row, name)) for name in self.types]

    def decode(self, columns: Iterable[Any]) -> Row:
        """Raises msgspec.MsgspecError for what is no such row."""
        named = zip(self.types.items(), columns, strict=True)
        return msgspec.convert({name: _value(kind, column) for (name, kind), column in named}, self.row)


def _column(value: Any) -> Column:
    return value if isinstance(value, PLAIN) else msgspec.json.encode(value).decode()


def _value(kind: Any, column: Any) -> Any:
    nested = get_origin(kind) in (tuple, Mapping) or (
        isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    )
    return msgspec.json.decode(column, type=kind) if nested else column


STATES = Table("states", State, "key")
TOLD = Table("told", Told, "alert")
OWED = Table("owed", Owed, "id")
FORMED = Table("formed", Notification, "id")
PARKED = Table("parked", Parked, "id")
SILENCES = Table("silences", Silence, "id")
ACKS = Table("acks", Ack, "alert")

TABLES: tuple[Table[Any], ...] = (STATES, TOLD, OWED, FORMED, PARKED, SILENCES, ACKS)
