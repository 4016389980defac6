"""The cost of monitoring, by service and by cell: measured so far, and projected for a month."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, SECONDS_PER_MONTH, AccountPrices, Prices
from monitor.cost.telemetry import LabelValues, MeasuredCost
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from rules.arrays import Flags, Ints, distinct_values

LISTS_SERVICE = ("cloudwatch",)  # the labels of the bill for lists of metrics
ServiceNumbers = npt.NDArray[np.int64]  # indices of names in `MetricUse.services`


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedCost:
    """The numbers of metrics that are polled and streamed now, and their monthly cost in US dollars.

    monthly_metrics_requested: the requested metrics. monthly_updates: the updates of streamed metrics.
    monthly_lists: the pages of lists of recently active metrics. These three are numbers in a month.
    monthly_dollars: 0 if the prices are unknown or in another currency. pruned_metrics: the polled metrics
    that are only checked now and then, as an aggregate proves that they are 0. pruned_dollars: how much more
    a month would cost if pruned metrics were polled as often as others. idle_metrics: the metrics that are
    polled less often, as they have no points. idle_dollars: how much more a month would cost if idle metrics
    were polled as often as others. listed_dollars: the part of monthly_dollars for lists, which show whether
    idle metrics have points again.
    """

    polled_metrics: int = 0
    streamed_metrics: int = 0
    monthly_metrics_requested: float = 0.0
    monthly_updates: float = 0.0
    monthly_lists: float = 0.0
    monthly_dollars: float = 0.0
    pruned_metrics: int = 0
    pruned_dollars: float = 0.0
    idle_metrics: int = 0
    idle_dollars: float = 0.0
    listed_dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of one service, or of one cell.

    labels: the service, or the account's id and the region. They are empty in the bill of streamed updates
    that no series uses. prices: the account's prices; None if they are unknown. The bill of a service leaves
    out accounts that are not billed in dollars.
    """

    labels: LabelValues
    projected: ProjectedCost
    measured: MeasuredCost
    prices: Prices | None = LIST_PRICES

    @property
    def is_in_dollars(self) -> bool:
        """True if the amounts are in US dollars, and can be added to those of other bills."""
        return self.prices is not None and self.prices.is_in_dollars

    @property
    def currency(self) -> str:
        """The currency of the amounts; empty if no price is known."""
        return self.prices.currency if self.prices else ""

    @property
    def monthly_amount(self) -> float | None:
        """The projected amount of a month, in the currency; None if a price is unknown."""
        if self.is_in_dollars:
            return self.projected.monthly_dollars
        cost = self.projected
        return self._amount(cost.monthly_metrics_requested, cost.monthly_lists, cost.monthly_updates)

    @property
    def measured_amount(self) -> float | None:
        """The measured amount, in the currency; None if a price is unknown."""
        if self.is_in_dollars:
            return self.measured.dollars
        return self._amount(self.measured.requested, self.measured.listings, self.measured.updates)

    def monthly_amount_at(self, now: float) -> float | None:
        """Return the amount of a month at the measured rate: see `MeasuredCost.monthly_dollars_at`."""
        amount, seconds = self.measured_amount, self.measured.measured_seconds(now)
        return None if amount is None or seconds is None else amount / seconds * SECONDS_PER_MONTH

    def _amount(self, metrics: float, listings: float, updates: float) -> float | None:
        return self.prices.amount(metrics, listings, updates) if self.prices else None


def project(polled: Counter[float], streamed: int, prices: Prices | None = LIST_PRICES) -> ProjectedCost:
    """Return the monthly cost of metrics.

    polled: the number of polled metrics by the seconds between two requests. streamed: the number of streamed
    metrics.
    """
    requests = sum(metrics * SECONDS_PER_MONTH / interval for interval, metrics in polled.items())
    updates = streamed * SECONDS_PER_MONTH / 60
    dollars = prices.amount(metrics=requests, updates=updates) if prices and prices.is_in_dollars else None
    return ProjectedCost(
        polled_metrics=polled.total(),
        streamed_metrics=streamed,
        monthly_metrics_requested=requests,
        monthly_updates=updates,
        monthly_dollars=dollars or 0.0,
    )


