"""The journal's database file: SQLite in WAL mode, used from one thread only, each method one transaction."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from monitor.alerting.notice import Notice
from monitor.alerting.schema import MIGRATIONS, statements
from monitor.alerting.tables import TABLES, Key, Table

Changes = Mapping[
    tuple[Table[Any], Key], msgspec.Struct | None
]  # the last word on each row; None: it is gone
Rows = Mapping[Table[Any], dict[Key, Any]]
Connect = Callable[[Path], sqlite3.Connection]

WAL_BYTES = 16 << 20  # what the write-ahead log is cut back to
HISTORY_ROWS = 100_000
HISTORY_SECONDS = 30 * 24 * 3600

# One connection, exclusively ours: no reader can keep the log from being checkpointed, and no shared memory
# is needed, so that a network file system will do. FULL: what was committed survives a power cut, too.
PRAGMAS = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA journal_size_limit = {WAL_BYTES}",
)


class NewerError(Exception):
    """The file was made by a newer Headroom."""


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)


class Store:
    """A file that is open or not. What fails closes it: what it holds stays a state that once was, whole.

    Every method may raise sqlite3.Error, of which `sqlite_errorcode` tells why.
    """

    def __init__(
        self,
        path: Path,
        connect: Connect = connect,
        migrations: Sequence[str] = MIGRATIONS,
    ) -> None:
        self.path = path.resolve()  # one name a file, whoever opens it
        self._connect, self._migrations = connect, migrations
        self._connection: sqlite3.Connection | None = None
        self.number = 0  # the highest of all notices in the history, when the file was read

    def open(self, rows: Rows) -> None:
        """Open the file or make it, and read every table into `rows`.

        It reads before it writes anything, where its schema allows: `rows` holds what could be read, even
        when this raises. Raises OSError, msgspec.MsgspecError for a row that is none, and NewerError.
        """
        self.path.open("ab").close()  # an OSError says more than SQLite's "disk I/O error"
        self._connection = connection = self._connect(self.path)
        with self._whole():
            for pragma in PRAGMAS:
                connection.execute(pragma).fetchall()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(self._migrations):
                raise NewerError(
                    f"its schema is version {version}, this Headroom knows {len(self._migrations)}"
                )
            if version == len(self._migrations):
                self._load(connection, rows)
            self._migrate(version)
            if version != len(self._migrations):
                self._load(connection, rows)

    def _load(self, connection: sqlite3.Connection, rows: Rows) -> None:
        for table in TABLES:
            for columns in connection.execute(table.select):
                row = table.decode(columns)
                rows[table][table.key_of(row)] = row
        (number,) = connection.execute("SELECT max(number) FROM history").fetchone()
        self.number = number or 0

    def _migrate(self, version: int) -> None:
        """One transaction, also when there is nothing to do: it proves that the file can be written."""
        with self._transaction() as connection:
            for migration in self._migrations[version:]:
                for statement in statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")

    def read_copy(self, rows: Rows) -> None:
        """As `open`, through a copy that is gone afterwards: a file that cannot be written is still read.

        Raises OSError where there is no room for a copy.
        """
        with TemporaryDirectory() as directory:
            for suffix in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(beside(self.path, suffix), Path(directory, self.path.name + suffix))
            with closing(Store(Path(directory, self.path.name), migrations=self._migrations)) as copy:
                copy.open(rows)
                self.number = copy.number

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # of the last checkpoint, which the next start makes up for
                connection.close()

    def apply(self, changes: Changes, told: Iterable[Notice]) -> None:
        """Write changes, and add notices to the history."""
        by_table: dict[Table[Any], tuple[list[Any], list[Any]]] = {table: ([], []) for table in TABLES}
        for (table, key), row in changes.items():
            put, gone = by_table[table]
            if row is None:
                gone.append((key,))
            else:
                put.append(table.encode(row))
        with self._transaction() as connection:
            for table, (put, gone) in by_table.items():
                connection.executemany(table.delete, gone)
                connection.executemany(table.put, put)
            _remember(connection, told)

    def replace(self, rows: Rows, told: Iterable[Notice]) -> None:
        """Write all that is, in place of all that was; the history stays, and grows by `told`."""
        with self._transaction() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table.name}")
                connection.executemany(table.put, map(table.encode, rows[table].values()))
            _remember(connection, told)

    def history(self, alert: str | None, count: int) -> list[Notice]:
        """The newest notices, of one alert or of all, newest first."""
        where, values = ("WHERE alert = ?", [alert]) if alert else ("", [])
        select = f"SELECT notice FROM history {where} ORDER BY id DESC LIMIT ?"
        with self._whole():
            found = self._opened().execute(select, [*values, count]).fetchall()
        return [msgspec.json.decode(text, type=Notice) for (text,) in found]

    def tidy(self, now: float) -> None:
        """Forget history that is too old or too long, and cut back the write-ahead log."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM history WHERE at < ?", [now - HISTORY_SECONDS])
            connection.execute(
                "DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", [HISTORY_ROWS]
            )
        with self._whole():
            self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def set_aside(self) -> Path:
        """Rename the file and its log, so that a new one can be begun. Raises OSError."""
        self.close()
        aside = beside(self.path, f".corrupt-{time.time_ns()}")
        for suffix in ("-wal", ""):
            with suppress(FileNotFoundError):
                beside(self.path, suffix).rename(beside(aside, suffix))
        return aside

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("it was closed by an earlier failure")
        return self._connection

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        with self._whole():
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remember(connection: sqlite3.Connection, told: Iterable[Notice]) -> None:
    connection.executemany(
        "INSERT INTO history (alert, number, at, notice) VALUES (?, ?, ?, ?)",
        ((one.alert, one.number, one.at, msgspec.json.encode(one).decode()) for one in told),
    )
