import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.alerting.journal import Journal, JournalError
from monitor.alerting.notice import Kind, Notification, Severity
from monitor.alerting.records import Ack, Parked, Silence, State, Told
from monitor.alerting.schema import MIGRATIONS, statements
from monitor.alerting.store import Store
from monitor.alerting.tables import ACKS, FORMED, OWED, PARKED, SILENCES, STATES, TABLES, TOLD, Table
from tests.monitor.alerting.owing import NOW, notice, owed
from tests.monitor.alerting.worlds import everything

DAY = 24 * 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


# What survives


ROWS: list[tuple[Table[Any], msgspec.Struct]] = [
    (
        SILENCES,
        Silence(id="s", matchers=('resource=~"a.*"',), starts=NOW, ends=NOW + 1, who="me", why="test"),
    ),
    (ACKS, Ack(alert="a", severity=Severity.CRITICAL, who="me", why="on it", at=NOW)),
    (STATES, State("lives/a", b'["firing",1]')),
    (TOLD, Told(alert="a", number=3, severity=Severity.INFO, at=NOW)),
    (OWED, owed(notice(1), id=5)),
    (FORMED, Notification(id="n", receiver="r", group={"region": "x"}, notices=(notice(1),), at=NOW, more=2)),
    (
        PARKED,
        Parked(
            id="n",
            receiver="r",
            notification=Notification(id="n", receiver="r", group={}, notices=(notice(1),), at=NOW),
            status=None,
            sentence="refused",
            at=NOW,
        ),
    ),
]


def test_every_table_has_a_row_here() -> None:
    assert {table for table, _ in ROWS} == set(TABLES)


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[table.name for table, _ in ROWS])
async def test_a_row_is_the_same_after_a_restart_until_it_is_removed(
    path: Path, table: Table[Any], row: msgspec.Struct
) -> None:
    journal = await Journal.open(path)
    await journal.put(table, row)
    await journal.close()
    assert await everything(path) == {table.name: [row]}

    journal = await Journal.open(path)
    await journal.remove(table, table.key_of(row))
    await journal.close()
    assert await everything(path) == {}


async def test_states_what_was_told_and_what_is_owed_are_one_commit(path: Path) -> None:
    journal = await Journal.open(path)
    rows = journal.numbered([owed(notice(1)), owed(notice(1), "chat")])
    await journal.commit({"lives/a": b"firing"}, [notice(1)], rows)
    await journal.close()
    assert await everything(path) == {
        "states": [State("lives/a", b"firing")],
        "told": [Told(alert="a", number=1, severity=Severity.WARNING, at=NOW)],
        "owed": rows,
    }


async def test_what_is_over_is_forgotten_and_numbers_go_on(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"lives/a": b"firing"}, [notice(7)])
    await journal.commit({"lives/a": None}, [notice(8, kind=Kind.RESOLVED)])
    await journal.close()
    assert await everything(path) == {}
    journal = await Journal.open(path)
    assert journal.number == 8
    await journal.close()


async def test_the_ids_of_what_is_owed_grow_over_restarts(path: Path) -> None:
    journal = await Journal.open(path)
    first = journal.numbered([owed(notice(1)), owed(notice(2))])
    await journal.commit({}, [], first)
    await journal.close()
    journal = await Journal.open(path)
    (later,) = journal.numbered([owed(notice(3))])
    await journal.close()
    assert first[0].id < first[1].id < later.id


