"""Disks that are full, read-only, corrupt or silent: said plainly, and nothing is lost."""

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from monitor.alerting.journal import Journal
from monitor.alerting.notice import Kind
from monitor.alerting.records import State
from monitor.alerting.store import Store, beside, connect
from monitor.alerting.tables import OWED, STATES
from tests.monitor.alerting.owing import notice, owed
from tests.monitor.alerting.worlds import everything


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


class Disk:
    """Where connections come from; a real SQLite that is made to fail in its own ways."""

    def __init__(self) -> None:
        self.full = self.read_only = False
        self.connection: sqlite3.Connection | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        if self.read_only:
            address = f"file:{path}?mode=ro"
            self.connection = sqlite3.connect(
                address, uri=True, isolation_level=None, check_same_thread=False
            )
        else:
            self.connection = connect(path)
        self.limit()
        return self.connection

    def limit(self) -> None:
        """No page more than there are, or as many as there may be."""
        assert self.connection
        self.connection.execute(f"PRAGMA max_page_count = {1 if self.full else 2**30}")


LARGE = {f"lives/{n}": bytes(1000) for n in range(1000)}


async def test_a_full_disk_is_said_and_nothing_is_lost_once_there_is_room(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, store=Store(path, disk.connect))
    await journal.commit({"lives/a": b"pending"}, [])
    disk.full = True
    disk.limit()

    rows = journal.numbered([owed(notice(1))])
    await journal.commit(LARGE | {"lives/a": b"firing"}, [notice(1)], rows)
    assert journal.trouble is not None
    assert "the disk is full" in journal.trouble
    assert not journal.healthy
    assert journal.all(OWED) == {rows[0].id: rows[0]}
    await journal.commit({"lives/a": None}, [notice(2, kind=Kind.RESOLVED)])
    assert [one.number for one in await journal.history()] == [2, 1]
    await journal.tend()
    assert not journal.healthy

    disk.full = False
    await journal.tend()
    assert journal.healthy
    assert [one.number for one in await journal.history()] == [2, 1]
    await journal.commit({"lives/b": b"firing"}, [notice(3, "b")])
    await journal.close()
    found = await everything(path)
    assert found["owed"] == rows
    assert {state.key for state in found["states"] if isinstance(state, State)} == {*LARGE, "lives/b"}


async def test_after_a_failed_write_the_file_is_what_it_was_however_much_follows(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, store=Store(path, disk.connect))
    await journal.commit({"lives/a": b"pending"}, [])
    disk.full = True
    disk.limit()
    large = asyncio.create_task(journal.commit(LARGE, []))
    small = asyncio.create_task(journal.commit({"lives/a": b"firing"}, []))
    await asyncio.gather(large, small)
    await journal.close()
    assert await everything(path) == {"states": [State("lives/a", b"pending")]}


async def test_a_read_only_file_is_read_and_said(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"lives/a": b"firing"}, [notice(4)])
    await journal.close()
    disk = Disk()
    disk.read_only = True
    journal = await Journal.open(path, store=Store(path, disk.connect))
    assert journal.trouble is not None
    assert "it is read-only" in journal.trouble
    assert journal.all(STATES) == {"lives/a": State("lives/a", b"firing")}
    assert journal.number == 4
    await journal.commit({"lives/a": None}, [notice(5, kind=Kind.RESOLVED)])
    disk.read_only = False
    await journal.tend()
    assert journal.healthy
    await journal.close()
    assert await everything(path) == {}


async def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = await Journal.open(tmp_path / "file" / "journal.db")
    assert journal.trouble is not None
    assert "cannot be used" in journal.trouble
    (tmp_path / "file").unlink()
    await journal.commit({"lives/a": b"firing"}, [])
    await journal.tend()
    assert journal.healthy
    await journal.close()


async def test_where_nothing_can_be_written_what_a_killed_process_left_is_read_all_the_same(
    path: Path,
) -> None:
    killed = path.parent.with_name("killed") / "journal.db"
    journal = await Journal.open(killed)
    await journal.commit({"lives/a": b"firing"}, [notice(4)])
    assert killed.with_name("journal.db-wal").stat().st_size
    shutil.copytree(killed.parent, path.parent)
    await journal.close()
    lock = path.with_name("journal.db.lock")
    lock.unlink()
    lock.mkdir()
    journal = await Journal.open(path)
    assert not journal.healthy
    assert journal.all(STATES) == {"lives/a": State("lives/a", b"firing")}
    assert journal.number == 4
    lock.rmdir()
    await journal.tend()
    assert journal.healthy
    await journal.close()


