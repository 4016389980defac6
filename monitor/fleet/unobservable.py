"""Series that cannot be observed, grouped by the reason."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from collectors.base import Unobservable
from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone

GroupScope = TypeVar("GroupScope", bound=Hashable)


@dataclass(slots=True)
class UnobservableGroup(Generic[GroupScope]):
    """The series that are unobservable for one reason.

    scope: another property that the series share, chosen by the caller. keys_by_command: the series by the
    command that makes them observable; the command is empty if none does.
    """

    scope: GroupScope
    reason: str
    keys_by_command: dict[str, list[Key]] = field(default_factory=dict)

    @property
    def series_count(self) -> int:
        """The number of series."""
        return sum(map(len, self.keys_by_command.values()))

    @property
    def members(self) -> Iterator[tuple[Key, str]]:
        """Each series with its command."""
        for command, keys in self.keys_by_command.items():
            yield from ((key, command) for key in keys)


def unobservable_series(snapshot: Snapshot) -> Iterator[tuple[Series, Unobservable]]:
    """Yield the unobservable series of a snapshot, each with its reason and command."""
    for slot in np.flatnonzero((snapshot.zone == Zone.UNOBSERVABLE) & (snapshot.group >= 0)).tolist():
        series = snapshot.series[slot]
        if series.unobservable is not None:
            yield series, series.unobservable


def group_unobservable(
    series: Iterable[tuple[GroupScope, Key, Unobservable]],
) -> list[UnobservableGroup[GroupScope]]:
    """Group series by scope and reason; the largest group comes first, ties by scope and reason."""
    groups: dict[tuple[GroupScope, str], UnobservableGroup[GroupScope]] = {}
    for scope, key, cause in series:
        group = groups.setdefault((scope, cause.reason), UnobservableGroup(scope, cause.reason))
        group.keys_by_command.setdefault(cause.enable_command or "", []).append(key)
    return sorted(groups.values(), key=lambda group: (-group.series_count, str(group.scope), group.reason))
