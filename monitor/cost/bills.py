"""The cost of monitoring, by service and by cell: measured so far, and projected for a month."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.cost.prices import LIST_PRICES, SECONDS_PER_MONTH, Prices
from monitor.cost.telemetry import LabelValues, MeasuredCost
from monitor.fleet.columns import Flags, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.lib.partitions import COMMERCIAL, partition_of

LISTS_SERVICE = ("cloudwatch",)  # to which lists of metrics are charged
ServiceNumbers = npt.NDArray[np.int64]  # indices of `MetricUse.services`


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedCost:
    """The numbers of metrics polled and streamed now, and their cost in a month in US dollars.

    monthly_requests: how often metrics are requested in a month, all together. pruned_metrics: those polled
    that are only checked now and then, as an aggregate proves that they are 0. pruned_dollars: what they
    would cost more in a month if they were read. idle_metrics: those polled more rarely, as they have
    no points; idle_dollars: what they would cost more otherwise. listed_dollars: of the monthly dollars,
    what the lists cost that tell which of them have points again.
    """

    polled_metrics: int = 0
    streamed_metrics: int = 0
    monthly_requests: float = 0.0
    monthly_dollars: float = 0.0
    pruned_metrics: int = 0
    pruned_dollars: float = 0.0
    idle_metrics: int = 0
    idle_dollars: float = 0.0
    listed_dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of one service, or of one cell.

    labels: the service; or the account's id and the region. All labels are empty for streamed updates
    that no series uses. is_priced: false for a cell of a partition whose prices are not known; its
    dollars are those of the list price that is known.
    """

    labels: LabelValues
    projected: ProjectedCost
    measured: MeasuredCost
    is_priced: bool = True


def project(polled: Counter[float], streamed: int, prices: Prices = LIST_PRICES) -> ProjectedCost:
    """The monthly cost of metrics, those polled by the seconds between two requests, and `streamed` ones."""
    requests = sum(metrics * SECONDS_PER_MONTH / interval for interval, metrics in polled.items())
    updates = streamed * SECONDS_PER_MONTH / 60
    return ProjectedCost(
        polled_metrics=polled.total(),
        streamed_metrics=streamed,
        monthly_requests=requests,
        monthly_dollars=requests * prices.metric + updates * prices.streamed_update,
    )


def mean_interval(costs: Iterable[ProjectedCost]) -> float:
    """Return the mean seconds between two requests for a metric that is polled; 0 if none is."""
    polled = [(one.polled_metrics, one.monthly_requests) for one in costs]
    metrics, requests = (sum(column) for column in zip((0, 0.0), *polled, strict=True))
    return metrics * SECONDS_PER_MONTH / requests if requests else 0.0


