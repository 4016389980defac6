"""The journal: what must outlive the process, written before it is acted on.

All of it but the history is kept in memory as well, and memory leads. A disk that fails costs nothing but its
promise: alerts go on being told from memory, and once the disk is back, all that is is written to it.

One thread does the work on disk, one job a transaction, in the order in which the jobs were given. That order
is what makes a caller safe: what it wrote is on disk before anything that it, or anybody, writes next.
"""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.alerting.lock import Lock
from monitor.alerting.notice import Notice
from monitor.alerting.records import Owed, State, Told
from monitor.alerting.store import Changes, NewerError, Rows, Store, beside
from monitor.alerting.tables import OWED, STATES, TABLES, TOLD, Key, Row, Table

log = logging.getLogger(__name__)
Result = TypeVar("Result")

PATIENCE = 30  # seconds that the disk gets for one job
TIDY = 300  # seconds
UNSAVED = 10_000  # notices of the history that are kept for a disk that is away

WHY = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: "another program uses it",
    sqlite3.SQLITE_CORRUPT: "it is corrupt",
    sqlite3.SQLITE_NOTADB: "it is no database",
}


class JournalError(Exception):
    """The journal cannot be used; its text is the sentence that says why."""


FAILURES = (sqlite3.Error, OSError, msgspec.MsgspecError, JournalError)  # TimeoutError is an OSError


