"""The cost of monitoring, by service and by cell: measured so far, and projected for a month."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, SECONDS_PER_MONTH, AccountPrices, Prices
from monitor.cost.telemetry import LabelValues, MeasuredCost
from monitor.fleet.columns import Flags, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ

LISTS_SERVICE = ("cloudwatch",)  # the labels of the bill that has the cost of lists of metrics
ServiceNumbers = npt.NDArray[np.int64]  # indices of `MetricUse.services`


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedCost:
    """The numbers of metrics polled and streamed now, and their cost in a month in US dollars.

    monthly_requests: how often metrics are requested in a month, all together. monthly_updates: of metrics
    streamed. monthly_lists: pages of recently active metrics that are listed. monthly_dollars: 0 where the
    prices are in another currency, or not known. pruned_metrics: those polled that are only checked now and
    then, as an aggregate proves that they are 0. pruned_dollars: what they would cost more in a month if they
    were read. idle_metrics: those polled more rarely, as they have no points; idle_dollars: what they would
    cost more otherwise. listed_dollars: of the monthly dollars, what the lists cost that tell which of them
    have points again.
    """

    polled_metrics: int = 0
    streamed_metrics: int = 0
    monthly_requests: float = 0.0
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

    labels: the service; or the account's id and the region. All labels are empty for streamed updates
    that no series uses. prices: those of the account; None where they are not known. The bill of a service is
    without accounts that are not billed in dollars.
    """

    labels: LabelValues
    projected: ProjectedCost
    measured: MeasuredCost
    prices: Prices | None = LIST_PRICES

    @property
    def is_in_dollars(self) -> bool:
        """True if it can be added up with others."""
        return self.prices is not None and self.prices.is_in_dollars

    @property
    def currency(self) -> str:
        """The currency of its amounts; empty where no price is known."""
        return self.prices.currency if self.prices else ""

    @property
    def monthly_amount(self) -> float | None:
        """The amount that is projected for a month, in the currency; None where a price is not known."""
        if self.is_in_dollars:
            return self.projected.monthly_dollars
        plan = self.projected
        return self._amount(plan.monthly_requests, plan.monthly_lists, plan.monthly_updates)

    @property
    def measured_amount(self) -> float | None:
        """The amount that was measured, in the currency; None where a price is not known."""
        if self.is_in_dollars:
            return self.measured.dollars
        return self._amount(self.measured.requested, self.measured.listings, self.measured.updates)

    def monthly_amount_at(self, now: float) -> float | None:
        """The amount of a month at the rate until now, as of `MeasuredCost.monthly_dollars_at`."""
        amount, watched = self.measured_amount, self.measured.watched(now)
        return None if amount is None or watched is None else amount / watched * SECONDS_PER_MONTH

    def _amount(self, metrics: float, listings: float, updates: float) -> float | None:
        return self.prices.amount(metrics, listings, updates) if self.prices else None