@dataclass(frozen=True, slots=True)
class MetricUse:
    """The metrics that are read for each service and cell, copied for use in another thread.

    cells: the rows that are polled or streamed, by cell. services: their names. blocks: for the series of
    each block of formulas, the index of the service and the rows, [term, position]. slots: of these series,
    by block. streamed: by row, true if it is streamed. cadence: by row, the planned minutes between two
    requests, a period at least; cadence_if_read: the same without pruning, and cadence_if_active: without
    metrics being idle. bound: by row, that of its aggregate, or NO_BOUND. payers: the cells that are charged
    for what others have, by those. monthly_lists: pages of recently active metrics listed in a month, by
    cell. prices: those that hold now.
    """

    cells: Mapping[CellKey, Ints]
    services: Sequence[str]
    blocks: Sequence[tuple[ServiceNumbers, Ints]]
    slots: Sequence[Ints]
    streamed: Flags
    cadence: Ints
    cadence_if_read: Ints
    cadence_if_active: Ints
    bound: Ints
    payers: Mapping[CellKey, CellKey]
    monthly_lists: Mapping[CellKey, float]
    prices: Prices = LIST_PRICES

    @classmethod
    def of(cls, fleet: Fleet, minute: int, prices: Prices = LIST_PRICES) -> "MetricUse":
        """Copy the present state of a fleet, in the event loop. minute: the current one, since the epoch."""
        rows = np.arange(fleet.rings.size, dtype=np.int32)
        cells, services = {group[:2] for group in fleet.groups}, sorted({group[2] for group in fleet.groups})
        service_of_group = np.array([services.index(group[2]) for group in fleet.groups], np.int64)
        every = (fleet.usages, fleet.upper_bounds, fleet.throttled, fleet.published_limits, fleet.served)
        all_blocks = [block for formulas in every for block in formulas]
        blocks = [(service_of_group[fleet.group[one.series]], one.rows.copy()) for one in all_blocks]
        slots = [block.series.astype(np.int32) for block in all_blocks]
        requested = {cell: _requested(fleet, cell) for cell in cells}
        streamed = fleet.rings.is_streamed(rows, minute)
        rings = fleet.rings
        active = np.where(rings.quiet_since[rows] > NEVER, rings.cadence_if_active[rows], rings.cadence[rows])
        cadence, if_read, if_active = (
            np.maximum(minutes, rings.period[rows]).astype(np.int32)
            for minutes in (rings.intervals(rows), rings.cadence[rows], active)
        )
        bound = rings.bound[rows]
        return cls(
            requested,
            services,
            blocks,
            slots,
            streamed,
            cadence,
            if_read,
            if_active,
            bound,
            dict(fleet.payers),
            dict(fleet.monthly_lists),
            prices,
        )

    @property
    def billed(self) -> Flags:
        """True for the rows of metrics that AWS bills, and not for those of numbers that an API returned."""
        is_billed = np.zeros(self.streamed.size, np.bool_)
        for rows in self.cells.values():
            is_billed[rows] = True
        return is_billed

    def rows_of(self, slots: Ints) -> Mapping[int, list[int]]:
        """The billed rows of series, by slot. Call it in a thread, as it may take long."""
        found, is_billed = defaultdict[int, list[int]](list), self.billed
        for block_slots, (_, rows) in zip(self.slots, self.blocks, strict=True):
            wanted = np.flatnonzero(np.isin(block_slots, slots))
            for term, position in zip(*np.nonzero(is_billed[rows[:, wanted]]), strict=True):
                position_in_block = wanted[position]
                found[int(block_slots[position_in_block])].append(int(rows[term, position_in_block]))
        return found


def _requested(fleet: Fleet, cell: CellKey) -> Ints:
    rows = np.fromiter(fleet.metrics(cell).values(), np.int32)
    return rows[fleet.rings.cadence[rows] < NOT_READ]


def bills(
    use: MetricUse, measured: Mapping[LabelValues, MeasuredCost], interval: float
) -> tuple[Sequence[Bill], Sequence[Bill]]:
    """The bills by service and by cell, each with the highest first.

    measured: by account, region and service. interval: the shortest one between two
    requests for a metric, in seconds. A metric that several
    services read counts in the projection of each service, but only once in the projection of its cell. Call
    it in a thread, as it may take long.
    """
    services = _bills(_project_services(use, interval), _sums(measured, _service_of))
    return services, _with_known_prices(_bills(_project_cells(use, interval), _sums(measured, _cell_of)))


def _with_known_prices(cells: Sequence[Bill]) -> Sequence[Bill]:
    """Mark the cells of accounts of other partitions, which have other prices and currencies.

    Global services have no region that tells the partition; the account's others do.
    """
    located = ((account, region) for account, region in (one.labels for one in cells) if region)
    abroad = {account for account, region in located if partition_of(region).name != COMMERCIAL}
    return [replace(one, is_priced=one.labels[0] not in abroad) for one in cells]


def _bills(
    projected: Mapping[LabelValues, ProjectedCost], measured: Mapping[LabelValues, MeasuredCost]
) -> Sequence[Bill]:
    all_bills = [
        Bill(labels, projected.get(labels, ProjectedCost()), measured.get(labels, MeasuredCost()))
        for labels in {*projected, *measured}
    ]
    return sorted(
        all_bills, key=lambda bill: (-bill.projected.monthly_dollars, -bill.measured.dollars, bill.labels)
    )


