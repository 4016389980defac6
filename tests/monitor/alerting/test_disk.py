"""The journal on a full, read-only, corrupt or hanging disk: this is reported, and nothing is lost."""

import asyncio
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitor.alerting.journal import DISK_TIMEOUT, Journal, JournalError
from monitor.alerting.journal_file import JournalFile, connect, with_suffix
from monitor.alerting.records import SavedState
from monitor.alerting.tables import PENDING_NOTICES, STATES, UNUSABLE_ROWS
from monitor.notifiers.notice import NoticeKind
from tests.monitor.alerting.delivery_fixture import stored_rows
from tests.monitor.alerting.pending import notice, pending_notice


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


class Disk:
    """Opens connections of the real SQLite, which fail on request as on a full or read-only disk."""

    def __init__(self) -> None:
        self.is_full = self.is_read_only = False
        self.connection: sqlite3.Connection | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        if self.is_read_only:
            address = f"file:{path}?mode=ro"
            self.connection = sqlite3.connect(
                address, uri=True, isolation_level=None, check_same_thread=False
            )
        else:
            self.connection = connect(path)
        self.limit_pages()
        return self.connection

    def limit_pages(self) -> None:
        """Allow no further page if the disk is full, else as many pages as SQLite allows."""
        assert self.connection
        self.connection.execute(f"PRAGMA max_page_count = {1 if self.is_full else 2**30}")


# Larger than the room on a full disk.
LARGE_STATES = {f"states/{n}": bytes(1000) for n in range(1000)}


async def open_before_disk_is_full(disk: Disk, path: Path) -> Journal:
    """Return a journal that stored the state `states/a` as pending before its disk became full."""
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    await journal.commit({"states/a": b"pending"}, [])
    disk.is_full = True
    disk.limit_pages()
    return journal


async def test_a_full_disk_is_reported_and_nothing_is_lost_once_there_is_room(path: Path) -> None:
    disk = Disk()
    journal = await open_before_disk_is_full(disk, path)

    rows = journal.with_ids([pending_notice(notice(1))])
    await journal.commit(LARGE_STATES | {"states/a": b"firing"}, [notice(1)], rows)
    assert journal.failure is not None
    assert "the disk is full" in journal.failure
    assert journal.rows_of(PENDING_NOTICES) == {rows[0].id: rows[0]}
    await journal.commit({"states/a": None}, [notice(2, kind=NoticeKind.RESOLVED)])
    assert [notice.number for notice in await journal.history()] == [2, 1]
    await journal.maintain()
    assert journal.failure is not None

    disk.is_full = False
    await journal.maintain()
    assert journal.failure is None
    assert [notice.number for notice in await journal.history()] == [2, 1]
    await journal.commit({"states/b": b"firing"}, [notice(3, "b")])
    await journal.close()
    rows_by_table = await stored_rows(path)
    assert rows_by_table["pending_notices"] == rows
    assert {state.key for state in rows_by_table["states"] if isinstance(state, SavedState)} == {
        *LARGE_STATES,
        "states/b",
    }


async def test_a_failed_write_changes_nothing_in_the_file(path: Path) -> None:
    journal = await open_before_disk_is_full(Disk(), path)
    large = asyncio.create_task(journal.commit(LARGE_STATES, []))
    small = asyncio.create_task(journal.commit({"states/a": b"firing"}, []))
    await asyncio.gather(large, small)
    await journal.close()
    assert await stored_rows(path) == {"states": [SavedState("states/a", b"pending")]}


async def test_a_read_only_file_is_read_and_reported(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(4)])
    await journal.close()
    disk = Disk()
    disk.is_read_only = True
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    assert journal.failure is not None
    assert "it is read-only" in journal.failure
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    assert journal.number == 4
    await journal.commit({"states/a": None}, [notice(5, kind=NoticeKind.RESOLVED)])
    disk.is_read_only = False
    await journal.maintain()
    assert journal.failure is None
    await journal.close()
    assert await stored_rows(path) == {}


async def test_a_directory_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = await Journal.open(tmp_path / "file" / "journal.db")
    assert journal.failure is not None
    assert "cannot be used" in journal.failure
    (tmp_path / "file").unlink()
    await journal.commit({"states/a": b"firing"}, [])
    await journal.maintain()
    assert journal.failure is None
    await journal.close()


