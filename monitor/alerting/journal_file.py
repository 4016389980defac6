"""The SQLite file of the journal, in WAL mode. Each write is one transaction. Only one thread makes calls."""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from monitor.alerting.records import SentNotice
from monitor.alerting.schema import MIGRATIONS, statements
from monitor.alerting.tables import TABLES, UNUSABLE_ROWS, RowChanges, RowKey, Table
from monitor.alerting.unusable_rows import ROW_ERRORS, LocatedRow, describe_unusable
from monitor.lib.errors import HeadroomError
from monitor.lib.files import ensure_private_file, make_private
from monitor.notifiers.notice import Notice
from monitor.schema.annotations import MAX_NUMBER

log = logging.getLogger(__name__)

JournalRows = Mapping[Table[Any], dict[RowKey, Any]]
Connect = Callable[[Path], sqlite3.Connection]
HistoryEntry = Notice | SentNotice  # the notice of an alert's change, or a notice sent to a receiver

MAX_WAL_BYTES = 16 << 20  # size to which the write-ahead log is truncated after a checkpoint
MAX_HISTORY_ROWS = 100_000  # of each of the tables `history` and `sent_notices`
MAX_HISTORY_AGE = 30 * 24 * 3600  # seconds
MAX_UNUSABLE_ROWS = 1000
MAX_SCHEMA_VERSION = 1000  # a file with a higher version is corrupt

SELECT_HIGHEST_NUMBER = (  # of all notices in the history
    "SELECT max(number) FROM history WHERE typeof(number) = 'integer' AND number BETWEEN 0 AND ?"
)

# EXCLUSIVE: no other connection can prevent a checkpoint, and SQLite needs no shared memory, so that the file
# may be on a network file system. FULL: a committed transaction survives a power cut, too.
PRAGMAS = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}",
)


class NewerSchemaError(HeadroomError):
    """The file was created by a newer Headroom."""


TABLE_ERRORS = (sqlite3.Error, UnicodeError)  # errors of reading a table


