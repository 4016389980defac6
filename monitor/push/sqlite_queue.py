"""The push queue in an SQLite file.

A watermark tells up to which minute the samples of a series were queued. Requests and their watermarks are
written in one transaction, so each minute is queued exactly once. After a power cut, both may be lost
together; the minutes are then read from AWS and queued again.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np

from monitor.lib.files import ensure_private_file, make_private
from monitor.lib.sqlite_corruption import is_corrupt
from monitor.push.queue_store import PushBatch, PushQueueError, PushRequest, QueuedRequest, QueueSize
from monitor.push.watermarks import DEPARTED_CHUNK, WATERMARK_DTYPE, WatermarkRows, merge_rows

VERSION: Final = 2
PRAGMAS: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
)
SCHEMA: Final = (
    """
    CREATE TABLE request (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        receiver TEXT NOT NULL,
        protocol TEXT NOT NULL,
        queued_at REAL NOT NULL,
        samples INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX request_receiver ON request (receiver, id)",
    """
    CREATE TABLE watermark (
        receiver TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        series BLOB NOT NULL,
        PRIMARY KEY (receiver, chunk)
    ) WITHOUT ROWID
    """,
    f"PRAGMA user_version = {VERSION}",
)
INSERT_REQUEST: Final = """
    INSERT INTO request (receiver, protocol, queued_at, samples, newest, body) VALUES (?, ?, ?, ?, ?, ?)
"""
SELECT_SIZES: Final = """
    SELECT receiver, CAST(coalesce(sum(samples), 0) AS INTEGER), coalesce(sum(length(body)), 0)
    FROM request GROUP BY receiver
"""
SELECT_RECEIVERS: Final = "SELECT receiver FROM request UNION SELECT receiver FROM watermark"
SELECT_ALL_BUT_FIRST: Final = """
    SELECT id, samples, length(body) FROM request WHERE receiver = ? ORDER BY id LIMIT -1 OFFSET 1
"""
SELECT_FIRST: Final = """
    SELECT id, protocol, queued_at, samples, newest, body FROM request WHERE receiver = ? ORDER BY id LIMIT 1
"""

CONTENT_ERRORS: Final = (ValueError, TypeError, OverflowError)  # unusable rows or schema
ERRORS: Final = (sqlite3.Error, OSError, *CONTENT_ERRORS)

SizedRequest = tuple[int, int, int]  # id, samples, bytes of a stored request

log = logging.getLogger(__name__)