def mean_interval(costs: Iterable[ProjectedCost]) -> float:
    """Return the mean seconds between two requests for a polled metric; 0 if no metric is polled."""
    total = sum_of(costs)
    requests = total.monthly_metrics_requested
    return total.polled_metrics * SECONDS_PER_MONTH / requests if requests else 0.0


@dataclass(frozen=True, slots=True)
class MetricUse:
    """The metrics that are read for each service and cell, copied for use in another thread.

    Rows are the rows of metrics in `Fleet.rings`.

    cells: by cell, the rows of the metrics that are polled or streamed. services: the names of the services.
    blocks: for each block of formulas, the index of the service of each series, and the rows of the metrics
    in the series' formulas, as [term, position of the series]. slots: for each block, the slots of its
    series. streamed: by row, true if the metric is streamed. cadence: by row, the planned minutes between two
    requests, at least one period. cadence_if_not_pruned: the cadence without pruning. cadence_if_active: the
    cadence without pruning, and if no metric were idle. bound: by row, the row of the aggregate that bounds
    the metric, or NO_BOUND. payers: by cell, the other cell that pays for its metrics, if any. monthly_lists:
    by cell, the pages of lists of recently active metrics in a month. prices: the prices that accounts pay
    now.
    """

    cells: Mapping[CellKey, Ints]
    services: Sequence[str]
    blocks: Sequence[tuple[ServiceNumbers, Ints]]
    slots: Sequence[Ints]
    streamed: Flags
    cadence: Ints
    cadence_if_not_pruned: Ints
    cadence_if_active: Ints
    bound: Ints
    payers: Mapping[CellKey, CellKey]
    monthly_lists: Mapping[CellKey, float]
    prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS

    @classmethod
    def of(cls, fleet: Fleet, minute: int, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS) -> "MetricUse":
        """Copy the present state of a fleet, in the event loop. minute: now, in minutes since the epoch."""
        cells = {(account, region) for account, region, _, _ in fleet.groups}
        services = sorted({service for _, _, service, _ in fleet.groups})
        numbers_of_groups = [services.index(service) for _, _, service, _ in fleet.groups]
        service_of_group = np.array(numbers_of_groups, np.int64)
        formula_sets = (
            fleet.usages,
            fleet.upper_bounds,
            fleet.throttled,
            fleet.published_limits,
            fleet.served,
        )
        all_blocks = [block for formulas in formula_sets for block in formulas]
        blocks = [(service_of_group[fleet.group[block.slots]], block.rows.copy()) for block in all_blocks]
        slots = [block.slots.astype(np.int32) for block in all_blocks]
        rings = fleet.rings
        rows = np.arange(rings.size, dtype=np.int32)
        active = np.where(rings.idle_since[rows] > NEVER, rings.cadence_if_active[rows], rings.cadence[rows])
        cadence, cadence_if_not_pruned, cadence_if_active = (
            np.maximum(minutes, rings.period[rows]).astype(np.int32)
            for minutes in (rings.intervals(rows), rings.cadence[rows], active)
        )
        return cls(
            cells={cell: _rows_read(fleet, cell) for cell in cells},
            services=services,
            blocks=blocks,
            slots=slots,
            streamed=rings.is_streamed(rows, minute),
            cadence=cadence,
            cadence_if_not_pruned=cadence_if_not_pruned,
            cadence_if_active=cadence_if_active,
            bound=rings.bound[rows],
            payers=dict(fleet.payers),
            monthly_lists=dict(fleet.monthly_lists),
            prices=prices,
        )

    def payer_of(self, cell: CellKey) -> str:
        """Return the account that pays for the metrics of a cell."""
        return self.payers.get(cell, cell)[0]

    def rows_by_prices(self) -> Mapping[Prices, Flags]:
        """Return for each price list in dollars a mask of the rows of the metrics that it bills."""
        flags_by_prices: dict[Prices, Flags] = {}
        for cell, rows in self.cells.items():
            if prices := self.prices.in_dollars(self.payer_of(cell)):
                flags_by_prices.setdefault(prices, np.zeros(self.streamed.size, np.bool_))[rows] = True
        return flags_by_prices

    @property
    def billed(self) -> Flags:
        """True for the rows of metrics that AWS bills; false for the rows of numbers that an API returned."""
        is_billed = np.zeros(self.streamed.size, np.bool_)
        for rows in self.cells.values():
            is_billed[rows] = True
        return is_billed

    def rows_of(self, slots: Ints) -> Mapping[int, list[int]]:
        """Return the billed rows of series, by slot. Call this method in a thread, as it may take long."""
        rows_by_slot, is_billed = defaultdict[int, list[int]](list), self.billed
        for block_slots, (_, rows) in zip(self.slots, self.blocks, strict=True):
            positions = np.flatnonzero(np.isin(block_slots, slots))
            for term, index in zip(*np.nonzero(is_billed[rows[:, positions]]), strict=True):
                position = positions[index]
                rows_by_slot[int(block_slots[position])].append(int(rows[term, position]))
        return rows_by_slot


