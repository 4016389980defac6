"""The accounts that are read through monitoring accounts, beside those of the configuration."""

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
    """The watcher of the cells with a role, beside which linked accounts are read."""

    registry: Registry
    fleet: Fleet
    timings: PollingTimings
    cells: dict[CellKey, CellWatcher]

    def has_role(self, account_id: str) -> bool:
        """Return whether an account is read by an entry of its own."""
        ...

    def collectors_of(self, account: Account, cell: Cell) -> list[Collector]:
        """Return the collectors of a cell that are not excluded."""
        ...

    def watch_cell(
        self, account: Account, cell: Cell, collectors: Sequence[Collector], quotas: QuotaBook
    ) -> CellWatcher:
        """Add a cell to those that are watched, and return its watcher."""
        ...

    async def run_cell(self, watched: CellWatcher) -> None:
        """Run the watcher of a cell until cancelled."""
        ...


class LinkedAccounts:
    """The monitoring accounts with the accounts that are linked to them. links: by account and region."""

    def __init__(self, watched: WatchedCells) -> None:
        self._watched = watched
        self.links: dict[CellKey, LinkWatcher] = {}
        self._books: dict[CellKey, DefaultQuotaBook] = {}

    @cached_property
    def _metric_names(self) -> MetricNames:
        return metric_names(self._watched.registry.collectors)

    def add_monitoring(self, account: Account, cell: Cell) -> None:
        """Read the accounts that are linked to a cell's account, if its entry has any."""
        if account.linked_accounts and cell.scope is ServiceScope.REGION:
            self.links[cell.key] = LinkWatcher(account, cell, self, self._watched.timings)

    def of(self, account: Account) -> list[LinkWatcher]:
        """Return the links of a monitoring account's entry."""
        return [link for link in self.links.values() if link.account is account]

    def shared_calls(self, account_id: str, region: str) -> SharedCalls | None:
        """Return the calls that request the metrics of an account in a region; None where it calls itself."""
        found = (link.shared_calls(account_id, region) for link in self.links.values())
        return next(filter(None, found), None)

    def may_have(self, region: str) -> bool:
        """Return whether accounts may be linked in a region that are not known yet."""
        regions = (link.cell.region for link in self.links.values() if not link.is_known)
        return any(region in (GLOBAL_REGION, one) for one in regions)

    def request(self) -> None:
        """List the links soon, as other accounts have a role now."""
        for link in self.links.values():
            link.request()

    def statuses(self) -> Iterator[AccountStatus]:
        """Yield the status of each account that is read without a role."""
        for link in self.links.values():
            for id_, linked in link.accounts.items():
                if linked.cells:
                    yield AccountStatus(name=linked.label or id_, account=id_, access=replace(link.status))

    def role_cells(self, account_id: str, region: str) -> Sequence[Cell] | None:
        """Return the cells of an account with a role that call a region; None where it has none."""
        cells = [one.cell for key, one in self._watched.cells.items() if key[0] == account_id]
        role_cells = [cell for cell in cells if not isinstance(cell, LinkedCell)]
        if not role_cells and not self._watched.has_role(account_id):
            return None
        return [cell for cell in role_cells if cell.region == region]

    def linked_cell_watcher(self, account: Account, cell: LinkedCell, name: str) -> CellWatcher | None:
        """Return the watcher of a linked cell; None where it is watched already, or has no services."""
        named = account.model_copy(update={"name": name})
        collectors = [
            self._metrics_only(one)
            for one in self._watched.collectors_of(named, cell)
            if not one.region and one.service != QUOTAS_SERVICE
        ]
        if cell.key in self._watched.cells or not collectors:
            return None
        return self._watched.watch_cell(named, cell, collectors, self._book(cell))

    def _metrics_only(self, collector: Collector) -> Collector:
        signals = self._watched.registry.services[collector.service].signals.values()
        return metrics_only(collector, signals, self._metric_names)

    def _book(self, cell: LinkedCell) -> DefaultQuotaBook:
        """Return the defaults of quotas, which a monitoring account reads for all that are linked to it."""
        key = cell.signing_account, cell.region
        if key not in self._books:
            registry, timings = self._watched.registry, self._watched.timings
            monitoring = self.links[key].cell
            self._books[key] = DefaultQuotaBook(monitoring, registry, timings.quota_interval)
        return self._books[key]

    def known_quotas(self) -> Mapping[CellKey, KnownQuotas]:
        """Return what is known of the quotas of linked accounts: AWS's defaults of the services in use."""
        known: dict[CellKey, KnownQuotas] = {}
        for key, watched in self._watched.cells.items():
            if isinstance(watched.cell, LinkedCell):
                found = watched.inventory.quota_services_found()
                known[key] = self._book(watched.cell).known_quotas(found)
        for (account, region), of_cell in known.items():
            if region == GLOBAL_REGION:
                _add_global_quotas(of_cell, [one for key, one in known.items() if key[0] == account])
        return known

    async def run_linked(self, watched: CellWatcher) -> None:
        """Run the watcher of a linked cell until cancelled."""
        await self._watched.run_cell(watched)

    async def drop_linked(self, watched: CellWatcher) -> None:
        """Forget a linked cell, and drop its series but those that a role has found meanwhile."""
        key, fleet = watched.cell.key, self._watched.fleet
        if self._watched.cells.get(key) is watched:
            del self._watched.cells[key]
            watched.polled_once.set()  # nothing waits for it any more
        present = self._watched.cells.get(key)
        kept: set[Key] = {*present.inventory.discovered} if present else set()
        for number, found in enumerate(tuple(watched.inventory.discovered)):
            if found not in kept and found in fleet.series:
                fleet.drop(found)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def links_changed(self) -> None:
        """Charge the accounts that request the metrics of others for them."""
        self._watched.fleet.payers = {
            (id_, region): (link.cell.account, region)
            for link in self.links.values()
            for id_, linked in link.accounts.items()
            if linked.is_shared
            for region in _region_labels(link.cell.region)
        }


def _add_global_quotas(of_account: KnownQuotas, of_cells: Iterable[KnownQuotas]) -> None:
    """Add the lists in which there are quotas that are the same in all regions."""
    for known in of_cells:
        for code, listed in known.lists.items():
            if any(one.is_global for one in listed):
                of_account.lists.setdefault(code, listed)
    of_account.in_use |= of_account.lists.keys()


def _region_labels(region: str) -> Sequence[str]:
    """Return the cells, by region, whose metrics a region has: the home one has those of global services."""
    is_home = partition_of(region).home_region == region
    return (region, GLOBAL_REGION) if is_home else (region,)
