"""Writes decoded points to the fleet's rings, on the event loop, in slices that do not block it for long."""

import asyncio

import numpy as np

from monitor.aws.links import account_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey, CellService
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.discovery import Discovery
from monitor.stream.early_points import MAX_EARLY_POINTS, EarlyPoints, NamedPoints
from monitor.stream.implied_zeros import ImpliedZeros
from monitor.stream.interner import NameInterner
from monitor.stream.points import Points
from monitor.stream.row_index import NO_ROW, CellMetric, RowIndex
from monitor.stream.telemetry import UNMONITORED_CELL, StreamTelemetry
from rules.arrays import Flags, Float64s, Int64s, Ints, distinct_values

SLICE_POINTS = 2500  # points written at once; takes some 20 ms if all names are new, 1 ms if all are known
MS_PER_MINUTE = 60_000
MAX_CLOCK_SKEW = 5 * MS_PER_MINUTE  # milliseconds; points further ahead of the clock are dropped
INVENTORY_REQUEST_INTERVAL = 60.0  # seconds between two requests for an inventory of a service in a cell


class FleetWriter:
    """Writes points to a fleet. Points of unknown resources wait while a first inventory may discover these.

    metrics: the metrics that are decoded.
    """

    def __init__(
        self,
        fleet: Fleet,
        metrics: DeclaredMetrics,
        telemetry: StreamTelemetry,
        discovery: Discovery,
        max_early_points: int = MAX_EARLY_POINTS,
    ) -> None:
        self._fleet, self._telemetry, self._discovery = fleet, telemetry, discovery
        self.metrics = metrics
        self._index = RowIndex(fleet, metrics, NameInterner())
        self._zeros = ImpliedZeros(fleet, metrics)
        self._requested: dict[CellService, float] = {}  # time of the last request, epoch seconds
        self._early = EarlyPoints(discovery.may_discover, max_early_points)
        self._lock = asyncio.Lock()

    async def write(self, points: Points, names: NameInterner, now: float, sender: str = "") -> None:
        """Write all points; the last point of a minute wins. now: epoch seconds.

        sender: the ARN of the delivery stream; its account also pays for the updates of linked accounts.
        Raises ByteBudgetExceededError when too many points wait for an inventory.
        """
        await self.write_early(now)
        async with self._lock:
            await self._write_part(NamedPoints(names, *points.columns()), now)
            self._count_updates(self._index_of(names), points.columns()[0], account_of(sender))

    async def write_early(self, now: float) -> None:
        """Write the points that wait for an inventory, if one of these inventories has ended."""
        async with self._lock:
            if self._early.is_ready:
                for part in self._early.take_all():
                    await self._write_part(part, now)

    def _index_of(self, names: NameInterner) -> RowIndex:
        if self._index.names is not names:
            self._index = RowIndex(self._fleet, self.metrics, names)
        return self._index

    async def _write_part(self, part: NamedPoints, now: float) -> None:
        index = self._index_of(part.names)
        for start in range(0, part.name_numbers.size, SLICE_POINTS):
            chunk = slice(start, start + SLICE_POINTS)
            self._write_slice(index, part.name_numbers[chunk], part.times[chunk], part.values[:, chunk], now)
            await asyncio.sleep(0)

    def _count_updates(self, index: RowIndex, name_numbers: Int64s, sender_account: str) -> None:
        """Count billed updates by the service that owns the metric."""
        updates = np.bincount(index.owner[name_numbers])
        for owner in np.flatnonzero(updates).tolist():
            cell, service = index.owners[owner]
            payer_cell = self._fleet.payer_of(cell)
            # The account of the delivery stream pays for its linked accounts; any other account for itself.
            billed_cell = payer_cell if payer_cell[0] == sender_account else cell
            account, region = billed_cell if self._fleet.metrics(cell) else UNMONITORED_CELL
            self._telemetry.count_updates(account, region, service, int(updates[owner]))

    def _write_slice(
        self, index: RowIndex, name_numbers: Int64s, times: Int64s, values: Float64s, now: float
    ) -> None:
        unknown_numbers = index.refresh(name_numbers)
        early = self._hold_early(NamedPoints(index.names, name_numbers, times, values), unknown_numbers)
        if early.any():
            name_numbers, times, values = name_numbers[~early], times[~early], values[:, ~early]
        self._request_inventories(index, unknown_numbers[np.isin(unknown_numbers, name_numbers)], now)
        late = times // MS_PER_MINUTE <= now // 60 - WINDOW
        future = times > now * 1000 + MAX_CLOCK_SKEW
        has_series = (index.row[name_numbers] != NO_ROW).any(axis=1)
        timely = ~(late | future)
        self._count(late=late, future=future, unknown=timely & ~has_series)
        minutes = np.where(timely, times // MS_PER_MINUTE, NEVER).astype(np.int32)
        usable = timely & has_series
        self._write_rows(index, name_numbers[usable], minutes[usable], values[:, usable], int(now // 60))
        self._zeros.observe(_newest_minutes(index, name_numbers[timely], minutes[timely]), int(now // 60))
        metrics = distinct_values(index.metric[name_numbers[usable]]).tolist()
        for cell in {index.metrics[metric].cell for metric in metrics}:
            self._telemetry.newest_delivery.labels(*cell).set(now)

    def _hold_early(self, part: NamedPoints, unknown_numbers: Int64s) -> Flags:
        """Hold points whose resources an inventory may still discover; return a mask of these points."""
        early_numbers, inventories = list[int](), set[CellService]()
        for number in unknown_numbers.tolist():
            name = part.names.by_number[number]
            services = self.metrics.reading_services(name)
            if discovering := {
                (cell, service) for cell, service in services if self._early.may_discover(cell, service)
            }:
                early_numbers.append(number)
                inventories |= discovering
        held: Flags = np.isin(part.name_numbers, early_numbers)
        if early_numbers:
            name_numbers, times, values = part.name_numbers[held], part.times[held], part.values[:, held]
            self._early.add(NamedPoints(part.names, name_numbers, times, values), inventories)
        return held

    def _write_rows(
        self, index: RowIndex, name_numbers: Int64s, minutes: Ints, values: Float64s, present_minute: int
    ) -> None:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            statistic_names = self.metrics.decoded_statistics
            average = values[statistic_names.index("sum")] / values[statistic_names.index("count")]
            statistics = np.vstack([values, average])
            for column in range(index.row.shape[1]):  # the n-th declared statistic of each metric
                has_row = index.row[name_numbers, column] != NO_ROW
                row_numbers = name_numbers[has_row]
                factors = index.conversion[row_numbers, column]
                statistic = index.statistic[row_numbers, column]
                converted = statistics[statistic, np.flatnonzero(has_row)] * factors
                samples = converted.astype(np.float32)  # infinite where too large
                rows = index.row[row_numbers, column]
                self._fleet.rings.write_streamed(rows, minutes[has_row], samples, present_minute)
                wrong_unit, written = np.isnan(factors), np.isfinite(samples)
                self._count(unit=wrong_unit, missing=~(wrong_unit | written), written=written)

    def _request_inventories(self, index: RowIndex, unknown_numbers: Int64s, now: float) -> None:
        """Request an inventory for each name of an unknown resource: once, and at a limited rate."""
        for number in unknown_numbers[~index.inventory_requested[unknown_numbers]].tolist():
            services = self.metrics.reading_services(index.names.by_number[number])
            # A cell without metrics is not monitored, or nothing was found in it yet.
            in_use = [(cell, service) for cell, service in services if self._fleet.metrics(cell)]
            requested = [self._request(cell, service, now) for cell, service in in_use]
            if in_use:
                index.inventory_requested[number] = any(requested)

    def _request(self, cell: CellKey, service: str, now: float) -> bool:
        """Request an inventory unless one was requested recently; return whether one is requested now."""
        last = self._requested.get((cell, service), 0.0)
        if now - last < INVENTORY_REQUEST_INTERVAL:
            return last == now  # requested already, for another name of this delivery
        self._requested[cell, service] = now
        self._discovery.request_inventory(cell, service)
        return True

    def _count(self, **outcomes: Flags) -> None:
        for outcome, points in outcomes.items():
            self._telemetry.count_points(outcome, int(np.count_nonzero(points)))


def _newest_minutes(index: RowIndex, name_numbers: Int64s, minutes: Ints) -> dict[CellMetric, int]:
    """Return the newest minute of each metric."""
    metrics, metric_of_point = np.unique(index.metric[name_numbers], return_inverse=True)
    newest = np.full(metrics.size, NEVER, np.int32)
    np.maximum.at(newest, metric_of_point, minutes)
    return {
        index.metrics[metric]: minute
        for metric, minute in zip(metrics.tolist(), newest.tolist(), strict=True)
    }
