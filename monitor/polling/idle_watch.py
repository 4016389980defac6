"""Watches the idle metrics of a cell: lists which metrics of their namespaces had points recently.

AWS bills each page of 500 metrics of a list. A list is requested only if it costs less than the requests for
idle metrics that it saves.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import compress
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import orjson

from collectors.listed_metrics import RECENTLY_ACTIVE
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, failure_from
from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH, Prices
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import without_abbreviations
from monitor.fleet.namespaces import NEVER
from monitor.planning.idling import requests_saved
from monitor.planning.planner import Planner
from monitor.polling.metric_services import MetricServices
from rules.arrays import Ints

OPERATION = "ListMetrics"
MAX_LIST_PAGES = 100  # pages of one list: 50,000 metrics
LONG_LIST_INTERVAL = 360  # minutes until a list that had too many pages is requested again
YIELD_EVERY = 500  # metrics to process before yielding to other tasks


class ListedName(NamedTuple):
    """The identity of a metric in ListMetrics. dimensions: pairs of name and value, sorted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


class Listing(NamedTuple):
    """A list of the metrics of a namespace in a region. region: empty for the region of the cell."""

    region: str
    namespace: str


@dataclass(slots=True)
class IdleMetrics:
    """The idle metrics that one list may contain. queries: by metric, pairs of query and row in the rings."""

    queries: dict[ListedName, list[tuple[bytes, int]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def rows(self) -> Ints:
        """The rows of the metrics in the rings."""
        return np.array([row for pairs in self.queries.values() for _, row in pairs], np.int32)

    @property
    def filters(self) -> Mapping[str, str]:
        """The parameter of ListMetrics that filters by name, if all the metrics have the same name."""
        names = {metric.name for metric in self.queries}
        return {"MetricName": names.pop()} if len(names) == 1 else {}


@dataclass(eq=False)
class IdleWatch:
    """Lists the metrics of one cell that had points recently, and has the idle ones among them read at once.

    prices: of requested metrics and of list pages. on_wake: called when a metric is to be read at once.
    pages: how many pages the last `update` read.
    """

    cell: Cell
    fleet: Fleet
    metric_services: MetricServices
    planner: Planner
    prices: Prices = LIST_PRICES
    on_wake: Callable[[], None] = lambda: None
    pages: int = field(default=0, init=False)
    # By list that had too many pages, the minute from which it may be requested again.
    _skipped_until: dict[Listing, int] = field(default_factory=dict, init=False)

    @property
    def list_interval(self) -> int:
        """The minutes between two requests for a list.

        They are also the maximum between two requests for a metric that is not idle.
        """
        return max(self.planner.longest, 1)

    async def update(self, now: int) -> Sequence[Failure]:
        """Request each list that costs less than it saves; return the failures, without duplicates."""
        failures: dict[Failure, None] = {}
        self.pages = 0
        for listing, idle in (await self._idle_metrics(now)).items():
            if self._skipped_until.get(listing, NEVER) > now:
                continue
            try:
                self.pages += await self._update_list(listing, idle, now)
            except Exception as error:  # an error of AWS, or an unexpected response
                failures[failure_from(error, OPERATION)] = None
        self.fleet.monthly_lists[self.cell.key] = self.pages * MINUTES_PER_MONTH / self.list_interval
        return tuple(failures)

    async def _idle_metrics(self, now: int) -> Mapping[Listing, IdleMetrics]:
        """Return the metrics that are idle and not streamed, by the list that would contain them."""
        rings, metrics = self.fleet.rings, self.fleet.metrics(self.cell.key)
        rows = np.fromiter(metrics.values(), np.int32, len(metrics))
        is_idle = (rings.idle_since[rows] > NEVER) & ~rings.is_streamed(rows, now)
        row_by_idle_query = dict(compress(metrics.items(), is_idle.tolist()))
        idle_by_list = defaultdict[Listing, IdleMetrics](IdleMetrics)
        for region, rows_in_region in self.metric_services.by_region(row_by_idle_query).items():
            for number, (query, row) in enumerate(rows_in_region.items(), 1):
                name = _name(orjson.loads(without_abbreviations(query))["Metric"])
                idle_by_list[Listing(region, name.namespace)].queries[name].append((query, row))
                if number % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        return idle_by_list

    async def _update_list(self, listing: Listing, idle: IdleMetrics, now: int) -> int:
        """Request a list, record which idle metrics it contains, and return how many pages were requested."""
        saved_requests = requests_saved(self.fleet.rings.cadence_if_active[idle.rows], self.list_interval)
        max_pages = self._max_pages(saved_requests)
        if max_pages <= 0:
            return 0
        # The budget reserves the price of a metric for each page.
        async with self.cell.grant_metrics(max_pages) as granted:
            pages, active = await self._list(listing, idle, granted) if granted else (0, None)
        if active is not None:
            self._record(idle, active, now)
        elif granted == max_pages:
            self._skipped_until[listing] = now + LONG_LIST_INTERVAL
        return pages

    def _max_pages(self, saved_requests: float) -> int:
        """Return how many pages of a list may be requested, so that they cost less than the list saves.

        saved_requests: the number of requests saved, each for one metric. The result is at most
        MAX_LIST_PAGES, and 0 or less if a single page costs as much as the list saves.
        """
        if not self.prices.listing:
            return MAX_LIST_PAGES if saved_requests else 0
        return min(ceil(saved_requests * self.prices.metric / self.prices.listing) - 1, MAX_LIST_PAGES)

    async def _list(
        self, listing: Listing, idle: IdleMetrics, max_pages: int
    ) -> tuple[int, Set[ListedName] | None]:
        """Request up to `max_pages` of a list.

        Return the number of pages, and the idle metrics in them. If the list has more pages, return None
        instead of the metrics.
        """
        cell = self.cell.in_region(listing.region or self.cell.region)
        account_filter = {"IncludeLinkedAccounts": True, "OwningAccount": cell.account} if cell.signer else {}
        active, pages = set[ListedName](), 0
        params: dict[str, Any] = {"Namespace": listing.namespace, **idle.filters, **account_filter}
        responses = cell.paginate("cloudwatch", OPERATION, RecentlyActive=RECENTLY_ACTIVE, **params)
        async for page in responses:
            pages += 1
            active.update(name for name in _names(page) if name in idle.queries)
            if pages == max_pages and page.get("NextToken"):
                return pages, None
        return pages, active

    def _record(self, idle: IdleMetrics, active: Set[ListedName], now: int) -> None:
        """Record which idle metrics a list contained; metrics dropped since the request are skipped."""
        metrics = self.fleet.metrics(self.cell.key)
        is_listed_by_row = {
            row: name in active
            for name, pairs in idle.queries.items()
            for query, row in pairs
            if metrics.get(query) == row
        }
        rows = np.array([*is_listed_by_row.keys()], np.int32)
        are_listed = np.array([*is_listed_by_row.values()], np.bool_)
        self.fleet.rings.note_list(rows, are_listed, now)
        if are_listed.any():
            self.on_wake()


def _name(metric: Mapping[str, Any]) -> ListedName:
    dimensions = sorted((pair["Name"], pair["Value"]) for pair in metric.get("Dimensions") or ())
    return ListedName(metric.get("Namespace", ""), metric.get("MetricName", ""), tuple(dimensions))


def _names(page: Mapping[str, Any]) -> Iterator[ListedName]:
    return map(_name, page.get("Metrics") or ())