def _project_services(use: MetricUse, interval: float) -> Mapping[LabelValues, ProjectedCost]:
    is_billed, by_service = use.billed, _rows_by_service(use)
    projected: dict[LabelValues, ProjectedCost] = {
        (service,): project_rows(use, rows[is_billed[rows]], interval) for service, rows in by_service
    }
    if lists := sum(use.monthly_lists.values()):
        projected[LISTS_SERVICE] = with_lists(
            projected.get(LISTS_SERVICE, ProjectedCost()), lists * use.prices.listing
        )
    return projected


def with_lists(cost: ProjectedCost, dollars: float) -> ProjectedCost:
    """Return a cost with that of the lists of metrics of a month."""
    total, listed = cost.monthly_dollars + dollars, cost.listed_dollars + dollars
    return replace(cost, monthly_dollars=total, listed_dollars=listed)


def _project_cells(use: MetricUse, interval: float) -> Mapping[LabelValues, ProjectedCost]:
    by_payer: dict[CellKey, list[Ints]] = {}
    for cell, rows in use.cells.items():
        by_payer.setdefault(use.payers.get(cell, cell), []).append(rows)
    projected: dict[LabelValues, ProjectedCost] = {
        cell: project_rows(use, np.concatenate(rows), interval) for cell, rows in by_payer.items()
    }
    for cell, lists in use.monthly_lists.items():
        payer = use.payers.get(cell, cell)
        projected[payer] = with_lists(projected.get(payer, ProjectedCost()), lists * use.prices.listing)
    return projected


def project_rows(use: MetricUse, rows: Ints, interval: float) -> ProjectedCost:
    """The monthly cost of the metrics in some rows. interval: seconds between two polls."""
    is_streamed = use.streamed[rows]
    polled, streamed = rows[~is_streamed], int(np.count_nonzero(is_streamed))
    pruned = polled[use.cadence[polled] > use.cadence_if_read[polled]]
    read = project(_by_interval(use.cadence_if_read[pruned], interval), 0, use.prices)
    checked = project(_by_interval(use.cadence[pruned], interval), 0, use.prices)
    idle = polled[use.cadence_if_read[polled] > use.cadence_if_active[polled]]
    if_active = project(_by_interval(use.cadence_if_active[idle], interval), 0, use.prices)
    idle_read = project(_by_interval(use.cadence_if_read[idle], interval), 0, use.prices)
    return replace(
        project(_by_interval(use.cadence[polled], interval), streamed, use.prices),
        pruned_metrics=pruned.size,
        pruned_dollars=read.monthly_dollars - checked.monthly_dollars,
        idle_metrics=idle.size,
        idle_dollars=if_active.monthly_dollars - idle_read.monthly_dollars,
    )


def _by_interval(minutes: Ints, interval: float) -> Counter[float]:
    """Count metrics by the seconds between two requests."""
    counted = Counter[float]()
    for cadence, metrics in Counter[int](minutes.tolist()).items():
        counted[max(interval, cadence * 60)] += metrics
    return counted


def _rows_by_service(use: MetricUse) -> Iterator[tuple[str, Ints]]:
    """The rings' rows that the series of each service use, and those of their aggregates, each once."""
    pairs = [(numbers << 32 | rows).ravel() for numbers, rows in use.blocks]
    pairs += [
        (np.broadcast_to(numbers, rows.shape) << 32 | use.bound[rows])[use.bound[rows] != NO_BOUND]
        for numbers, rows in use.blocks
    ]
    distinct = np.unique(np.concatenate([np.empty(0, np.int64), *pairs]))
    for number, service in enumerate(use.services):
        yield service, (distinct[distinct >> 32 == number] & (2**32 - 1)).astype(np.int32)


def _service_of(labels: LabelValues) -> LabelValues:
    """The service; empty for updates that no series uses."""
    return labels[2:] if all(labels) else ("",)


def _cell_of(labels: LabelValues) -> LabelValues:
    """The account and the region; empty for updates that no series uses."""
    return labels[:2] if all(labels) else ("", "")


def _sums(
    measured: Mapping[LabelValues, MeasuredCost], group_of: Callable[[LabelValues], LabelValues]
) -> Mapping[LabelValues, MeasuredCost]:
    sums: dict[LabelValues, MeasuredCost] = {}
    for labels, cost in measured.items():
        group = group_of(labels)
        sums[group] = sums.get(group, MeasuredCost()) + cost
    return sums