def _rows_read(fleet: Fleet, cell: CellKey) -> Ints:
    """Return the rows of the metrics of a cell that are polled or streamed."""
    rows = np.fromiter(fleet.metrics(cell).values(), np.int32)
    return rows[fleet.rings.cadence[rows] < NOT_READ]


def bills(
    use: MetricUse, measured: Mapping[LabelValues, MeasuredCost], interval: float
) -> tuple[Sequence[Bill], Sequence[Bill]]:
    """Return the bills of services and the bills of cells, the highest bills first.

    measured: the cost by account, region and service. interval: the shortest interval between two requests
    for a metric, in seconds. A metric that several services read counts in the projection of each service,
    but only once in the projection of its cell. Call this function in a thread, as it may take long.
    """
    prices = use.prices
    in_dollars = {labels: cost for labels, cost in measured.items() if prices.in_dollars(labels[0])}
    services = _bills(_project_services(use, interval), _sums(in_dollars, _service_of))
    cells = _bills(_project_cells(use, interval), _sums(measured, _cell_of))
    return services, [replace(bill, prices=prices.of(bill.labels[0])) for bill in cells]


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
    """Project the cost of services, without those that are billed only in other currencies than dollars."""
    is_billed, flags_by_prices = use.billed, use.rows_by_prices()
    projected: dict[LabelValues, ProjectedCost] = {}
    for service, rows in _rows_by_service(use):
        paid_rows = {
            prices: rows[flags[rows]] for prices, flags in flags_by_prices.items() if flags[rows].any()
        }
        if paid_rows or not is_billed[rows].any():
            costs = (project_rows(use, paid, interval, prices) for prices, paid in paid_rows.items())
            projected[(service,)] = sum_of(costs)
    for cell, pages in use.monthly_lists.items():
        if prices := use.prices.in_dollars(use.payer_of(cell)):
            without_pages = projected.get(LISTS_SERVICE, ProjectedCost())
            projected[LISTS_SERVICE] = with_lists(without_pages, pages, prices)
    return projected


def with_lists(cost: ProjectedCost, pages: float, prices: Prices | None) -> ProjectedCost:
    """Return a cost plus the cost of lists of metrics.

    pages: the listed pages in a month. prices: the prices of the account that pays.
    """
    amount = prices.amount(listings=pages) if prices and prices.is_in_dollars else None
    dollars = amount or 0.0
    return replace(
        cost,
        monthly_lists=cost.monthly_lists + pages,
        monthly_dollars=cost.monthly_dollars + dollars,
        listed_dollars=cost.listed_dollars + dollars,
    )


