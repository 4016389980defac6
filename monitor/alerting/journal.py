"""The journal: the `AlertStateStore` that keeps its rows in memory and in a SQLite file.

The rows in memory are authoritative. If the disk fails, alerting continues, but changes do not survive a
restart; once the disk recovers, all rows are written. The history alone is not held in memory.

One thread executes the writes, in the order of the calls, each in its own transaction.
"""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from monitor.alerting.journal_file import (
    CorruptFileError,
    HistoryEntry,
    JournalFile,
    JournalRows,
    NewerSchemaError,
    with_suffix,
)
from monitor.alerting.records import SentNotice
from monitor.alerting.row_store import RowStore
from monitor.alerting.tables import (
    PENDING_NOTICES,
    TABLES,
    UNUSABLE_ROWS,
    RowChanges,
    RowKey,
    StoredRow,
    Table,
)
from monitor.alerting.unusable_rows import describe_unusable
from monitor.lib.errors import HeadroomError
from monitor.lib.file_lock import FileLock
from monitor.lib.files import FileKindError
from monitor.lib.sqlite_corruption import is_corrupt
from monitor.notifiers.notice import Notice

log = logging.getLogger(__name__)
Result = TypeVar("Result")

DISK_TIMEOUT: Final = 30.0  # seconds that one job, which is one call in the thread, may take
MAINTENANCE_INTERVAL = 300  # seconds
MAX_UNWRITTEN_HISTORY = 10_000  # history entries held in memory while the disk fails

CAUSES = {  # by SQLite's primary result code
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: "another program uses it",
    sqlite3.SQLITE_CORRUPT: "it is corrupt",
    sqlite3.SQLITE_NOTADB: "it is no database",
    sqlite3.SQLITE_ERROR: "its tables are not those of a journal",
}
MAX_LOGGED_ROWS = 10  # unusable rows that are logged at the start, one a line; a last line counts the others
# Arguments: table, key and reason.
UNUSABLE_ROW_MESSAGE = "a row of the journal cannot be used, and is moved to unusable_rows: %s %s: %s"


class JournalError(HeadroomError):
    """The journal cannot be used; the message is a sentence that says why."""


DISK_ERRORS = (sqlite3.Error, OSError, msgspec.MsgspecError, JournalError)  # TimeoutError is an OSError


