"""The journal: rows survive a restart, older schemas are migrated, and only one process can open a file.

The alert states of a series are stored in the table `states`, by the key "states/" and the series' id.
"""

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
from msgspec.structs import replace

from monitor.alerting.groups import NotificationGroup, NotifiedAlert
from monitor.alerting.journal import Journal, JournalError
from monitor.alerting.journal_file import JournalFile
from monitor.alerting.records import Acknowledgement, DeadLetter, SavedState, Silence, UnusableRow
from monitor.alerting.schema import MIGRATIONS, statements
from monitor.alerting.sender import build_notification
from monitor.alerting.tables import (
    ACKNOWLEDGEMENTS,
    DEAD_LETTERS,
    NOTIFICATIONS,
    PENDING_NOTICES,
    SILENCES,
    SPENDING,
    STATES,
    TABLES,
    UNUSABLE_ROWS,
    Table,
)
from monitor.notifiers.notice import NoticeKind, Notification, NotificationReason, Severity
from monitor.planning.spending import SavedSpending
from tests.monitor.alerting.delivery_fixture import stored_rows
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 24 * 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


# Rows that survive a restart


ROWS: list[tuple[Table[Any], msgspec.Struct]] = [
    (SPENDING, SavedSpending(account="123456789012", dollars=0.25, at=NOW, budget=200.0)),
    (
        SILENCES,
        Silence(id="s", matchers=('resource=~"a.*"',), starts=NOW, ends=NOW + 1, author="me", comment="test"),
    ),
    (
        ACKNOWLEDGEMENTS,
        Acknowledgement(
            alert="a",
            severity=Severity.CRITICAL,
            author="me",
            comment="on it",
            at=NOW,
            replaced=Acknowledgement(
                alert="a", severity=Severity.WARNING, author="ada", comment="mine", at=NOW - 9, until=NOW + 9
            ),
        ),
    ),
    (STATES, SavedState("states/a", b'["firing",1]')),
    (PENDING_NOTICES, pending_notice(notice(1), id=5)),
    (
        NOTIFICATIONS,
        Notification(
            id="n",
            receiver="r",
            group={"region": "x"},
            notices=(notice(1),),
            at=NOW,
            more=2,
            reason=NotificationReason.GREW,
        ),
    ),
    (
        DEAD_LETTERS,
        DeadLetter(
            id="n",
            receiver="r",
            notification=Notification(
                id="n", receiver="r", group={}, notices=(notice(1),), at=NOW, reason=NotificationReason.FIRST
            ),
            status=None,
            sentence="refused",
            at=NOW,
        ),
    ),
    (
        UNUSABLE_ROWS,
        UnusableRow(id="x", name="acknowledgements", key="a", reason="it is no severity", row="[1]", at=NOW),
    ),
]


def acknowledgement() -> Acknowledgement:
    """Return an acknowledgement without `until`."""
    return Acknowledgement(alert="a", severity=Severity.CRITICAL, author="me", comment="on it", at=NOW)


def test_every_table_has_a_row_in_these_tests() -> None:
    assert {table for table, _ in ROWS} == set(TABLES)


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[table.name for table, _ in ROWS])
async def test_a_row_survives_a_restart_until_it_is_removed(
    path: Path, table: Table[Any], row: msgspec.Struct
) -> None:
    journal = await Journal.open(path)
    await journal.put(table, row)
    await journal.close()
    assert await stored_rows(path) == {table.name: [row]}

    journal = await Journal.open(path)
    await journal.remove(table, table.key_of(row))
    await journal.close()
    assert await stored_rows(path) == {}


async def test_a_commit_stores_states_and_pending_notices(path: Path) -> None:
    journal = await Journal.open(path)
    rows = journal.with_ids([pending_notice(notice(1)), pending_notice(notice(1), "chat")])
    await journal.commit({"states/a": b"firing"}, [notice(1)], rows)
    await journal.close()
    assert await stored_rows(path) == {
        "states": [SavedState("states/a", b"firing")],
        "pending_notices": rows,
    }


async def test_a_restart_restores_no_deleted_state_and_continues_notice_numbers(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"states/a": b"firing"}, [notice(7)])
    await journal.commit({"states/a": None}, [notice(8, kind=NoticeKind.RESOLVED)])
    await journal.close()
    assert await stored_rows(path) == {}
    journal = await Journal.open(path)
    assert journal.number == 8
    await journal.close()


async def test_ids_of_pending_notices_increase_across_restarts(path: Path) -> None:
    journal = await Journal.open(path)
    first_rows = journal.with_ids([pending_notice(notice(1)), pending_notice(notice(2))])
    await journal.commit({}, [], first_rows)
    await journal.close()
    journal = await Journal.open(path)
    (later_row,) = journal.with_ids([pending_notice(notice(3))])
    await journal.close()
    assert first_rows[0].id < first_rows[1].id < later_row.id


