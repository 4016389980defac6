"""The versions of the journal's schema. A released version never changes: each change adds a version."""

from collections.abc import Iterator

# V5 renames `owed` to `pending_notices`, `formed` to `notifications`, `parked` to `dead_letters`, and `acks`
# to `acknowledgements`. It drops `told`.
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

V3 = """
CREATE TABLE set_aside (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, row TEXT NOT NULL,
    at REAL NOT NULL
);
"""

V4 = """
ALTER TABLE silences RENAME COLUMN who TO author;
ALTER TABLE silences RENAME COLUMN why TO comment;
ALTER TABLE acks RENAME COLUMN who TO author;
ALTER TABLE acks RENAME COLUMN why TO comment;
"""

# A dead letter that is not JSON stays unchanged. When it is read, it is moved to `unusable_rows`.
V5 = """
DROP TABLE told;
ALTER TABLE owed RENAME TO pending_notices;
ALTER TABLE pending_notices ADD COLUMN reason TEXT NOT NULL DEFAULT 'first';
ALTER TABLE formed RENAME TO notifications;
ALTER TABLE notifications ADD COLUMN reason TEXT NOT NULL DEFAULT 'first';
ALTER TABLE parked RENAME TO dead_letters;
UPDATE dead_letters SET notification = json_set(notification, '$.reason', 'first')
    WHERE json_valid(notification);
ALTER TABLE acks RENAME TO acknowledgements;
ALTER TABLE set_aside RENAME TO unusable_rows;
"""

V6 = """
UPDATE states SET
    key = 'states/' || substr(key, 6), value = CAST(replace(value, '"seen":', '"last_sample":') AS BLOB)
    WHERE key LIKE 'life/%';
"""

V7 = """
UPDATE states SET value = CAST(replace(CAST(value AS TEXT), '"told":', '"notified":') AS BLOB)
    WHERE key LIKE 'group/%';
"""

# The key `reason` of a notice becomes `resolution_reason`; the key `reason` of a notification stays. The text
# replacement changes only keys, since quotes within JSON strings are escaped.
V8 = """
UPDATE pending_notices SET notice = replace(notice, '"reason":', '"resolution_reason":');
UPDATE notifications SET notices = replace(notices, '"reason":', '"resolution_reason":');
UPDATE history SET notice = replace(notice, '"reason":', '"resolution_reason":');
UPDATE dead_letters SET notification = json_remove(
        json_set(
            replace(notification, '"reason":', '"resolution_reason":'),
            '$.reason', json_extract(notification, '$.reason')
        ),
        '$.resolution_reason'
    )
    WHERE json_valid(notification);
"""

V9 = """
CREATE TABLE spending (
    account TEXT PRIMARY KEY, dollars REAL NOT NULL, at REAL NOT NULL, budget REAL NOT NULL
);
"""

V10 = """
CREATE TABLE sent_notices (
    id INTEGER PRIMARY KEY, alert TEXT NOT NULL, number INTEGER NOT NULL, receiver TEXT NOT NULL,
    reason TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX sent_notices_of_an_alert ON sent_notices (alert, id);
CREATE INDEX sent_notices_in_time ON sent_notices (at);
"""

V11 = "ALTER TABLE acknowledgements ADD COLUMN replaced TEXT"

# The migration at index n leads from version n to version n + 1.
MIGRATIONS: tuple[str, ...] = (V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11)


def statements(migration: str) -> Iterator[str]:
    """Split a migration into statements. sqlite3's `executescript` is not used: it commits at once."""
    return filter(str.strip, migration.split(";"))