class CorruptFileError(HeadroomError, sqlite3.DatabaseError):
    """The file is a database, but not a journal."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that any thread may use. Only an explicit BEGIN starts a transaction."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)


class JournalFile:
    """The file, open or closed. An error closes the file and rolls the transaction back.

    highest_number: the highest notice number in the history when the file was read. unusable_rows: the
    unusable rows that were found when it was read.

    Every method may raise sqlite3.Error; its `sqlite_errorcode` says why.
    """

    def __init__(
        self,
        path: Path,
        connect: Connect = connect,
        migrations: Sequence[str] = MIGRATIONS,
        max_history_rows: int = MAX_HISTORY_ROWS,
    ) -> None:
        self.path = Path(os.path.realpath(path))  # the same path for every link to the file
        self._connect, self._migrations = connect, migrations
        self._max_history_rows = max_history_rows
        self._connection: sqlite3.Connection | None = None
        self.highest_number = 0
        self.unusable_rows: list[LocatedRow] = []

    def open(self, rows: JournalRows) -> None:
        """Open or create the file, and read every table into `rows`.

        All tables are read before anything is written: `rows` has the readable rows even if this raises.
        Rows that cannot be used are moved to the table `unusable_rows`. Raises OSError and NewerSchemaError.
        """
        ensure_private_file(self.path)  # raises an OSError, which says more than SQLite's "disk I/O error"
        make_private(with_suffix(self.path, "-wal"))
        self._connection = connection = self._connect(self.path)
        connection.text_factory = _decode_text
        with self._closing_on_error():
            for pragma in PRAGMAS:
                connection.execute(pragma).fetchall()
            version = self._read_version(connection)
            error = self._load(connection, rows)
            if version not in range(MAX_SCHEMA_VERSION):
                raise CorruptFileError(f"its schema has the version {version}")
            if error and version == len(self._migrations):
                raise error
            self._migrate(version)
            if error := self._load(connection, rows):
                raise error
            self._move_unusable(connection)

    def _read_version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if len(self._migrations) < version < MAX_SCHEMA_VERSION:
            raise NewerSchemaError(
                f"its schema is version {version}, this Headroom knows {len(self._migrations)}"
            )
        return version

    def _load(self, connection: sqlite3.Connection, rows: JournalRows) -> sqlite3.Error | None:
        """Read every table as far as possible. Return the first error, or None."""
        self.unusable_rows, first_error = [], None
        for table in TABLES:
            try:
                self._load_table(connection, table, rows[table])
            except TABLE_ERRORS as error:
                first_error = first_error or _database_error(error)
        try:
            (number,) = connection.execute(SELECT_HIGHEST_NUMBER, [MAX_NUMBER]).fetchone()
            self.highest_number = number or 0
        except TABLE_ERRORS as error:
            first_error = first_error or _database_error(error)
        return first_error

    def _load_table(self, connection: sqlite3.Connection, table: Table[Any], rows: dict[RowKey, Any]) -> None:
        """Read a table into `rows`. Rows that were read before a migration are replaced."""
        loaded: dict[RowKey, Any] = {}
        try:
            for rowid, *columns in connection.execute(table.select_sql):
                try:
                    row = table.decode(columns)
                    loaded[table.key_of(row)] = row
                except ROW_ERRORS as error:
                    key = dict(zip(table.types, columns, strict=True))[table.key]
                    self.unusable_rows.append(
                        LocatedRow(table, rowid, describe_unusable(table, key, columns, error))
                    )
            rows.clear()
        finally:
            rows.update(loaded)

    def _move_unusable(self, connection: sqlite3.Connection) -> None:
        if self.unusable_rows:
            with self._transaction():
                for table, rowid, unusable in self.unusable_rows:
                    connection.execute(f"DELETE FROM {table.name} WHERE rowid = ?", [rowid])
                    connection.execute(UNUSABLE_ROWS.insert_sql, UNUSABLE_ROWS.encode(unusable))

    def _migrate(self, version: int) -> None:
        """Run the migrations in one transaction, which also tests that the file is writable."""
        with self._transaction() as connection:
            for migration in self._migrations[version:]:
                for statement in statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")

    def read_copy(self, rows: JournalRows) -> None:
        """Read all tables from a temporary copy of the file, which works even if the file is not writable.

        Raises OSError if the copy cannot be made.
        """
        with TemporaryDirectory() as directory:
            for suffix in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(with_suffix(self.path, suffix), Path(directory, self.path.name + suffix))
            with closing(JournalFile(Path(directory, self.path.name), migrations=self._migrations)) as copy:
                copy.open(rows)
                self.highest_number, self.unusable_rows = copy.highest_number, copy.unusable_rows

    def close(self) -> None:
        """Close the file, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # the last checkpoint failed; the next start repeats it
                connection.close()

    def write(self, changes: RowChanges, history: Iterable[HistoryEntry]) -> None:
        """Write changes, and add entries to the history."""
        by_table: dict[Table[Any], tuple[list[Any], list[Any]]] = {table: ([], []) for table in TABLES}
        for (table, key), row in changes.items():
            added_rows, deleted_keys = by_table[table]
            if row is None:
                deleted_keys.append((key,))
            else:
                added_rows += _encode_rows(table, [row])
        with self._transaction() as connection:
            for table, (added_rows, deleted_keys) in by_table.items():
                connection.executemany(table.delete_sql, deleted_keys)
                connection.executemany(table.insert_sql, added_rows)
            _add_history(connection, history)

    def rewrite(self, rows: JournalRows, history: Iterable[HistoryEntry]) -> None:
        """Replace all rows of all tables. Add entries to the history, and keep its earlier entries."""
        with self._transaction() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table.name}")
                connection.executemany(table.insert_sql, _encode_rows(table, rows[table].values()))
            _add_history(connection, history)

    def history(self, alert: str | None, limit: int) -> list[Notice]:
        """Return the newest notices of one alert, or of all alerts if None, newest first."""
        condition, values = ("WHERE alert = ?", [alert]) if alert else ("", [])
        select = f"SELECT notice FROM history {condition} ORDER BY id DESC LIMIT ?"
        with self._closing_on_error():
            selected = self._open_connection().execute(select, [*values, limit]).fetchall()
        return list(_decode_notices(text for (text,) in selected))

    def notice_count(self, alert: str | None) -> int:
        """Return the number of notices of one alert, or of all alerts if None."""
        condition, values = ("WHERE alert = ?", [alert]) if alert else ("", [])
        with self._closing_on_error():
            select = f"SELECT count(*) FROM history {condition}"
            (count,) = self._open_connection().execute(select, values).fetchone()
        return int(count)

    def sent_notices(self, alert: str | None, limit: int) -> list[SentNotice]:
        """Return the newest sent notices of one alert, or of all alerts if None, newest first."""
        condition, values = ("WHERE alert = ?", [alert]) if alert else ("", [])
        columns = ", ".join(SentNotice.__struct_fields__)
        select = f"SELECT {columns} FROM sent_notices {condition} ORDER BY id DESC LIMIT ?"
        with self._closing_on_error():
            selected = self._open_connection().execute(select, [*values, limit]).fetchall()
        return list(_decode_sent_notices(selected))

    def maintain(self, now: float) -> None:
        """Delete history entries that are too old or too many, and truncate the write-ahead log."""
        with self._transaction() as connection:
            for table in ("history", "sent_notices"):
                connection.execute(f"DELETE FROM {table} WHERE at < ?", [now - MAX_HISTORY_AGE])
                connection.execute(
                    f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?",
                    [self._max_history_rows],
                )
            connection.execute(
                "DELETE FROM unusable_rows WHERE rowid <= (SELECT max(rowid) FROM unusable_rows) - ?",
                [MAX_UNUSABLE_ROWS],
            )
        with self._closing_on_error():
            self._open_connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def rename_corrupt(self) -> Path:
        """Rename the file and its write-ahead log, so that a new file can be created. Raises OSError.

        Returns the new path.
        """
        self.close()
        corrupt_path = with_suffix(self.path, f".corrupt-{time.time_ns()}")
        for suffix in ("-wal", ""):
            with suppress(FileNotFoundError):
                with_suffix(self.path, suffix).rename(with_suffix(corrupt_path, suffix))
        return corrupt_path

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("it was closed by an earlier failure")
        return self._connection

    @contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError as error:
            self.close()
            raise _database_error(error) from error
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open_connection()
        with self._closing_on_error():
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def with_suffix(path: Path, suffix: str) -> Path:
    """Return the path with `suffix` appended to the file's name."""
    return path.with_name(path.name + suffix)