async def test_history_lists_the_newest_notices_first_of_one_alert_or_of_all(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({}, [notice(1, "a"), notice(2, "b")])
    await journal.commit({}, [notice(3, "a")])
    assert [stored.number for stored in await journal.history()] == [3, 2, 1]
    assert [stored.number for stored in await journal.history("a")] == [3, 1]
    assert [stored.number for stored in await journal.history(limit=2)] == [3, 2]
    assert (await journal.notice_count(), await journal.notice_count("a")) == (3, 2)
    await journal.close()


async def test_history_deletes_notices_that_are_too_old_or_too_many(path: Path) -> None:
    now = NOW
    file = JournalFile(path, max_history_rows=3)
    journal = await Journal.open(path, now=lambda: now, file=file)
    await journal.commit({}, [notice(n, at=NOW) for n in (1, 2)] + [notice(3, at=NOW + 5 * DAY)])
    now = NOW + 31 * DAY
    await journal.maintain()
    assert [stored.number for stored in await journal.history()] == [3]
    await journal.commit({}, [notice(n, at=now) for n in (4, 5, 6, 7)])
    now += DAY
    await journal.maintain()
    assert [stored.number for stored in await journal.history()] == [7, 6, 5]
    await journal.close()


async def test_maintenance_truncates_the_write_ahead_log(path: Path) -> None:
    now = NOW
    journal = await Journal.open(path, now=lambda: now)
    await journal.commit({f"states/{n}": bytes(1000) for n in range(1000)}, [])
    write_ahead_log = path.with_name("journal.db-wal")
    assert write_ahead_log.stat().st_size > 1_000_000
    now += 3600
    await journal.maintain()
    assert write_ahead_log.stat().st_size == 0
    await journal.close()


# Schemas and migrations


def column_names(path: Path, table: str) -> list[str]:
    """Return the names of the columns of a table."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_the_schema_has_a_column_for_every_field(path: Path, table: Table[Any]) -> None:
    await (await Journal.open(path)).close()
    assert column_names(path, table.name) == list(table.types)


async def test_a_migration_keeps_the_rows_of_an_older_schema(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.put(STATES, SavedState("states/a", b"firing"))
    await journal.close()
    journal = await Journal.open(
        path, file=JournalFile(path, migrations=[*MIGRATIONS, "CREATE TABLE extra (x TEXT)"])
    )
    assert list(journal.rows_of(STATES).values()) == [SavedState("states/a", b"firing")]
    await journal.close()
    assert column_names(path, "extra") == ["x"]


async def test_an_acknowledgement_of_a_schema_without_until_has_no_end(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        connection.execute("INSERT INTO acks VALUES ('a', 'warning', 'me', 'on it', 5.0)")
        connection.commit()
    journal = await Journal.open(path)
    migrated = Acknowledgement(
        alert="a", severity=Severity.WARNING, author="me", comment="on it", at=5.0, until=None
    )
    assert (journal.failure, list(journal.rows_of(ACKNOWLEDGEMENTS).values())) == (None, [migrated])
    await journal.close()


async def test_a_notification_of_a_schema_without_reasons_has_the_reason_first(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    notification = msgspec.json.encode(build_notification("r", [pending_notice(notice(1))], NOW)).decode()
    without_reason = notification.replace(',"reason":"first"', "")
    assert without_reason != notification
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(";".join(MIGRATIONS[:4]) + "; PRAGMA user_version = 4;")
        for dead_letter_id, text in (("a", without_reason), ("b", "no JSON")):
            connection.execute(
                "INSERT INTO parked VALUES (?, 'r', ?, 500, 'it failed', 5.0)", [dead_letter_id, text]
            )
        connection.commit()
    journal = await Journal.open(path)
    assert journal.failure is None
    (dead_letter,) = journal.rows_of(DEAD_LETTERS).values()
    assert dead_letter.notification.reason is NotificationReason.FIRST
    assert [row.name for row in journal.rows_of(UNUSABLE_ROWS).values()] == ["dead_letters"]
    await journal.close()


async def test_the_field_notified_is_also_read_under_its_former_name(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    alert = NotifiedAlert(Severity.WARNING, "near", 5.0)
    # A label's value that looks like the former name stays as it is.
    group = NotificationGroup("r", (("x", '"told":'),), {"a": alert}, 5.0)
    old_value = msgspec.json.encode(group).replace(b'"notified":', b'"told":')
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(";".join(MIGRATIONS[:6]) + "; PRAGMA user_version = 6;")
        connection.execute("INSERT INTO states VALUES ('group/r', ?)", [old_value])
        connection.commit()
    journal = await Journal.open(path)
    state = journal.rows_of(STATES)["group/r"]
    assert msgspec.json.decode(state.value, type=NotificationGroup) == group
    await journal.close()


async def test_the_field_resolution_reason_is_also_read_under_its_former_name(path: Path) -> None:
    # A value that looks like the former name stays as it is.
    resolved = notice(7, kind=NoticeKind.RESOLVED, resolution_reason='it has "reason":')
    notification = Notification(
        id="n", receiver="r", group={}, notices=(resolved,), at=NOW, reason=NotificationReason.RESOLVED
    )
    dead_letter = DeadLetter(
        id="n", receiver="r", notification=notification, status=500, sentence="no", at=NOW
    )
    journal = await Journal.open(path)
    rows = journal.with_ids([pending_notice(resolved)])
    await journal.commit({}, [resolved], rows)
    await journal.write({(NOTIFICATIONS, "n"): notification, (DEAD_LETTERS, "n"): dead_letter})
    await journal.close()
    columns_with_notices = [
        *(("pending_notices", "notice"), ("notifications", "notices"), ("history", "notice")),
        ("dead_letters", "notification"),
    ]
    with closing(sqlite3.connect(path)) as connection:
        for table, column in columns_with_notices:
            with_old_name = f"replace({column}, '\"resolution_reason\":', '\"reason\":')"
            assert connection.execute(f"SELECT {with_old_name} <> {column} FROM {table}").fetchone() == (1,)
            connection.execute(f"UPDATE {table} SET {column} = {with_old_name}")
        connection.execute("DROP TABLE spending")
        connection.execute("DROP TABLE sent_notices")
        connection.execute("ALTER TABLE acknowledgements DROP COLUMN replaced")
        connection.execute("PRAGMA user_version = 7")
        connection.commit()
    journal = await Journal.open(path)
    assert list(journal.rows_of(PENDING_NOTICES).values()) == rows
    assert journal.rows_of(NOTIFICATIONS) == {"n": notification}
    assert journal.rows_of(DEAD_LETTERS) == {"n": dead_letter}
    assert await journal.history() == [resolved]
    await journal.close()


async def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    await (await Journal.open(path)).close()
    invalid_migration = "CREATE TABLE extra (x TEXT); CREATE TABLE extra (x TEXT)"
    journal = await Journal.open(path, file=JournalFile(path, migrations=[*MIGRATIONS, invalid_migration]))
    assert journal.failure is not None
    await journal.close()
    assert column_names(path, "extra") == []
    assert await stored_rows(path) == {}


async def test_a_file_of_a_newer_headroom_cannot_be_opened(path: Path) -> None:
    newer = JournalFile(path, migrations=[*MIGRATIONS, "CREATE TABLE extra (x TEXT)"])
    await (await Journal.open(path, file=newer)).close()
    versions = f"its schema is version {len(MIGRATIONS) + 1}, this Headroom knows {len(MIGRATIONS)}"
    with pytest.raises(JournalError, match=f"newer Headroom: {versions}"):
        await Journal.open(path)


def test_a_migration_is_split_into_statements() -> None:
    assert list(statements("CREATE TABLE a (b); CREATE INDEX c ON a (b);\n")) == [
        "CREATE TABLE a (b)",
        " CREATE INDEX c ON a (b)",
    ]


async def test_the_next_commit_moves_an_unusable_row_in_the_file(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.commit({"judged": b"tomorrow", "states/a": b"firing"}, [])
    journal.move_to_unusable(STATES, "judged", ValueError("it is no minute"))
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    await journal.commit({}, [])
    await journal.close()
    rows = await stored_rows(path)
    assert rows["states"] == [SavedState("states/a", b"firing")]
    assert [row.reason for row in rows["unusable_rows"] if isinstance(row, UnusableRow)] == [
        "'it is no minute'"
    ]


async def test_a_row_that_could_not_be_read_back_is_rejected_by_put_and_skipped_by_write(path: Path) -> None:
    journal = await Journal.open(path)
    for unreadable_field in ({"comment": "\ud800"}, {"at": float("nan")}, {"at": float("inf")}):
        with pytest.raises(ValueError):
            await journal.put(ACKNOWLEDGEMENTS, replace(acknowledgement(), **unreadable_field))
    assert journal.rows_of(ACKNOWLEDGEMENTS) == {}
    await journal.write(
        {
            (ACKNOWLEDGEMENTS, "a"): replace(acknowledgement(), comment="\ud800"),
            (ACKNOWLEDGEMENTS, "b"): replace(acknowledgement(), alert="b"),
        }
    )
    assert journal.failure is None
    await journal.close()
    assert await stored_rows(path) == {"acknowledgements": [replace(acknowledgement(), alert="b")]}


# Only one process can open a journal


HOLD_JOURNAL = """
import asyncio, sys
from pathlib import Path
from monitor.alerting.journal import Journal

async def hold():
    journal = await Journal.open(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


async def test_a_journal_that_another_process_holds_can_be_opened_once_that_process_is_killed(
    path: Path,
) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD_JOURNAL, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert await asyncio.wait_for(holder.stdout.readline(), 30) == b"held\n"
    with pytest.raises(JournalError, match=rf"is held by process {holder.pid} on \S+ since 2\d\d\d-"):
        await Journal.open(path)
    holder.kill()
    await holder.wait()
    await (await Journal.open(path)).close()


async def test_a_symbolic_link_to_a_held_journal_cannot_be_opened(path: Path, tmp_path: Path) -> None:
    journal = await Journal.open(path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(JournalError, match=f"held by process {os.getpid()}"):
        await Journal.open(link)
    await journal.close()


async def test_a_lock_file_that_a_dead_process_left_can_be_locked(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("journal.db.lock").write_text('{"pid": 1, "host": "elsewhere", "since": 0}')
    await (await Journal.open(path)).close()
