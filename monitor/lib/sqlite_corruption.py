"""Distinguishes SQLite errors of a corrupt or foreign file from temporary errors of the disk."""

import sqlite3
from typing import Final

CORRUPT_CODES: Final = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,  # our statements are constant, so the file has another schema
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_CONSTRAINT,
}


def is_corrupt(error: BaseException) -> bool:
    """Return whether an error means that the file is unusable, so that retrying is pointless."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits are the extended code
    return code in CORRUPT_CODES or isinstance(error, UnicodeError)
