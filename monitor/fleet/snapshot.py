"""Copies of the fleet after a judgement, for threads that read while the fleet changes."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Ids, Objects
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Group
from monitor.fleet.reach import Reach
from monitor.fleet.throttling_causes import NO_CAUSES, CauseColumns
from rules.arrays import Flags, Floats, Indices, Int8s, Int16s, Ints
from rules.forecast import QUANTILES
from rules.forecast_features import HORIZONS


class ActiveAlert(NamedTuple):
    """A pending (1) or firing (2) alert of the series in a slot; since: epoch seconds."""

    slot: int
    severity: str
    state: int
    since: int


class ReachColumns(NamedTuple):
    """The forecasts of all series, by slot; see the columns in `SeriesColumns`."""

    probability: Floats
    minutes: Ints
    ceiling: Floats
    history_bins: Int16s

    def of(self, slot: int) -> Reach:
        """Return the forecast of one series."""
        bins = int(self.history_bins[slot])
        return Reach.of(self.probability[slot], self.minutes[slot], bins, self.ceiling[slot])


AnyColumn = npt.NDArray[Any]

SLOTS_PER_PART = 250_000  # copying so many slots of a column takes a few milliseconds
COPIED_COLUMNS = (
    *("id", "group", "bounded", "limit", "usage", "upper_bound", "utilization", "saturation", "minute"),
    *("zone", "paid", "idle", "seconds_to_exhaustion"),
)
REACH_COLUMNS = ("reach_probability", "reach_minutes", "ceiling", "history_bins")
NO_REACH = ReachColumns(
    np.empty((0, len(HORIZONS)), np.float32),
    np.empty((0, len(QUANTILES)), np.int32),
    np.empty(0, np.float32),
    np.empty(0, np.int16),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Copies of the fleet's columns under the same names, except that the column `by_slot` is `series`.

    version: `Fleet.version` at the time of the copy. causes: the throttled demand by cause, of the few series
    that have causes. groups: a copy of `Fleet.groups`; `group` is an index in it. account_names: the names by
    12-digit id. alerts: the pending and firing alerts.
    """

    version: int
    series: Objects
    groups: tuple[Group, ...]
    account_names: Mapping[str, str]
    id: Ids
    group: Ints
    bounded: Flags
    limit: Floats
    usage: Floats
    upper_bound: Floats
    utilization: Floats
    saturation: Floats
    minute: Ints
    zone: Int8s
    paid: Flags
    idle: Flags
    seconds_to_exhaustion: Floats
    reach: ReachColumns = NO_REACH
    causes: CauseColumns = NO_CAUSES
    alerts: Sequence[ActiveAlert] = ()

    @classmethod
    def of(
        cls,
        fleet: Fleet,
        account_names: Mapping[str, str],
        previous: Self | None = None,
        alerts: Sequence[ActiveAlert] = (),
    ) -> Self:
        """Copy the fleet. previous: an earlier snapshot; data that is unchanged since is shared with it."""
        copying = cls.copy_in_parts(fleet, account_names, previous, alerts)
        while True:
            try:
                next(copying)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

    @classmethod
    def copy_in_parts(
        cls,
        fleet: Fleet,
        account_names: Mapping[str, str],
        previous: Self | None = None,
        alerts: Sequence[ActiveAlert] = (),
    ) -> Generator[None, None, Self]:
        """Copy the fleet as `of` does, but in parts, so that other tasks can run in between.

        The snapshot is consistent only if `Fleet.state` after the last part is as it was before the first.
        """
        unchanged = previous is not None and previous.version == fleet.version
        columns: dict[str, Any] = {}
        for name in COPIED_COLUMNS:
            columns[name] = yield from _copy_column(getattr(fleet, name)[: fleet.size])
        if previous and unchanged:
            series = previous.series
        else:
            series = yield from _copy_column(fleet.by_slot[: fleet.size])
        reach = []
        for name in REACH_COLUMNS:
            reach.append((yield from _copy_column(getattr(fleet, name)[: fleet.size])))
        return cls(
            version=fleet.version,
            series=series,
            groups=tuple(fleet.groups),
            account_names=dict(account_names),
            **columns,
            reach=ReachColumns(*reach),
            causes=_copy_causes(fleet, previous.causes if previous and unchanged else None),
            alerts=alerts,
        )

    @property
    def series_count(self) -> int:
        """The number of series."""
        return int(np.count_nonzero(self.group >= 0))

    def select(self, slots: Indices) -> Self:
        """Return a snapshot of the series in these slots, renumbered from 0 in the given order."""
        positions = np.full(self.group.size, -1, np.int32)
        positions[slots] = np.arange(slots.size, dtype=np.int32)
        columns: dict[str, Any] = {column.name: getattr(self, column.name) for column in fields(self)}
        selected_columns: dict[str, Any] = {
            name: column[slots] for name, column in columns.items() if isinstance(column, np.ndarray)
        }
        new_slots = ((int(positions[alert.slot]), alert) for alert in self.alerts)
        selected_columns["alerts"] = [alert._replace(slot=slot) for slot, alert in new_slots if slot >= 0]
        slot, cause, throttled = self.causes
        entries = np.flatnonzero(positions[slot] >= 0)
        causes = CauseColumns(positions[slot[entries]], cause[entries], throttled[entries])
        reach = ReachColumns._make(column[slots] for column in self.reach)
        return replace(self, **selected_columns, causes=causes, reach=reach)


def _copy_column(column: AnyColumn) -> Generator[None, None, AnyColumn]:
    """Copy a column in parts."""
    copy = np.empty_like(column)
    for start in range(0, len(column), SLOTS_PER_PART):
        part = slice(start, start + SLOTS_PER_PART)
        copy[part] = column[part]
        yield
    return copy


def _copy_causes(fleet: Fleet, previous: CauseColumns | None) -> CauseColumns:
    """Copy the causes. previous: the causes of an earlier snapshot, if no series changed since."""
    causes, used = fleet.causes, fleet.causes.used_entries
    if not used.size:
        return NO_CAUSES
    slot, cause = (previous.slot, previous.cause) if previous else (causes.slot[used], causes.cause[used])
    return CauseColumns(slot, cause, causes.throttled[used])