class SqliteQueueStore:
    """A PushQueueStore in a file. The file is opened on first use, and again after a failure.

    A file that is corrupt or has another schema is renamed, and the next call creates a new file. now:
    returns epoch seconds.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.sizes: dict[str, QueueSize] = {}
        self.path, self._now = Path(os.path.realpath(path)), now
        self._connection: sqlite3.Connection | None = None

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(self.path)

    def append(self, receiver: str, batch: PushBatch, max_bytes: int) -> int:
        """See `PushQueueStore.append`."""
        requests, common_columns = batch.requests, (receiver, batch.protocol, self._now())
        rows = [
            (*common_columns, request.sample_count, request.newest_minute, request.body)
            for request in requests
        ]
        chunks = [(receiver, chunk, series.tobytes()) for chunk, series in batch.watermarks.items()]
        with self._transaction() as connection:
            old_size = self.sizes.get(receiver, QueueSize())
            connection.executemany(INSERT_REQUEST, rows)
            connection.executemany("REPLACE INTO watermark VALUES (?, ?, ?)", chunks)
            size = old_size.bytes + sum(len(request.body) for request in requests)
            candidates = connection.execute(SELECT_ALL_BUT_FIRST, (receiver,))
            dropped = list(oldest_beyond(candidates, size - max_bytes))
            connection.executemany("DELETE FROM request WHERE id = ?", [(id_,) for id_, _, _ in dropped])
        added_samples = sum(request.sample_count for request in requests)
        dropped_samples = sum(samples for _, samples, _ in dropped)
        dropped_bytes = sum(body_bytes for _, _, body_bytes in dropped)
        self.sizes[receiver] = QueueSize(
            old_size.sample_count + added_samples - dropped_samples, size - dropped_bytes
        )
        return dropped_samples

    def first(self, receiver: str) -> QueuedRequest | None:
        """See `PushQueueStore.first`. Deletes unreadable rows."""
        with self._transaction() as connection:
            while row := connection.execute(SELECT_FIRST, (receiver,)).fetchone():
                if isinstance(row[-1], bytes) and all(isinstance(number, int) for number in row[3:5]):
                    return QueuedRequest(row[0], row[1], row[2], PushRequest(*row[3:]))
                log.error("push %s: an unreadable request was deleted from the queue", receiver)
                connection.execute("DELETE FROM request WHERE id = ?", (row[0],))
        return None

    def remove(self, receiver: str, queued: QueuedRequest) -> None:
        """See `PushQueueStore.remove`."""
        with self._transaction() as connection:
            removed = connection.execute("DELETE FROM request WHERE id = ?", (queued.id,)).rowcount
        if removed:
            size, request = self.sizes[receiver], queued.request
            self.sizes[receiver] = QueueSize(
                size.sample_count - request.sample_count, size.bytes - len(request.body)
            )

    def load_watermarks(self, receiver: str) -> WatermarkRows:
        """See `PushQueueStore.load_watermarks`."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT series FROM watermark WHERE receiver = ?", (receiver,))
            chunks = [np.frombuffer(series, WATERMARK_DTYPE) for (series,) in rows]
            merged = merge_rows(np.concatenate([np.empty(0, WATERMARK_DTYPE), *chunks]))
            connection.execute("DELETE FROM watermark WHERE receiver = ?", (receiver,))
            row = receiver, DEPARTED_CHUNK, merged.tobytes()
            connection.execute("INSERT INTO watermark VALUES (?, ?, ?)", row)
        return merged

    def retain_receivers(self, receivers: Iterable[str]) -> Mapping[str, int]:
        """See `PushQueueStore.retain_receivers`. Creates no file."""
        if self._connection is None and not os.path.lexists(self.path):
            return {}
        with self._transaction() as connection:
            deleted = {stored for (stored,) in connection.execute(SELECT_RECEIVERS)} - set(receivers)
            for table in ("request", "watermark"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE receiver = ?", [(receiver,) for receiver in deleted]
                )
        return {receiver: self.sizes.pop(receiver, QueueSize()).sample_count for receiver in deleted}

    def close(self) -> None:
        """Close the file. Raises nothing: SQLite repeats a failed checkpoint when the file is next opened."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            ensure_private_file(self.path)  # raises OSErrors that say more than SQLite's "disk I/O error"
            make_private(self.path.with_name(self.path.name + "-wal"))
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=1
            )
            self._connection.text_factory = lambda raw: str(raw, "utf-8", "surrogateescape")
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in PRAGMAS:
            connection.execute(pragma).fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise ValueError(f"its schema is version {version}, this Headroom knows {VERSION}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in () if version else SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
        sizes = connection.execute(SELECT_SIZES)
        self.sizes = {receiver: QueueSize(samples, size) for receiver, samples, size in sizes}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self.close()
            if is_corrupt(error) or isinstance(error, CONTENT_ERRORS):  # not an error of the disk
                self._rename_unusable()
            if isinstance(error, ERRORS):
                raise PushQueueError(f"the queue {self.path} cannot be used: {error}") from error
            raise

    def _rename_unusable(self) -> None:
        new_name = f"{self.path.name}.unusable-{time.time_ns()}"
        log.error("the queue %s is unusable: renamed to %s, a new one will be created", self.path, new_name)
        for suffix in ("-wal", ""):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(self.path.with_name(new_name + suffix))


def oldest_beyond(requests: Iterable[SizedRequest], excess: int) -> Iterator[SizedRequest]:
    """Yield requests until they have at least `excess` bytes in all. requests: the oldest first."""
    for request in requests if excess > 0 else ():
        yield request
        excess -= request[2]
        if excess <= 0:
            break