async def test_history_is_the_newest_first_of_one_alert_or_of_all(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({}, [notice(1, "a"), notice(2, "b")])
    await journal.commit({}, [notice(3, "a")])
    assert [one.number for one in await journal.history()] == [3, 2, 1]
    assert [one.number for one in await journal.history("a")] == [3, 1]
    assert [one.number for one in await journal.history(most=2)] == [3, 2]
    await journal.close()


async def test_history_is_forgotten_by_age_and_by_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alerting.store.HISTORY_ROWS", 3)
    clock = [NOW]
    journal = await Journal.open(path, now=lambda: clock[0])
    await journal.commit({}, [notice(n, at=NOW) for n in (1, 2)] + [notice(3, at=NOW + 5 * DAY)])
    clock[0] = NOW + 31 * DAY
    await journal.tend()
    assert [one.number for one in await journal.history()] == [3]
    await journal.commit({}, [notice(n, at=clock[0]) for n in (4, 5, 6, 7)])
    clock[0] += DAY
    await journal.tend()
    assert [one.number for one in await journal.history()] == [7, 6, 5]
    await journal.close()


async def test_the_write_ahead_log_is_cut_back(path: Path) -> None:
    clock = [NOW]
    journal = await Journal.open(path, now=lambda: clock[0])
    await journal.commit({f"lives/{n}": bytes(1000) for n in range(1000)}, [])
    log = path.with_name("journal.db-wal")
    assert log.stat().st_size > 1_000_000
    clock[0] += 3600
    await journal.tend()
    assert log.stat().st_size == 0
    await journal.close()


# The schema


def columns(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_the_schema_has_a_column_for_every_field(path: Path, table: Table[Any]) -> None:
    await (await Journal.open(path)).close()
    assert columns(path, table.name) == list(table.types)


async def test_an_older_schema_is_brought_up_to_date_with_all_it_holds(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.put(STATES, State("lives/a", b"firing"))
    await journal.close()
    journal = await Journal.open(
        path, store=Store(path, migrations=[*MIGRATIONS, "CREATE TABLE extra (x TEXT)"])
    )
    assert list(journal.all(STATES).values()) == [State("lives/a", b"firing")]
    await journal.close()
    assert columns(path, "extra") == ["x"]


async def test_what_was_acknowledged_before_acknowledgements_could_end_lasts(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        connection.execute("INSERT INTO acks VALUES ('a', 'warning', 'me', 'on it', 5.0)")
        connection.commit()
    journal = await Journal.open(path)
    kept = Ack(alert="a", severity=Severity.WARNING, who="me", why="on it", at=5.0, until=None)
    assert (journal.trouble, list(journal.all(ACKS).values())) == (None, [kept])
    await journal.close()


async def test_a_migration_that_fails_has_changed_nothing(path: Path) -> None:
    await (await Journal.open(path)).close()
    wrong = "CREATE TABLE extra (x TEXT); CREATE TABLE extra (x TEXT)"
    journal = await Journal.open(path, store=Store(path, migrations=[*MIGRATIONS, wrong]))
    assert not journal.healthy
    await journal.close()
    assert columns(path, "extra") == []
    assert await everything(path) == {}


async def test_a_file_of_a_newer_headroom_is_refused(path: Path) -> None:
    newer = Store(path, migrations=[*MIGRATIONS, "CREATE TABLE extra (x TEXT)"])
    await (await Journal.open(path, store=newer)).close()
    with pytest.raises(JournalError, match=r"newer Headroom: its schema is version 3, this Headroom knows 2"):
        await Journal.open(path)


def test_a_migration_is_done_statement_by_statement() -> None:
    assert list(statements("CREATE TABLE a (b); CREATE INDEX c ON a (b);\n")) == [
        "CREATE TABLE a (b)",
        " CREATE INDEX c ON a (b)",
    ]


# One process a database


HOLD = """
import asyncio, sys
from pathlib import Path
from typing import Any
from monitor.alerting.journal import Journal

async def hold():
    journal = await Journal.open(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


async def test_a_second_process_is_told_who_holds_it_until_that_one_is_killed(path: Path) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout
    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"held\n"
    with pytest.raises(JournalError, match=rf"is held by process {other.pid} on \S+ since 2\d\d\d-"):
        await Journal.open(path)
    other.kill()
    await other.wait()
    await (await Journal.open(path)).close()


async def test_two_names_of_one_file_are_one_database(path: Path, tmp_path: Path) -> None:
    journal = await Journal.open(path)
    other = tmp_path / "other.db"
    other.symlink_to(path)
    with pytest.raises(JournalError, match=f"held by process {os.getpid()}"):
        await Journal.open(other)
    await journal.close()


async def test_what_a_dead_process_left_in_the_lock_keeps_nobody_out(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("journal.db.lock").write_text('{"pid": 1, "host": "elsewhere", "since": 0}')
    await (await Journal.open(path)).close()