class Journal:
    """Open it with `Journal.open`. `trouble` says what is wrong with the disk, None when all is well."""

    def __init__(self, store: Store, now: Callable[[], float], patience: float) -> None:
        self.rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self.number = 0  # the highest of all notices told
        self.trouble: str | None = None
        self.aside: list[Path] = []  # corrupt files that were renamed
        self._store, self._now, self._patience = store, now, patience
        self._ids = count(1)
        self._lock = Lock(beside(store.path, ".lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._corrupt = False
        self._last: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._behind: dict[tuple[Table[Any], Key], msgspec.Struct | None] = {}
        self._unsaved: deque[Notice] = deque(maxlen=UNSAVED)
        self._tidied = now()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        store: Store | None = None,
        patience: float = PATIENCE,
    ) -> "Journal":
        """The journal at `path`, made if there is none.

        Raises JournalError where another process holds it, or a newer Headroom made it. A disk that fails is
        no error: see `trouble`.
        """
        journal = cls(store or Store(path), now, patience)
        try:
            await journal._do(journal._begin)
        except JournalError:
            await journal.close()
            raise
        except FAILURES as error:
            journal._failed(error)
        return journal

    @property
    def healthy(self) -> bool:
        """Whether what is told now would survive."""
        return self.trouble is None

    def all(self, table: Table[Row]) -> Mapping[Key, Row]:
        """The rows of a table, by key."""
        return self.rows[table]

    def numbered(self, owed: Iterable[Owed]) -> list[Owed]:
        """The same rows with ids of their own, higher than any before."""
        return [msgspec.structs.replace(one, id=next(self._ids)) for one in owed]

    async def commit(
        self, states: Mapping[str, bytes | None], notices: Sequence[Notice], owed: Sequence[Owed] = ()
    ) -> None:
        """In one transaction: the states of alerts (None forgets one), what is told of them, and to whom.

        `owed` as `numbered` returned it. Once this returns, it survives, or `trouble` says why not.
        """
        changes: dict[tuple[Table[Any], Key], msgspec.Struct | None] = {
            (STATES, key): None if value is None else State(key, value) for key, value in states.items()
        }
        for one in notices:
            told = Told(alert=one.alert, number=one.number, severity=one.severity, at=one.at)
            changes[TOLD, one.alert] = told if one.firing else None
        changes |= {(OWED, one.id): one for one in owed}
        self.number = max([self.number, *(one.number for one in notices)])
        await self.write(changes, notices)

    async def put(self, table: Table[Row], row: Row) -> None:
        """Add a row, or put it in the place of the one with its key."""
        await self.write({(table, table.key_of(row)): row})

    async def remove(self, table: Table[Row], key: Key) -> None:
        """Forget a row, if there is one."""
        await self.write({(table, key): None})

    async def write(self, changes: Changes, told: Sequence[Notice] = ()) -> None:
        """Make changes, and add notices to the history, in one transaction. Memory has them at once."""
        for (table, key), row in changes.items():
            if row is None:
                self.rows[table].pop(key, None)
            else:
                self.rows[table][key] = row
        if self.trouble:
            self._behind.update(changes)
            self._unsaved.extend(told)
        else:
            await self._save(changes, told)

    async def _save(self, changes: Changes, told: Sequence[Notice]) -> None:
        try:
            await self._do(partial(self._store.apply, changes, told))
        except FAILURES as error:
            self._unsaved.extend(told)
            if self.trouble is None:  # else it is only a consequence
                self._failed(error)

    async def history(self, alert: str | None = None, most: int = 100) -> list[Notice]:
        """The newest notices told, of one alert or of all, newest first: 30 days and 100,000 at most."""
        unsaved = [one for one in reversed(self._unsaved) if alert in (None, one.alert)]
        if self.trouble:
            return unsaved[:most]
        try:
            return (unsaved + await self._do(partial(self._store.history, alert, most)))[:most]
        except FAILURES as error:
            self._failed(error)
            return unsaved[:most]

    async def tend(self) -> None:
        """Look after the file; call it every few seconds. After a failure it tries to write again."""
        try:
            if self.trouble:
                await self._recover()
            elif self._now() - self._tidied >= TIDY:
                self._tidied = self._now()
                await self._do(partial(self._store.tidy, self._now()))
        except FAILURES as error:
            self._failed(error)

    async def _recover(self) -> None:
        """Write all that is to the file, or to a new one; then what was changed meanwhile."""
        if not self._last.done():  # the disk has still not answered what it was last asked
            return
        rows = {table: dict(kept) for table, kept in self.rows.items()}
        unsaved, self._unsaved = self._unsaved, deque(maxlen=UNSAVED)
        self._behind = {}
        try:
            await self._do(partial(self._restore, rows, unsaved))
        except BaseException:
            self._unsaved = deque([*unsaved, *self._unsaved], UNSAVED)
            raise
        log.warning("the journal %s is in use again", self._store.path)
        self.trouble = None
        behind, notices = self._behind, list(self._unsaved)
        self._unsaved.clear()
        await self._save(behind, notices)

    async def close(self) -> None:
        """Close the file and let go of it."""
        with suppress(TimeoutError):
            await self._do(self._store.close)
        self._thread.shutdown(wait=False)
        self._lock.release()

    async def _do(self, job: Callable[[], Result]) -> Result:
        """Have the thread do it. Who stops waiting, or is cancelled, does not stop the job."""
        self._last = asyncio.get_running_loop().run_in_executor(self._thread, job)
        self._last.add_done_callback(lambda job: job.cancelled() or job.exception())  # nobody may be waiting
        async with asyncio.timeout(self._patience):  # Python 3.11's wait_for may swallow a cancellation
            return await asyncio.shield(self._last)

    def _begin(self) -> None:
        """In the thread: take the lock, and read what there is."""
        try:
            self._own()
            self._store.open(self.rows)
        except NewerError as error:
            raise JournalError(f"the journal {self._store.path} is of a newer Headroom: {error}") from error
        except (sqlite3.Error, OSError) as error:
            if not _corrupt(error) and not any(self.rows.values()):
                with suppress(*FAILURES):
                    self._store.read_copy(self.rows)
            raise
        finally:
            self.number = max([self._store.number, *(told.number for told in self.all(TOLD).values())])
            self._ids = count(max((owed.id for owed in self.all(OWED).values()), default=0) + 1)

    def _restore(self, rows: Rows, unsaved: Iterable[Notice]) -> None:
        """In the thread: put all that is into the file, which is renamed first if it is corrupt."""
        self._own()
        if self._corrupt:
            self.aside.append(self._store.set_aside())
            self._corrupt = False
            log.error("the journal was corrupt: it is kept as %s, and a new one begun", self.aside[-1])
        self._store.close()
        self._store.open({table: {} for table in TABLES})
        self._store.replace(rows, unsaved)

    def _own(self) -> None:
        self._store.path.parent.mkdir(parents=True, exist_ok=True)
        holder = self._lock.acquire()
        if holder is not None:
            raise JournalError(f"the journal {self._store.path} is held by {holder}")

    def _failed(self, error: Exception) -> None:
        self._corrupt |= _corrupt(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        why = WHY.get(code) or (
            f"no answer for {self._patience} s" if isinstance(error, TimeoutError) else "it failed"
        )
        sentence = (
            f"the journal {self._store.path} cannot be used: {why} ({error}); alerts are told from memory"
        )
        if self.trouble is None:
            log.error("%s", sentence)
        self.trouble = sentence


def _corrupt(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits only say more precisely
    return isinstance(error, msgspec.MsgspecError) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
