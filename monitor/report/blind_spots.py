"""The series of a scan that are unobservable, grouped by the reason."""

from collections.abc import Iterable

from monitor.fleet.rows import Row
from monitor.fleet.unobservable import UnobservableGroup, group_unobservable

NO_SCOPE = ""  # no scope: the series of a group have only the reason in common


def has_no_numbers(row: Row) -> bool:
    """Return whether a row is unobservable and has neither bounds of its usage nor throttled demand."""
    return row.unobservable is not None and row.usage is None and not row.throttled


def unobservable_by_reason(rows: Iterable[Row]) -> list[UnobservableGroup[str]]:
    """Return the unobservable series by reason, the largest group first."""
    return group_unobservable(
        (NO_SCOPE, row.key, row.unobservable) for row in rows if row.unobservable and has_no_numbers(row)
    )