async def test_what_is_no_database_is_set_aside_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nonsense" * 1000)
    journal = await Journal.open(path)
    assert journal.trouble is not None
    assert "it is no database" in journal.trouble
    await journal.commit({"lives/a": b"firing"}, [notice(1)])
    await journal.tend()
    assert journal.healthy
    assert [aside.read_bytes() for aside in journal.aside] == [b"nonsense" * 1000]
    assert journal.aside[0].parent == path.parent
    await journal.close()
    assert (await everything(path))["states"] == [State("lives/a", b"firing")]


def test_a_file_is_set_aside_with_its_log(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("file")
    beside(path, "-wal").write_text("log")
    aside = Store(path).set_aside()
    assert (aside.read_text(), beside(aside, "-wal").read_text()) == ("file", "log")
    assert set(path.parent.iterdir()) == {aside, beside(aside, "-wal")}


async def test_of_a_corrupt_file_what_can_be_read_is_kept(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"lives/a": b"firing"}, [notice(n) for n in range(500)])
    await journal.close()
    size = path.stat().st_size
    with path.open("r+b") as file:  # the history's pages; the states are before them
        file.seek(size // 2)
        file.write(b"\xff" * (size // 2))
    journal = await Journal.open(path)
    assert journal.trouble is not None
    assert journal.all(STATES) == {"lives/a": State("lives/a", b"firing")}
    await journal.tend()
    assert journal.healthy
    await journal.close()
    assert (await everything(path))["states"] == [State("lives/a", b"firing")]


async def test_a_file_that_is_corrupted_while_in_use_loses_nothing(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, store=Store(path, disk.connect))
    await journal.commit({"lives/a": b"firing"}, [notice(1)])
    assert disk.connection
    disk.connection.execute("PRAGMA writable_schema = ON")
    disk.connection.execute("UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'states'")
    disk.connection.execute("PRAGMA writable_schema = RESET")
    await journal.commit({"lives/b": b"firing"}, [notice(2, "b")])
    assert journal.trouble is not None
    assert "it is corrupt" in journal.trouble
    await journal.tend()
    assert journal.healthy
    disk.full = True
    disk.limit()
    await journal.commit(LARGE, [])
    disk.full = False
    await journal.tend()
    assert journal.healthy
    assert len(journal.aside) == 1
    await journal.close()
    assert len((await everything(path))["states"]) == 2 + len(LARGE)


async def test_a_row_that_is_none_makes_the_file_a_corrupt_one(path: Path) -> None:
    await (await Journal.open(path)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO owed VALUES ('r', '{}', 1.0, '{\"alert\": 1}', 1)")
    journal = await Journal.open(path)
    assert not journal.healthy
    await journal.tend()
    assert journal.healthy
    assert len(journal.aside) == 1
    await journal.close()


async def test_a_writer_who_is_cancelled_while_the_disk_is_busy_has_written(path: Path) -> None:
    disk, busy = Disk(), threading.Event()
    journal = await Journal.open(path, store=Store(path, disk.connect))
    assert disk.connection
    disk.connection.set_trace_callback(lambda statement: busy.wait(10) if "COMMIT" in statement else None)
    first = asyncio.create_task(journal.commit({"lives/a": b"firing"}, []))
    second = asyncio.create_task(journal.commit({"lives/b": b"firing"}, []))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    busy.set()
    await first
    await journal.close()
    assert len((await everything(path))["states"]) == 2


async def test_a_disk_that_does_not_answer_holds_nobody_up(path: Path) -> None:
    disk, stuck = Disk(), threading.Event()
    journal = await Journal.open(path, store=Store(path, disk.connect), patience=0.05)
    assert disk.connection
    disk.connection.set_trace_callback(lambda statement: stuck.wait(10) if "COMMIT" in statement else None)
    await journal.commit({"lives/a": b"firing"}, [])
    assert journal.trouble is not None
    assert "no answer for 0.05 s" in journal.trouble
    await journal.tend()
    assert not journal.healthy
    stuck.set()
    while not journal.healthy:
        await journal.tend()
        await asyncio.sleep(0.001)
    await journal.close()
    assert await everything(path) == {"states": [State("lives/a", b"firing")]}


async def test_what_changes_while_the_disk_comes_back_is_saved_too(path: Path) -> None:
    disk = Disk()
    journal = await Journal.open(path, store=Store(path, disk.connect))
    disk.full = True
    disk.limit()
    await journal.commit(LARGE, [])
    disk.full = False
    back = asyncio.create_task(journal.tend())
    await asyncio.sleep(0)
    await journal.commit({"lives/late": b"firing", "lives/0": None}, [notice(9)])
    await back
    assert journal.healthy
    assert [one.number for one in await journal.history()] == [9]
    await journal.close()
    found = {row.key for row in (await everything(path))["states"] if isinstance(row, State)}
    assert found == (LARGE.keys() | {"lives/late"}) - {"lives/0"}