async def test_the_journal_of_a_killed_process_is_read_from_a_read_only_folder(
    path: Path,
) -> None:
    killed_path = path.parent.with_name("killed") / "journal.db"
    journal = await Journal.open(killed_path)
    await journal.commit({"states/a": b"firing"}, [notice(4)])
    assert killed_path.with_name("journal.db-wal").stat().st_size
    shutil.copytree(killed_path.parent, path.parent)
    await journal.close()
    lock = path.with_name("journal.db.lock")
    lock.unlink()
    lock.mkdir()  # no lock can be acquired now, as in a read-only folder
    journal = await Journal.open(path)
    assert journal.failure is not None
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    assert journal.number == 4
    lock.rmdir()
    await journal.maintain()
    assert journal.failure is None
    await journal.close()


async def test_a_file_that_is_no_database_is_renamed_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nonsense" * 1000)
    journal = await Journal.open(path)
    assert journal.failure is not None
    assert "it is no database" in journal.failure
    await journal.commit({"states/a": b"firing"}, [notice(1)])
    await journal.maintain()
    assert journal.failure is None
    assert [file.read_bytes() for file in journal.corrupt_files] == [b"nonsense" * 1000]
    assert journal.corrupt_files[0].parent == path.parent
    await journal.close()
    assert (await stored_rows(path))["states"] == [SavedState("states/a", b"firing")]


def test_a_corrupt_file_is_renamed_with_its_write_ahead_log(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("file")
    with_suffix(path, "-wal").write_text("log")
    renamed = JournalFile(path).rename_corrupt()
    assert (renamed.read_text(), with_suffix(renamed, "-wal").read_text()) == ("file", "log")
    assert set(path.parent.iterdir()) == {renamed, with_suffix(renamed, "-wal")}


async def test_readable_rows_of_a_corrupt_file_are_kept(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(n) for n in range(500)])
    await journal.close()
    size = path.stat().st_size
    with path.open("r+b") as file:  # the pages of the history; the pages of the states precede them
        file.seek(size // 2)
        file.write(b"\xff" * (size // 2))
    journal = await Journal.open(path)
    assert journal.failure is not None
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    await journal.maintain()
    assert journal.failure is None
    await journal.close()
    assert (await stored_rows(path))["states"] == [SavedState("states/a", b"firing")]


async def test_a_file_that_is_corrupted_while_in_use_loses_nothing(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    await journal.commit({"states/a": b"firing"}, [notice(1)])
    assert disk.connection
    disk.connection.execute("PRAGMA writable_schema = ON")
    disk.connection.execute("UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'states'")
    disk.connection.execute("PRAGMA writable_schema = RESET")
    await journal.commit({"states/b": b"firing"}, [notice(2, "b")])
    assert journal.failure is not None
    assert "it is corrupt" in journal.failure
    await journal.maintain()
    assert journal.failure is None
    disk.is_full = True
    disk.limit_pages()
    await journal.commit(LARGE_STATES, [])
    disk.is_full = False
    await journal.maintain()
    assert journal.failure is None
    assert len(journal.corrupt_files) == 1
    await journal.close()
    assert len((await stored_rows(path))["states"]) == 2 + len(LARGE_STATES)


INVALID_ROWS = {
    "pending_notices": "INSERT INTO pending_notices VALUES ('r', '{}', 1.0, '{\"alert\": 1}', 1, 'first')",
    "acknowledgements": "INSERT INTO acknowledgements VALUES ('a', 'warning', 'me', 'mine', 1.0, 1e12, NULL)",
    "silences": "INSERT INTO silences VALUES ('s', '[\"a=\"]', 1.0, 2.0, 'me', 'test')",
    "states": "INSERT INTO states VALUES (CAST(x'6cff' AS TEXT), x'00')",
    "dead_letters": "INSERT INTO dead_letters VALUES ('b', 'r', '{}', 500, 'it failed', -1.0)",
}


@pytest.mark.parametrize("table", INVALID_ROWS)
async def test_only_the_row_that_cannot_be_used_is_moved_to_unusable_rows(
    path: Path, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(1)])
    await journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(INVALID_ROWS[table])
    journal = await Journal.open(path)
    assert journal.failure is None
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    (unusable,) = journal.rows_of(UNUSABLE_ROWS).values()
    assert unusable.name == table
    assert f"moved to unusable_rows: {table} {unusable.key}: {unusable.reason}" in caplog.text
    await journal.close()
    reopened = await Journal.open(path)
    assert reopened.failure is None
    assert list(reopened.rows_of(UNUSABLE_ROWS).values()) == [unusable]
    await reopened.close()


async def test_a_file_without_one_of_its_tables_is_replaced_and_the_other_tables_are_read(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(1)])
    await journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE silences")
    journal = await Journal.open(path)
    assert journal.failure is not None
    assert "its tables are not those of a journal (no such table: silences)" in journal.failure
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    await journal.maintain()
    assert journal.failure is None
    assert len(journal.corrupt_files) == 1
    await journal.close()
    assert (await stored_rows(path))["states"] == [SavedState("states/a", b"firing")]


@pytest.mark.parametrize("version", [2**30, -5])
async def test_a_file_with_an_impossible_schema_version_is_replaced(path: Path, version: int) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(1)])
    await journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    journal = await Journal.open(path)
    assert journal.failure is not None
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    await journal.maintain()
    assert journal.failure is None
    await journal.close()


