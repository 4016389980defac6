"""The fleet as the last judgement left it: copies to read in other threads while the fleet lives on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from monitor.columns import Bytes, Flags, Floats, Ids, Ints, Objects
from monitor.fleet import Fleet, Group


class ActiveAlert(NamedTuple):
    """An alert that is pending (1) or fires (2), of the series at a place; since: epoch seconds."""

    place: int
    severity: str
    state: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Copies of the fleet's columns, named as there; `series` is `by_place`.

    groups: in the order that `group` counts them. names: of accounts, by the 12-digit id.
    alerts: those that are active.
    """

    version: int
    series: Objects
    groups: tuple[Group, ...]
    names: Mapping[str, str]
    id: Ids
    group: Ints
    bounded: Flags
    limit: Floats
    usage: Floats
    at_most: Floats
    utilization: Floats
    saturation: Floats
    minute: Ints
    zone: Bytes
    alerts: Sequence[ActiveAlert] = ()

    @classmethod
    def of(
        cls,
        fleet: Fleet,
        names: Mapping[str, str],
        before: Self | None = None,
        alerts: Sequence[ActiveAlert] = (),
    ) -> Self:
        """Copy the fleet; what has not changed since the snapshot `before` is shared with it."""
        unchanged = before is not None and before.version == fleet.version
        size = fleet.size
        return cls(
            version=fleet.version,
            series=before.series if before and unchanged else fleet.by_place[:size].copy(),
            groups=tuple(fleet.groups),
            names=dict(names),
            id=fleet.id[:size].copy(),
            group=fleet.group[:size].copy(),
            bounded=fleet.bounded[:size].copy(),
            limit=fleet.limit[:size].copy(),
            usage=fleet.usage[:size].copy(),
            at_most=fleet.at_most[:size].copy(),
            utilization=fleet.utilization[:size].copy(),
            saturation=fleet.saturation[:size].copy(),
            minute=fleet.minute[:size].copy(),
            zone=fleet.zone[:size].copy(),
            alerts=alerts,
        )
