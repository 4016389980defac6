"""The series of a scan that are unobservable, grouped by the reason."""

from collections.abc import Iterable

from monitor.fleet.rows import Row
from monitor.fleet.unobservable import UnobservableGroup, group_unobservable


def has_no_usage(row: Row) -> bool:
    """Return whether a row is unobservable and not even bounds of its usage are known."""
    return row.unobservable is not None and row.usage is None


def unobservable_by_reason(rows: Iterable[Row]) -> list[UnobservableGroup[str]]:
    """Return the unobservable series by reason, the largest group first."""
    hidden = filter(has_no_usage, rows)
    return group_unobservable(("", row.key, row.unobservable) for row in hidden if row.unobservable)
