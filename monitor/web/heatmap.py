"""The heatmap of the overview: the worst zone of each cell and service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from collectors.registry import NON_SERVICE_READS
from monitor.aws.status import CellStatus
from monitor.fleet.key import ServiceKey
from monitor.fleet.snapshot import Snapshot
from monitor.web.templating import NO_DATA
from rules.arrays import Flags
from rules.band import ZONES, Zone

NO_ZONE = min(Zone) - 1
MAX_HEATMAP_ROWS = 200
# The words of the zones that a user should look at.
ATTENTION_WORDS = (Zone.SATURATED.word, Zone.NEAR.word, NO_DATA)


@dataclass(frozen=True, slots=True)
class ServiceInCell:
    """One service in one cell. worst: the word of the worst zone of its series; NO_DATA if never read.

    count: the number of series in the worst zone; 0 if the service was never read.
    """

    service: str
    worst: str
    count: int


@dataclass(frozen=True, slots=True)
class HeatmapRow:
    """One cell. name: the account's name. services: one for each column; None without series."""

    account: str
    name: str
    region: str
    services: tuple[ServiceInCell | None, ...]

    @property
    def needs_attention(self) -> bool:
        """True if a series is saturated or near its limit, or a service was never read."""
        return any(service is not None and service.worst in ATTENTION_WORDS for service in self.services)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """The services as columns, the cells with the worst zones as rows, and the number of omitted cells."""

    services: tuple[str, ...]
    rows: tuple[HeatmapRow, ...]
    omitted: int

    @property
    def attention_count(self) -> int:
        """The number of the shown cells that need attention."""
        return sum(row.needs_attention for row in self.rows)

    def narrow(self, max_rows: int, max_services: int) -> "Heatmap":
        """Return the map with its first rows, and the columns that have the worst zones in these rows."""
        rows = self.rows[:max_rows]
        order = sorted(
            range(len(self.services)),
            key=lambda column: [*map(_zone_sort_key, (row.services[column] for row in rows))],
        )
        columns = sorted(order[:max_services])
        return Heatmap(
            tuple(self.services[column] for column in columns),
            tuple(replace(row, services=tuple(row.services[column] for column in columns)) for row in rows),
            self.omitted + len(self.rows) - len(rows),
        )


def build_heatmap(snapshot: Snapshot, selected: Flags, never_read: Iterable[ServiceKey] = ()) -> Heatmap:
    """Return the heatmap of the selected series. never_read: the services that are shown as NO_DATA."""
    worst = _worst_zones(snapshot, selected)
    known = {*worst, *never_read}
    services = tuple(sorted({service for _, _, service in known}))
    cells = sorted(
        {service_key[:2] for service_key in known}, key=lambda cell: (_rank(cell, services, worst), cell)
    )

    def service_in_cell(account: str, region: str, service: str) -> ServiceInCell | None:
        if (account, region, service) in worst:
            zone, count = worst[account, region, service]
            return ServiceInCell(service, zone.word, count)
        return ServiceInCell(service, NO_DATA, 0) if (account, region, service) in known else None

    rows = [
        HeatmapRow(
            account,
            snapshot.account_names.get(account, account),
            region,
            tuple(service_in_cell(account, region, service) for service in services),
        )
        for account, region in cells[:MAX_HEATMAP_ROWS]
    ]
    return Heatmap(services, tuple(rows), max(len(cells) - MAX_HEATMAP_ROWS, 0))


def _worst_zones(snapshot: Snapshot, selected: Flags) -> dict[ServiceKey, tuple[Zone, int]]:
    """Return the worst zone of the selected series by cell and service, and the number of series in it."""
    worst_by_group = np.full(len(snapshot.groups), NO_ZONE, np.int8)
    np.maximum.at(worst_by_group, snapshot.group[selected], snapshot.zone[selected])
    is_worst = selected.copy()
    is_worst[selected] = snapshot.zone[selected] == worst_by_group[snapshot.group[selected]]
    series_counts = np.bincount(snapshot.group[is_worst], minlength=len(snapshot.groups))
    worst: dict[ServiceKey, tuple[Zone, int]] = {}
    # A service has several groups, one for each signal.
    for group in np.flatnonzero(worst_by_group > NO_ZONE).tolist():
        account, region, service, _ = snapshot.groups[group]
        zone = Zone(int(worst_by_group[group]))
        key = account, region, service
        worst_zone, count = worst.get(key, (zone, 0))
        if zone >= worst_zone:
            worst[key] = zone, int(series_counts[group]) + (count if zone == worst_zone else 0)
    return worst


def _rank(
    cell: tuple[str, str], services: Iterable[str], worst: Mapping[ServiceKey, tuple[Zone, int]]
) -> list[int]:
    """Return a sort key: cells are ordered by their worst zones, then by their second worst, and so on."""
    return sorted(-worst.get((*cell, service), (NO_ZONE, 0))[0] for service in services)


def _zone_sort_key(service: ServiceInCell | None) -> int:
    """Return a sort key, the worst service first; NO_DATA counts as `above`, no service as `below`."""
    if service is None:
        return -Zone.BELOW
    return -(Zone.ABOVE if service.worst == NO_DATA else ZONES[service.worst])


def never_read_services(cells: Iterable[CellStatus]) -> list[ServiceKey]:
    """Return the services whose inventory failed and has never succeeded."""
    return [
        (cell.account, cell.region, service)
        for cell in cells
        for service, run in cell.collectors.items()
        if service not in NON_SERVICE_READS and run.succeeded_at is None and run.failures
    ]
