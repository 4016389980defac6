"""The file in which samples wait to be sent: SQLite, used from one thread only, each method one transaction.

A batch is written together with how far it brings its series. So each minute is queued once whatever happens:
what a power cut undoes is undone as a whole, and read anew from AWS.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from monitor.push.batches import Batch
from monitor.push.progress import BEFORE, KEPT, Kept, merged

VERSION: Final = 1
PRAGMAS: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
)
SCHEMA: Final = (
    """
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        receiver TEXT NOT NULL,
        protocol TEXT NOT NULL,
        at REAL NOT NULL,
        samples INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX batch_receiver ON batch (receiver, id)",
    """
    CREATE TABLE progress (
        receiver TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        series BLOB NOT NULL,
        PRIMARY KEY (receiver, chunk)
    ) WITHOUT ROWID
    """,
    f"PRAGMA user_version = {VERSION}",
)
PUT: Final = "INSERT INTO batch (receiver, protocol, at, samples, newest, body) VALUES (?, ?, ?, ?, ?, ?)"
HELD: Final = "SELECT receiver, sum(samples), sum(length(body)) FROM batch GROUP BY receiver"
KNOWN: Final = "SELECT receiver FROM batch UNION SELECT receiver FROM progress"
OTHERS: Final = "SELECT id, samples, length(body) FROM batch WHERE receiver = ? ORDER BY id LIMIT -1 OFFSET 1"
FIRST: Final = """
    SELECT id, protocol, at, samples, newest, body FROM batch WHERE receiver = ? ORDER BY id LIMIT 1
"""

Dropped = tuple[int, int, int]  # id, samples, bytes


@dataclass(frozen=True, slots=True)
class Queued:
    """A batch on disk. protocol: the name of its encoding. at: when it was queued, epoch seconds."""

    id: int
    protocol: str
    at: float
    batch: Batch


@dataclass(frozen=True, slots=True)
class Held:
    """What waits for a receiver."""

    samples: int = 0
    bytes: int = 0


class Store:
    """A file that is opened when it is needed, and again after it failed. held: by receiver.

    Every method may raise sqlite3.Error, OSError and ValueError. A file that is corrupt, or no queue of this
    version, is renamed, and a new one begun the next time.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.held: dict[str, Held] = {}
        self.path, self._now = path.resolve(), now
        self._connection: sqlite3.Connection | None = None

    def put(
        self, receiver: str, protocol: str, made: Iterable[Batch], saved: Mapping[int, bytes], most: int
    ) -> int:
        """Queue batches, and save the progress of chunks; return how many samples were dropped for them.

        Beyond `most` bytes the oldest are dropped, but for the first, which may be on its way.
        """
        rows = [(receiver, protocol, self._now(), one.samples, one.newest, one.body) for one in made]
        with self._transaction() as connection:
            held = self.held.get(receiver, Held())
            connection.executemany(PUT, rows)
            progress = [(receiver, *chunk) for chunk in saved.items()]
            connection.executemany("REPLACE INTO progress VALUES (?, ?, ?)", progress)
            size = held.bytes + sum(len(row[-1]) for row in rows)
            dropped = list(surplus(connection.execute(OTHERS, (receiver,)), size - most))
            connection.executemany("DELETE FROM batch WHERE id = ?", [(one,) for one, _, _ in dropped])
        lost = sum(samples for _, samples, _ in dropped)
        samples = held.samples + sum(row[3] for row in rows) - lost
        self.held[receiver] = Held(samples, size - sum(freed for _, _, freed in dropped))
        return lost

    def first(self, receiver: str) -> Queued | None:
        """The oldest batch of a receiver."""
        with self._transaction() as connection:
            row = connection.execute(FIRST, (receiver,)).fetchone()
        return Queued(row[0], row[1], row[2], Batch(*row[3:])) if row else None

    def remove(self, receiver: str, queued: Queued) -> None:
        """Forget a batch."""
        with self._transaction() as connection:
            removed = connection.execute("DELETE FROM batch WHERE id = ?", (queued.id,)).rowcount
        if removed:
            held, batch = self.held[receiver], queued.batch
            self.held[receiver] = Held(held.samples - batch.samples, held.bytes - len(batch.body))

    def progress(self, receiver: str) -> Kept:
        """How far a receiver's series were queued by whoever was here before."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT series FROM progress WHERE receiver = ?", (receiver,))
            kept = merged(np.concatenate([np.empty(0, KEPT), *(np.frombuffer(row[0], KEPT) for row in rows)]))
            connection.execute("DELETE FROM progress WHERE receiver = ?", (receiver,))
            connection.execute("INSERT INTO progress VALUES (?, ?, ?)", (receiver, BEFORE, kept.tobytes()))
        return kept

    def keep(self, receivers: Iterable[str]) -> Mapping[str, int]:
        """Forget what belongs to any other receiver; return how many samples each of them loses."""
        with self._transaction() as connection:
            gone = {one for (one,) in connection.execute(KNOWN)} - set(receivers)
            for table in ("batch", "progress"):
                connection.executemany(f"DELETE FROM {table} WHERE receiver = ?", [(one,) for one in gone])
        return {one: self.held.pop(one, Held()).samples for one in gone}

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # of the last checkpoint, which the next start makes up for
                connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("ab").close()  # an OSError says more than SQLite's "disk I/O error"
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=1
            )
            self._begin(self._connection)
        return self._connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        for pragma in PRAGMAS:
            connection.execute(pragma).fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise ValueError(f"its schema is version {version}, this Headroom knows {VERSION}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in () if version else SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
        self.held = {receiver: Held(samples, size) for receiver, samples, size in connection.execute(HELD)}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self.close()
            if type(error) in (
                sqlite3.DatabaseError,
                ValueError,
            ):  # not the disk, but what is on it
                self._set_aside()
            raise

    def _set_aside(self) -> None:
        aside = f"{self.path.name}.unusable-{time.time_ns()}"
        for suffix in ("-wal", ""):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(self.path.with_name(aside + suffix))


def surplus(oldest: Iterable[Dropped], excess: int) -> Iterator[Dropped]:
    """Those of the oldest batches that make room for so many bytes."""
    for one in oldest if excess > 0 else ():
        yield one
        excess -= one[2]
        if excess <= 0:
            break