def _database_error(error: sqlite3.Error | UnicodeError) -> sqlite3.Error:
    """Return the error as an sqlite3.Error.

    sqlite3 raises UnicodeError if SQLite's message about a broken schema is not UTF-8.
    """
    return error if isinstance(error, sqlite3.Error) else CorruptFileError("its schema is not UTF-8")


def _decode_text(raw: bytes) -> str:
    """Decode text. Invalid UTF-8 becomes surrogates, which make one row unusable (see `Table.decode`)."""
    return str(raw, "utf-8", "surrogateescape")


def _encode_rows(table: Table[Any], rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the columns of each row. A row that cannot be written is logged and left out."""
    for row in rows:
        try:
            yield table.encode(row)
        except ROW_ERRORS as error:
            log.error("a row of the journal's table %s cannot be written: %s", table.name, ascii(str(error)))


def _decode_notices(texts: Iterable[object]) -> Iterator[Notice]:
    """Yield the notices that can be read."""
    for text in texts:
        with suppress(*ROW_ERRORS):
            yield msgspec.json.decode(str(text), type=Notice)


def _decode_sent_notices(rows: Iterable[tuple[object, ...]]) -> Iterator[SentNotice]:
    """Yield the sent notices that can be read."""
    for row in rows:
        with suppress(*ROW_ERRORS):
            yield msgspec.convert(dict(zip(SentNotice.__struct_fields__, row, strict=True)), SentNotice)


def _add_history(connection: sqlite3.Connection, entries: Iterable[HistoryEntry]) -> None:
    notices, sent_notices = [], []
    for entry in entries:
        with suppress(*ROW_ERRORS):
            if isinstance(entry, SentNotice):
                sent_notices.append(msgspec.structs.astuple(entry))
            else:
                notices.append((entry.alert, entry.number, entry.at, msgspec.json.encode(entry).decode()))
    connection.executemany("INSERT INTO history (alert, number, at, notice) VALUES (?, ?, ?, ?)", notices)
    columns = ", ".join(SentNotice.__struct_fields__)
    connection.executemany(f"INSERT INTO sent_notices ({columns}) VALUES (?, ?, ?, ?, ?)", sent_notices)
