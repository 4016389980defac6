"""How many series are in each zone, where the worst are, and the map of cells and services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.columns import Flags
from monitor.snapshot import Snapshot
from monitor.status import CellStatus
from monitor.web.shell import NOT_SEEN
from rules.band import Zone

Place = tuple[str, str, str]  # account, region, service

LOWEST = min(Zone)
CELLS_SHOWN = 24
SPREAD = np.float32(10)  # between two zones; no utilization counts for more than half of it


def counts(snapshot: Snapshot, chosen: Flags) -> Mapping[Zone, int]:
    """How many of the chosen series are in each zone."""
    found = np.bincount(snapshot.zone[chosen].astype(np.int64) - LOWEST, minlength=len(Zone))
    return {zone: int(found[zone - LOWEST]) for zone in Zone}


def worst(snapshot: Snapshot, chosen: Flags, most: int) -> list[int]:
    """The places of the most urgent series: by zone, then by utilization, then by place."""
    places = np.flatnonzero(chosen)
    used = np.nan_to_num(snapshot.utilization[places], nan=0.0)
    if places.size > most:  # of many, sort only those that can be among the first
        score = snapshot.zone[places] * SPREAD + np.minimum(used, SPREAD / 2)
        kept = score >= np.partition(score, places.size - most)[places.size - most]
        places, used = places[kept], used[kept]
    order = np.lexsort((places, -used, -snapshot.zone[places]))[:most]
    return [int(place) for place in places[order]]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A cell, by the account's name, and the worst zone's word of each service; None: it has no series."""

    account: str
    name: str
    region: str
    zones: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """The map: its columns, the worst rows, and how many more there are."""

    services: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    more: int


def heat(snapshot: Snapshot, chosen: Flags, hidden: Iterable[Place] = ()) -> Heat:
    """Where the worst of the chosen series are. hidden: where AWS lets us see nothing."""
    found = _worst_zones(snapshot, chosen)
    places = {*found, *hidden}
    services = tuple(sorted({service for _, _, service in places}))
    cells = sorted({place[:2] for place in places}, key=lambda cell: (_rank(cell, services, found), cell))
    rows = [
        HeatRow(
            account,
            snapshot.names.get(account, account),
            region,
            tuple(
                zone.word
                if (zone := found.get((account, region, service))) is not None
                else NOT_SEEN
                if (account, region, service) in places
                else None
                for service in services
            ),
        )
        for account, region in cells[:CELLS_SHOWN]
    ]
    return Heat(services, tuple(rows), max(len(cells) - CELLS_SHOWN, 0))


def _worst_zones(snapshot: Snapshot, chosen: Flags) -> dict[Place, Zone]:
    lowest = np.full(len(snapshot.groups), LOWEST - 1, np.int8)
    np.maximum.at(lowest, snapshot.group[chosen], snapshot.zone[chosen])
    found: dict[Place, Zone] = {}
    for number in np.flatnonzero(lowest >= LOWEST).tolist():
        account, region, service, _ = snapshot.groups[number]
        zone = Zone(int(lowest[number]))
        place = account, region, service
        found[place] = max(zone, found.get(place, zone))
    return found


def _rank(cell: tuple[str, str], services: Iterable[str], found: Mapping[Place, Zone]) -> list[int]:
    return sorted(-found.get((*cell, service), LOWEST - 1) for service in services)


def hidden(cells: Iterable[CellStatus]) -> list[Place]:
    """The services of cells that no inventory could see so far, because of a failure."""
    return [
        (cell.account, cell.region, service)
        for cell in cells
        for service, outcome in cell.collectors.items()
        if outcome.succeeded is None and outcome.failures
    ]