def _project_cells(use: MetricUse, interval: float) -> Mapping[LabelValues, ProjectedCost]:
    rows_by_payer: dict[CellKey, list[Ints]] = {}
    for cell, rows in use.cells.items():
        rows_by_payer.setdefault(use.payers.get(cell, cell), []).append(rows)
    projected: dict[LabelValues, ProjectedCost] = {
        cell: project_rows(use, np.concatenate(rows), interval, use.prices.of(cell[0]))
        for cell, rows in rows_by_payer.items()
    }
    for cell, pages in use.monthly_lists.items():
        payer = use.payers.get(cell, cell)
        without_pages = projected.get(payer, ProjectedCost())
        projected[payer] = with_lists(without_pages, pages, use.prices.of(payer[0]))
    return projected


def sum_of(costs: Iterable[ProjectedCost]) -> ProjectedCost:
    """Return the sum of some costs."""
    summands = [*costs]
    return ProjectedCost(
        **{field.name: sum(getattr(cost, field.name) for cost in summands) for field in fields(ProjectedCost)}
    )


def project_rows(use: MetricUse, rows: Ints, interval: float, prices: Prices | None) -> ProjectedCost:
    """Return the monthly cost of the metrics in some rows.

    interval: the shortest interval between two requests for a metric, in seconds. prices: the prices of the
    account that pays.
    """
    is_streamed = use.streamed[rows]
    polled, streamed = rows[~is_streamed], int(np.count_nonzero(is_streamed))
    pruned = polled[use.cadence[polled] > use.cadence_if_not_pruned[polled]]
    pruned_if_read = project(_by_interval(use.cadence_if_not_pruned[pruned], interval), 0, prices)
    pruned_as_checked = project(_by_interval(use.cadence[pruned], interval), 0, prices)
    idle = polled[use.cadence_if_not_pruned[polled] > use.cadence_if_active[polled]]
    idle_if_active = project(_by_interval(use.cadence_if_active[idle], interval), 0, prices)
    idle_as_read = project(_by_interval(use.cadence_if_not_pruned[idle], interval), 0, prices)
    return replace(
        project(_by_interval(use.cadence[polled], interval), streamed, prices),
        pruned_metrics=pruned.size,
        pruned_dollars=pruned_if_read.monthly_dollars - pruned_as_checked.monthly_dollars,
        idle_metrics=idle.size,
        idle_dollars=idle_if_active.monthly_dollars - idle_as_read.monthly_dollars,
    )


def _by_interval(minutes: Ints, interval: float) -> Counter[float]:
    """Count metrics by the seconds between two requests."""
    counted = Counter[float]()
    for cadence, metrics in Counter[int](minutes.tolist()).items():
        counted[max(interval, cadence * 60)] += metrics
    return counted


def _rows_by_service(use: MetricUse) -> Iterator[tuple[str, Ints]]:
    """Yield each service with the distinct rows of its series and of their aggregates."""
    # Pairs of a service's index and a row, each as one number: the index is in its upper 32 bits.
    pairs = [(numbers << 32 | rows).ravel() for numbers, rows in use.blocks]
    pairs += [
        (np.broadcast_to(numbers, rows.shape) << 32 | use.bound[rows])[use.bound[rows] != NO_BOUND]
        for numbers, rows in use.blocks
    ]
    distinct = distinct_values(np.concatenate([np.empty(0, np.int64), *pairs]))
    for number, service in enumerate(use.services):
        yield service, (distinct[distinct >> 32 == number] & (2**32 - 1)).astype(np.int32)


def _service_of(labels: LabelValues) -> LabelValues:
    """Return the label of the service; empty for updates that no series uses."""
    return labels[2:] if all(labels) else ("",)


def _cell_of(labels: LabelValues) -> LabelValues:
    """Return the labels of the account and the region; empty for updates that no series uses."""
    return labels[:2] if all(labels) else ("", "")


def _sums(
    measured: Mapping[LabelValues, MeasuredCost], group_of: Callable[[LabelValues], LabelValues]
) -> Mapping[LabelValues, MeasuredCost]:
    sums: dict[LabelValues, MeasuredCost] = {}
    for labels, cost in measured.items():
        group = group_of(labels)
        sums[group] = sums.get(group, MeasuredCost()) + cost
    return sums