async def test_a_journal_is_accessible_to_its_owner_only(path: Path) -> None:
    path.parent.mkdir()
    for mode in (None, 0o666):
        if mode:
            path.chmod(mode)
        journal = await Journal.open(path)
        await journal.commit({"states/a": b"firing"}, [notice(1)])
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db.lock": 0o600}
        await journal.close()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))


def make_hard_link(path: Path) -> None:
    path.with_name("other.db").touch()
    path.hardlink_to(path.with_name("other.db"))


# By kind: a function that makes a file of this kind, and a part of the error.
IRREGULAR_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (make_pipe, "expected a file, found a pipe"),
    "socket": (make_socket, "expected a file"),
    "directory": (Path.mkdir, "expected a file: Is a directory"),
    "hard link": (make_hard_link, "expected a file of one name, found 2 hard links"),
    "loop": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("kind", IRREGULAR_FILES)
async def test_a_journal_that_is_no_regular_file_is_rejected_with_a_sentence(
    tmp_path: Path, kind: str
) -> None:
    make, sentence = IRREGULAR_FILES[kind]
    path = tmp_path / "j.db"
    make(path)
    with pytest.raises(JournalError, match=sentence):
        await Journal.open(path)


async def test_a_write_that_is_cancelled_while_the_disk_is_busy_is_written(path: Path) -> None:
    disk, may_commit = Disk(), threading.Event()
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    assert disk.connection
    disk.connection.set_trace_callback(
        lambda statement: may_commit.wait(10) if "COMMIT" in statement else None
    )
    first = asyncio.create_task(journal.commit({"states/a": b"firing"}, []))
    second = asyncio.create_task(journal.commit({"states/b": b"firing"}, []))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    may_commit.set()
    await first
    await journal.close()
    assert len((await stored_rows(path))["states"]) == 2


async def test_a_write_to_a_disk_that_hangs_returns_after_a_time_out_and_is_written_later(path: Path) -> None:
    disk, may_commit = Disk(), threading.Event()
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    assert disk.connection
    disk.connection.set_trace_callback(
        lambda statement: may_commit.wait(10) if "COMMIT" in statement else None
    )
    journal.disk_timeout = 0.05
    await journal.commit({"states/a": b"firing"}, [])
    assert journal.failure is not None
    assert "no answer for 0.05 s" in journal.failure
    await journal.maintain()
    assert journal.failure is not None
    journal.disk_timeout = DISK_TIMEOUT
    may_commit.set()
    while journal.failure is not None:
        await journal.maintain()
        await asyncio.sleep(0.001)
    await journal.close()
    assert await stored_rows(path) == {"states": [SavedState("states/a", b"firing")]}


async def test_states_that_change_while_the_disk_recovers_are_saved_too(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, file=JournalFile(path, disk.connect))
    disk.is_full = True
    disk.limit_pages()
    await journal.commit(LARGE_STATES, [])
    disk.is_full = False
    recovery = asyncio.create_task(journal.maintain())
    await asyncio.sleep(0)
    await journal.commit({"states/late": b"firing", "states/0": None}, [notice(9)])
    await recovery
    assert journal.failure is None
    assert [notice.number for notice in await journal.history()] == [9]
    await journal.close()
    keys = {row.key for row in (await stored_rows(path))["states"] if isinstance(row, SavedState)}
    assert keys == (LARGE_STATES.keys() | {"states/late"}) - {"states/0"}