def project(polled: Counter[float], streamed: int, prices: Prices | None = LIST_PRICES) -> ProjectedCost:
    """The monthly cost of metrics, those polled by the seconds between two requests, and `streamed` ones."""
    requests = sum(metrics * SECONDS_PER_MONTH / interval for interval, metrics in polled.items())
    updates = streamed * SECONDS_PER_MONTH / 60
    dollars = prices.amount(metrics=requests, updates=updates) if prices and prices.is_in_dollars else None
    return ProjectedCost(
        polled_metrics=polled.total(),
        streamed_metrics=streamed,
        monthly_requests=requests,
        monthly_updates=updates,
        monthly_dollars=dollars or 0.0,
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
    metrics being idle. bound: by row, that of its aggregate, or NO_BOUND. payers: the cell that
    pays for the metrics of another cell, by that other one. monthly_lists: pages of recently active metrics
    listed in a month, by cell. prices: those that accounts pay now.
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
    prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS

    @classmethod
    def of(cls, fleet: Fleet, minute: int, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS) -> "MetricUse":
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

    def payer_of(self, cell: CellKey) -> str:
        """The account that pays for the metrics of a cell."""
        return self.payers.get(cell, cell)[0]

    def rows_by_prices(self) -> Mapping[Prices, Flags]:
        """The rows of billed metrics by the prices that are paid for them, those in dollars alone."""
        found: dict[Prices, Flags] = {}
        for cell, rows in self.cells.items():
            if prices := self.prices.in_dollars(self.payer_of(cell)):
                found.setdefault(prices, np.zeros(self.streamed.size, np.bool_))[rows] = True
        return found

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
    payers = use.prices
    in_dollars = {labels: cost for labels, cost in measured.items() if payers.in_dollars(labels[0])}
    services = _bills(_project_services(use, interval), _sums(in_dollars, _service_of))
    cells = _bills(_project_cells(use, interval), _sums(measured, _cell_of))
    return services, [replace(one, prices=payers.of(one.labels[0])) for one in cells]


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
    """Project the services of which something is billed in dollars, or nothing is billed."""
    is_billed, groups = use.billed, use.rows_by_prices()
    projected: dict[LabelValues, ProjectedCost] = {}
    for service, rows in _rows_by_service(use):
        paid = {prices: rows[flags[rows]] for prices, flags in groups.items() if flags[rows].any()}
        if paid or not is_billed[rows].any():
            costs = (project_rows(use, some, interval, prices) for prices, some in paid.items())
            projected[service,] = sum_of(costs)
    for cell, lists in use.monthly_lists.items():
        if prices := use.prices.in_dollars(use.payer_of(cell)):
            before = projected.get(LISTS_SERVICE, ProjectedCost())
            projected[LISTS_SERVICE] = with_lists(before, lists, prices)
    return projected


def with_lists(cost: ProjectedCost, lists: float, prices: Prices | None) -> ProjectedCost:
    """Return a cost with that of the lists of metrics of a month. prices: of the account that pays."""
    is_priced = prices is not None and prices.is_in_dollars
    dollars = (prices.amount(listings=lists) if prices and is_priced else None) or 0.0
    return replace(
        cost,
        monthly_lists=cost.monthly_lists + lists,
        monthly_dollars=cost.monthly_dollars + dollars,
        listed_dollars=cost.listed_dollars + dollars,
    )


def _project_cells(use: MetricUse, interval: float) -> Mapping[LabelValues, ProjectedCost]:
    by_payer: dict[CellKey, list[Ints]] = {}
    for cell, rows in use.cells.items():
        by_payer.setdefault(use.payers.get(cell, cell), []).append(rows)
    projected: dict[LabelValues, ProjectedCost] = {
        cell: project_rows(use, np.concatenate(rows), interval, use.prices.of(cell[0]))
        for cell, rows in by_payer.items()
    }
    for cell, lists in use.monthly_lists.items():
        payer = use.payers.get(cell, cell)
        before = projected.get(payer, ProjectedCost())
        projected[payer] = with_lists(before, lists, use.prices.of(payer[0]))
    return projected


def sum_of(costs: Iterable[ProjectedCost]) -> ProjectedCost:
    """Return the sum of some costs."""
    every = [*costs]
    return ProjectedCost(
        **{one.name: sum(getattr(cost, one.name) for cost in every) for one in fields(ProjectedCost)}
    )


def project_rows(use: MetricUse, rows: Ints, interval: float, prices: Prices | None) -> ProjectedCost:
    """The monthly cost of the metrics in some rows. interval: seconds between two polls.

    prices: of the account that pays.
    """
    is_streamed = use.streamed[rows]
    polled, streamed = rows[~is_streamed], int(np.count_nonzero(is_streamed))
    pruned = polled[use.cadence[polled] > use.cadence_if_read[polled]]
    read = project(_by_interval(use.cadence_if_read[pruned], interval), 0, prices)
    checked = project(_by_interval(use.cadence[pruned], interval), 0, prices)
    idle = polled[use.cadence_if_read[polled] > use.cadence_if_active[polled]]
    if_active = project(_by_interval(use.cadence_if_active[idle], interval), 0, prices)
    idle_read = project(_by_interval(use.cadence_if_read[idle], interval), 0, prices)
    return replace(
        project(_by_interval(use.cadence[polled], interval), streamed, prices),
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
