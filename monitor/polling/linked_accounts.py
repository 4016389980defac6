"""The accounts that are read through monitoring accounts, beside the accounts in the configuration."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from collectors.base import GLOBAL_REGION, Collector, ServiceScope
from collectors.listed_metrics import MetricNames
from collectors.metrics_only import metric_names, metrics_only
from collectors.quotas import QUOTAS_SERVICE
from collectors.registry import Registry
from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.linked_cell import LinkedCell
from monitor.aws.status import AccountStatus
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey, Key
from monitor.lib.partitions import partition_of
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.default_quotas import DefaultQuotaBook
from monitor.polling.inventory import YIELD_EVERY
from monitor.polling.link_watcher import LinkWatcher
from monitor.polling.quota_book import QuotaBook
from monitor.polling.shared_calls import SharedCalls
from monitor.polling.timings import PollingTimings


class WatchedCells(Protocol):
    """The watcher of all cells, as far as `LinkedAccounts` needs it."""

    registry: Registry
    fleet: Fleet
    timings: PollingTimings
    cells: dict[CellKey, CellWatcher]

    def has_role(self, account_id: str) -> bool:
        """Return whether a configuration entry reads an account with a role."""
        ...

    def collectors_of(self, account: Account, cell: Cell) -> list[Collector]:
        """Return the collectors of a cell that are not excluded."""
        ...

    def watch_cell(
        self, account: Account, cell: Cell, collectors: Sequence[Collector], quotas: QuotaBook
    ) -> CellWatcher:
        """Start to watch a cell, and return its watcher."""
        ...

    async def run_cell(self, watched: CellWatcher) -> None:
        """Run the watcher of a cell until cancelled."""
        ...


class LinkedAccounts:
    """The monitoring accounts, and the accounts linked to them.

    links: the link watchers, by monitoring account and region.
    """

    def __init__(self, watcher: WatchedCells) -> None:
        self._watcher = watcher
        self.links: dict[CellKey, LinkWatcher] = {}
        self._books: dict[CellKey, DefaultQuotaBook] = {}

    @cached_property
    def _metric_names(self) -> MetricNames:
        return metric_names(self._watcher.registry.collectors)

    def add_monitoring(self, account: Account, cell: Cell) -> None:
        """Watch the links of a cell's account, if its configuration entry names linked accounts."""
        if account.linked_accounts and cell.scope is ServiceScope.REGION:
            self.links[cell.key] = LinkWatcher(account, cell, self, self._watcher.timings)

    def links_of(self, account: Account) -> list[LinkWatcher]:
        """Return the link watchers of a configuration entry, one per region."""
        return [link for link in self.links.values() if link.account is account]

    def shared_calls(self, account_id: str, region: str) -> SharedCalls | None:
        """Return the shared calls that request an account's metrics in a region; None if there are none."""
        calls = (link.shared_calls(account_id, region) for link in self.links.values())
        return next(filter(None, calls), None)

    def may_link_more(self, region: str) -> bool:
        """Return whether a region may have more linked accounts, as its links were not all read yet."""
        unread_regions = (link.cell.region for link in self.links.values() if not link.is_known)
        return any(region in (GLOBAL_REGION, unread_region) for unread_region in unread_regions)

    def request_list(self) -> None:
        """Have all links read again soon, because which accounts have a role has changed."""
        for link in self.links.values():
            link.request_list()

    def statuses(self) -> Iterator[AccountStatus]:
        """Yield the status of each account that is read without a role."""
        for link in self.links.values():
            for account_id, linked in link.accounts.items():
                if linked.cells:
                    yield AccountStatus(
                        name=linked.label or account_id, account=account_id, access=replace(link.status)
                    )

    def role_cells(self, account_id: str, region: str) -> Sequence[Cell] | None:
        """Return the cells in which an account's role calls a region; None if the account has no role."""
        cells = [watched.cell for key, watched in self._watcher.cells.items() if key[0] == account_id]
        role_cells = [cell for cell in cells if not isinstance(cell, LinkedCell)]
        if not role_cells and not self._watcher.has_role(account_id):
            return None
        return [cell for cell in role_cells if cell.region == region]

    def linked_cell_watcher(self, account: Account, cell: LinkedCell, name: str) -> CellWatcher | None:
        """Return a new watcher of a linked cell; None if the cell is already watched, or has no services."""
        entry = account.model_copy(update={"name": name})
        collectors = [
            self._metrics_only(collector)
            for collector in self._watcher.collectors_of(entry, cell)
            if not collector.region and collector.service != QUOTAS_SERVICE
        ]
        if cell.key in self._watcher.cells or not collectors:
            return None
        return self._watcher.watch_cell(entry, cell, collectors, self._book(cell))

    def _metrics_only(self, collector: Collector) -> Collector:
        signals = self._watcher.registry.services[collector.service].signals.values()
        return metrics_only(collector, signals, self._metric_names)

    def _book(self, cell: LinkedCell) -> DefaultQuotaBook:
        """Return the default quotas, which the monitoring account reads for all accounts linked to it."""
        key = cell.signing_account, cell.region
        if key not in self._books:
            registry, timings = self._watcher.registry, self._watcher.timings
            monitoring_cell = self.links[key].cell
            self._books[key] = DefaultQuotaBook(monitoring_cell, registry, timings.quota_interval)
        return self._books[key]

    def known_quotas(self) -> Mapping[CellKey, KnownQuotas]:
        """Return the known quotas of linked accounts, by cell: AWS's defaults for the services in use."""
        known: dict[CellKey, KnownQuotas] = {}
        for key, watched in self._watcher.cells.items():
            if isinstance(watched.cell, LinkedCell):
                service_codes = watched.inventory.quota_services_found()
                known[key] = self._book(watched.cell).known_quotas(service_codes)
        for (account, region), global_quotas in known.items():
            if region == GLOBAL_REGION:
                account_quotas = [quotas for key, quotas in known.items() if key[0] == account]
                _add_global_quotas(global_quotas, account_quotas)
        return known

    async def run_linked(self, cell_watcher: CellWatcher) -> None:
        """Run the watcher of a linked cell until cancelled."""
        await self._watcher.run_cell(cell_watcher)

    async def drop_linked(self, cell_watcher: CellWatcher) -> None:
        """Forget a linked cell, and drop its series except those that a role has found in the meantime."""
        key, fleet = cell_watcher.cell.key, self._watcher.fleet
        if self._watcher.cells.get(key) is cell_watcher:
            del self._watcher.cells[key]
            cell_watcher.polled_once.set()  # so that nothing waits for its first poll
        successor = self._watcher.cells.get(key)
        found_by_role: set[Key] = {*successor.inventory.discovered} if successor else set()
        for number, series_key in enumerate(tuple(cell_watcher.inventory.discovered)):
            if series_key not in found_by_role and series_key in fleet.series:
                fleet.drop(series_key)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def on_links_changed(self) -> None:
        """Charge the metrics in shared calls to the monitoring accounts that request them."""
        self._watcher.fleet.set_payers(
            {
                (account_id, region): (link.cell.account, region)
                for link in self.links.values()
                for account_id, linked in link.accounts.items()
                if linked.is_shared
                for region in _region_labels(link.cell.region)
            }
        )


def _add_global_quotas(global_quotas: KnownQuotas, account_quotas: Iterable[KnownQuotas]) -> None:
    """Add the lists that contain quotas of all regions together to the quotas of global services.

    global_quotas: those of an account's global services. account_quotas: those of each cell of the account,
    which have the lists.
    """
    for known in account_quotas:
        for code, listed in known.lists.items():
            if any(quota.is_global for quota in listed):
                global_quotas.lists.setdefault(code, listed)
    global_quotas.mark_listed_in_use()


def _region_labels(region: str) -> Sequence[str]:
    """Return a region, and `global` if it is the home region, which has the metrics of global services."""
    is_home = partition_of(region).home_region == region
    return (region, GLOBAL_REGION) if is_home else (region,)
