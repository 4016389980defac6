"""The heatmap of the overview: the worst zone of each cell and service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from collectors.registry import OTHER_TITLES
from monitor.aws.status import CellStatus
from monitor.fleet.columns import Flags
from monitor.fleet.key import ServiceKey
from monitor.fleet.snapshot import Snapshot
from monitor.web.templating import NO_DATA
from rules.band import Zone

NO_ZONE = min(Zone) - 1
MAX_HEATMAP_ROWS = 24


@dataclass(frozen=True, slots=True)
class HeatmapRow:
    """One cell. name: of the account. zones: for each service, the word of the worst zone of its series.

    None where the service has no series in the cell, NO_DATA where it was never read.
    """

    account: str
    name: str
    region: str
    zones: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """The services as columns, the cells with the worst zones as rows, and the number of omitted cells."""

    services: tuple[str, ...]
    rows: tuple[HeatmapRow, ...]
    omitted: int


def build_heatmap(snapshot: Snapshot, selected: Flags, never_read: Iterable[ServiceKey] = ()) -> Heatmap:
    """Return the heatmap of the selected series. never_read: shown as NO_DATA."""
    worst = _worst_zones(snapshot, selected)
    known = {*worst, *never_read}
    services = tuple(sorted({service for _, _, service in known}))
    cells = sorted({one[:2] for one in known}, key=lambda cell: (_rank(cell, services, worst), cell))

    def word(account: str, region: str, service: str) -> str | None:
        zone = worst.get((account, region, service))
        if zone is not None:
            return zone.word
        return NO_DATA if (account, region, service) in known else None

    rows = [
        HeatmapRow(
            account,
            snapshot.account_names.get(account, account),
            region,
            tuple(word(account, region, service) for service in services),
        )
        for account, region in cells[:MAX_HEATMAP_ROWS]
    ]
    return Heatmap(services, tuple(rows), max(len(cells) - MAX_HEATMAP_ROWS, 0))


def _worst_zones(snapshot: Snapshot, selected: Flags) -> dict[ServiceKey, Zone]:
    """Return the worst zone of the selected series of each cell and service that has any."""
    by_group = np.full(len(snapshot.groups), NO_ZONE, np.int8)
    np.maximum.at(by_group, snapshot.group[selected], snapshot.zone[selected])
    worst: dict[ServiceKey, Zone] = {}
    for number in np.flatnonzero(by_group > NO_ZONE).tolist():
        account, region, service, _ = snapshot.groups[number]
        zone = Zone(int(by_group[number]))
        key = account, region, service
        worst[key] = max(zone, worst.get(key, zone))
    return worst


def _rank(cell: tuple[str, str], services: Iterable[str], worst: Mapping[ServiceKey, Zone]) -> list[int]:
    """A sort key: the cell with the worst zone first, then by its second worst, and so on."""
    return sorted(-worst.get((*cell, service), NO_ZONE) for service in services)


def never_read_services(cells: Iterable[CellStatus]) -> list[ServiceKey]:
    """Return the services whose inventory failed and has never succeeded."""
    return [
        (cell.account, cell.region, service)
        for cell in cells
        for service, run in cell.collectors.items()
        if service not in OTHER_TITLES and run.succeeded_at is None and run.failures
    ]