class Journal(RowStore):
    """The rows in memory, and the file that stores them. Create it with `Journal.open`.

    Once a call that changes rows has returned, the change survives a restart unless `failure` is set.

    failure: a sentence that says why the disk fails; None while it works. corrupt_files: the corrupt files
    that this process renamed. unusable_count: the number of rows that this process moved to `UNUSABLE_ROWS`.
    disk_timeout: seconds that one job in the thread may take; a new value applies to the next job.
    """

    def __init__(
        self,
        file: JournalFile,
        now: Callable[[], float],
        disk_timeout: float,
        maintenance_interval: float,
    ) -> None:
        super().__init__()
        self._file, self._now = file, now
        self.disk_timeout, self._maintenance_interval = disk_timeout, maintenance_interval
        self._lock = FileLock(with_suffix(file.path, ".lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._is_corrupt = False
        self._last_job: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._unwritten_changes: dict[tuple[Table[Any], RowKey], msgspec.Struct | None] = {}
        # Rows that were moved to `UNUSABLE_ROWS` in memory; the next `write` moves them in the file.
        self._unusable_changes: dict[tuple[Table[Any], RowKey], msgspec.Struct | None] = {}
        self._unwritten_history: deque[HistoryEntry] = deque(maxlen=MAX_UNWRITTEN_HISTORY)
        self._maintained_at = now()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        file: JournalFile | None = None,
        disk_timeout: float = DISK_TIMEOUT,
        maintenance_interval: float = MAINTENANCE_INTERVAL,
    ) -> "Journal":
        """Open the journal at `path`, or create it.

        now: returns epoch seconds. disk_timeout, maintenance_interval: seconds.

        Raises JournalError when another process holds the journal, or a newer Headroom created it. A disk
        that fails raises nothing: see `failure`.
        """
        journal = cls(file or JournalFile(path), now, disk_timeout, maintenance_interval)
        try:
            await journal._run(journal._open_file)
        except JournalError:
            await journal.close()
            raise
        except DISK_ERRORS as error:
            journal._record_failure(error)
        return journal

    def move_to_unusable(self, table: Table[StoredRow], key: RowKey, error: Exception) -> None:
        """Move a row that cannot be used to `UNUSABLE_ROWS`. The next `write` also moves it in the file."""
        unusable = describe_unusable(table, key, self.rows[table].pop(key), error)
        self.rows[UNUSABLE_ROWS][unusable.id] = unusable
        self.unusable_count += 1
        self._unusable_changes |= {(table, key): None, (UNUSABLE_ROWS, unusable.id): unusable}
        log.error(UNUSABLE_ROW_MESSAGE, table.name, unusable.key, unusable.reason)

    async def write(self, changes: RowChanges, notices: Sequence[Notice] = ()) -> None:
        history: list[HistoryEntry] = [*notices, *self.sent_notices_of(changes)]
        changes, self._unusable_changes = {**self._unusable_changes, **changes}, {}
        self.apply(changes)
        if self.failure:
            self._unwritten_changes.update(changes)
            self._unwritten_history.extend(history)
        else:
            await self._save(changes, history)

    async def _save(self, changes: RowChanges, history: Sequence[HistoryEntry]) -> None:
        try:
            await self._run(partial(self._file.write, changes, history))
        except DISK_ERRORS as error:
            self._unwritten_history.extend(history)
            if self.failure is None:  # an error after the first failure is only its consequence
                self._record_failure(error)

    async def history(self, alert: str | None = None, limit: int = 100) -> list[Notice]:
        """Return the newest notices of one alert, or of all alerts, of the last 30 days, newest first."""
        unwritten = [entry for entry in self._unwritten_entries(alert) if isinstance(entry, Notice)]
        written: list[Notice] = await self._read(partial(self._file.history, alert, limit), [])
        return (unwritten + written)[:limit]

    async def notice_count(self, alert: str | None = None) -> int:
        """Return the number of stored notices of one alert, or of all alerts."""
        unwritten = sum(isinstance(entry, Notice) for entry in self._unwritten_entries(alert))
        return unwritten + await self._read(partial(self._file.notice_count, alert), 0)

    async def sent_notices(self, alert: str | None = None, limit: int = 100) -> list[SentNotice]:
        """Return the newest sent notices of one alert, or of all, of the last 30 days, newest first."""
        unwritten = [entry for entry in self._unwritten_entries(alert) if isinstance(entry, SentNotice)]
        written: list[SentNotice] = await self._read(partial(self._file.sent_notices, alert, limit), [])
        return (unwritten + written)[:limit]

    def _unwritten_entries(self, alert: str | None) -> list[HistoryEntry]:
        return [entry for entry in reversed(self._unwritten_history) if alert in (None, entry.alert)]

    async def _read(self, read: Callable[[], Result], default: Result) -> Result:
        """Return what `read` reads from the file; `default` when the disk fails."""
        if self.failure:
            return default
        try:
            return await self._run(read)
        except DISK_ERRORS as error:
            self._record_failure(error)
            return default

    async def maintain(self) -> None:
        """Try to recover if the disk failed; else delete old history. Call it every few seconds."""
        try:
            if self.failure:
                await self._recover()
            elif self._now() - self._maintained_at >= self._maintenance_interval:
                self._maintained_at = self._now()
                await self._run(partial(self._file.maintain, self._now()))
        except DISK_ERRORS as error:
            self._record_failure(error)

    async def _recover(self) -> None:
        """Write all rows to the file; if it is corrupt, to a new file. Then write changes made meanwhile."""
        if not self._last_job.done():  # the disk still hangs
            return
        rows = {table: dict(rows) for table, rows in self.rows.items()}
        unwritten_history = self._unwritten_history
        self._unwritten_history = deque(maxlen=MAX_UNWRITTEN_HISTORY)
        self._unwritten_changes = {}
        try:
            await self._run(partial(self._rewrite_file, rows, unwritten_history))
        except BaseException:
            self._unwritten_history = deque(
                [*unwritten_history, *self._unwritten_history], MAX_UNWRITTEN_HISTORY
            )
            raise
        log.warning("the journal %s is in use again", self._file.path)
        self.failure = None
        changes, history = self._unwritten_changes, list(self._unwritten_history)
        self._unwritten_history.clear()
        await self._save(changes, history)

    async def close(self) -> None:
        """Close the file, and release its lock."""
        with suppress(TimeoutError):
            await self._run(self._file.close)
        self._thread.shutdown(wait=False)
        self._lock.release()

    async def _run(self, job: Callable[[], Result]) -> Result:
        """Run a job in the thread. A time-out or a cancellation does not stop the job."""
        self._last_job = asyncio.get_running_loop().run_in_executor(self._thread, job)
        # After a time-out no caller retrieves the job's exception, which asyncio would log: retrieve it here.
        self._last_job.add_done_callback(lambda future: future.cancelled() or future.exception())
        async with asyncio.timeout(self.disk_timeout):  # Python 3.11's wait_for may swallow a cancellation
            return await asyncio.shield(self._last_job)

    def _open_file(self) -> None:
        """Acquire the lock, and read the file. Runs in the thread."""
        try:
            self._acquire_lock()
            self._file.open(self.rows)
        except NewerSchemaError as error:
            sentence = f"the journal {self._file.path} was created by a newer Headroom: {error}"
            raise JournalError(sentence) from error
        except FileKindError as error:
            sentence = f"the journal cannot be stored at {self._file.path}: {error.strerror}"
            raise JournalError(sentence) from error
        except (sqlite3.Error, OSError) as error:
            if not _is_corruption(error) and not any(self.rows.values()):
                with suppress(*DISK_ERRORS):
                    self._file.read_copy(self.rows)
            raise
        finally:
            self._log_unusable()
            self.number = self._file.highest_number
            self._ids = count(max((row.id for row in self.rows_of(PENDING_NOTICES).values()), default=0) + 1)

    def _log_unusable(self) -> None:
        rows = [located.unusable for located in self._file.unusable_rows]
        self.unusable_count += len(rows)
        self.rows[UNUSABLE_ROWS] |= {row.id: row for row in rows}
        for row in rows[:MAX_LOGGED_ROWS]:
            log.error(UNUSABLE_ROW_MESSAGE, row.name, row.key, row.reason)
        if len(rows) > MAX_LOGGED_ROWS:
            further = len(rows) - MAX_LOGGED_ROWS
            log.error(
                "%d further rows of the journal cannot be used, and are moved to unusable_rows", further
            )

    def _rewrite_file(self, rows: JournalRows, history: Iterable[HistoryEntry]) -> None:
        """Rename the file if it is corrupt, and write all rows to it. Runs in the thread."""
        self._acquire_lock()
        if self._is_corrupt:
            self.corrupt_files.append(self._file.rename_corrupt())
            self._is_corrupt = False
            log.error(
                "the journal was corrupt: it was renamed to %s, and a new one was created",
                self.corrupt_files[-1],
            )
        self._file.close()
        self._file.open({table: {} for table in TABLES})
        self._file.rewrite(rows, history)

    def _acquire_lock(self) -> None:
        self._file.path.parent.mkdir(parents=True, exist_ok=True)
        holder = self._lock.acquire()
        if holder is not None:
            raise JournalError(f"the journal {self._file.path} is held by {holder}")

    def _record_failure(self, error: Exception) -> None:
        """Set `failure`, and log the first failure since the disk worked."""
        self._is_corrupt |= _is_corruption(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        cause = CAUSES.get(code) or (
            f"no answer for {self.disk_timeout:g} s" if isinstance(error, TimeoutError) else "it failed"
        )
        sentence = (
            f"the journal {self._file.path} cannot be used: {cause} ({error}); alerting continues from memory"
        )
        if self.failure is None:
            log.error("%s", sentence)
        self.failure = sentence


def _is_corruption(error: Exception) -> bool:
    return isinstance(error, CorruptFileError) or is_corrupt(error)
