"""The schema of the journal, version by version. A version that was released never changes: add another."""

from collections.abc import Iterator

V1 = """
CREATE TABLE states (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE told (alert TEXT PRIMARY KEY, number INTEGER NOT NULL, severity TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE owed (
    receiver TEXT NOT NULL, "group" TEXT NOT NULL, due REAL NOT NULL, notice TEXT NOT NULL,
    id INTEGER PRIMARY KEY
);
CREATE TABLE formed (
    id TEXT PRIMARY KEY, receiver TEXT NOT NULL, "group" TEXT NOT NULL, notices TEXT NOT NULL,
    at REAL NOT NULL, more INTEGER NOT NULL
);
CREATE TABLE parked (
    id TEXT PRIMARY KEY, receiver TEXT NOT NULL, notification TEXT NOT NULL, status INTEGER,
    sentence TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE silences (
    id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts REAL NOT NULL, ends REAL NOT NULL,
    who TEXT NOT NULL, why TEXT NOT NULL
);
CREATE TABLE acks (
    alert TEXT PRIMARY KEY, severity TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE history (
    id INTEGER PRIMARY KEY, alert TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL,
    notice TEXT NOT NULL
);
CREATE INDEX history_of_an_alert ON history (alert, id);
CREATE INDEX history_in_time ON history (at);
"""

V2 = "ALTER TABLE acks ADD COLUMN until REAL"

MIGRATIONS: tuple[str, ...] = (V1, V2)  # the n-th leads from version n to n + 1


def statements(migration: str) -> Iterator[str]:
    """One by one: sqlite3's executescript would commit what is not complete."""
    return filter(str.strip, migration.split(";"))
