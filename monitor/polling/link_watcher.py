"""Watches which accounts are linked to a monitoring account; reads those that have no role."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from collectors.base import ServiceScope
from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.failure import TOO_MANY_ACCOUNTS, Failure, failure_from
from monitor.aws.linked_cell import LinkedCell, linked_cell
from monitor.aws.links import LinkLabels, read_links, shares_all_metrics
from monitor.aws.run_status import RunStatus
from monitor.fleet.key import CellKey
from monitor.lib.partitions import partition_of
from monitor.lib.schedule import run_guarded
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.metric_caller import MetricCaller
from monitor.polling.shared_calls import SharedCalls
from monitor.polling.timings import PollingTimings

log = logging.getLogger(__name__)

MAX_LINKED_ACCOUNTS = 1_000  # linked accounts that are read in a region; AWS allows 100,000


class LinkedCells(Protocol):
    """Finds the cells of accounts with a role; adds, runs and drops the cells of accounts without a role."""

    def role_cells(self, account_id: str, region: str) -> Sequence[Cell] | None:
        """Return the cells in which an account's role calls a region; None if the account has no role."""
        ...

    def linked_cell_watcher(self, account: Account, cell: LinkedCell, name: str) -> CellWatcher | None:
        """Return a new watcher of a linked cell; None if the whole cell is excluded."""
        ...

    async def run_linked(self, cell_watcher: CellWatcher) -> None:
        """Run the watcher of a linked cell until cancelled."""
        ...

    async def drop_linked(self, cell_watcher: CellWatcher) -> None:
        """Forget a linked cell, and drop its series."""
        ...

    def on_links_changed(self) -> None:
        """React to a change in which accounts are linked, or in how they are read."""
        ...


@dataclass(slots=True)
class LinkedAccount:
    """A linked account.

    label: its name in the monitoring account; may be empty. has_role: the account is read with a role of its
    own. is_shared: the monitoring account may request its metrics in shared calls. cells: the watchers of its
    cells that are read without a role; empty if it has a role.
    """

    label: str
    has_role: bool
    is_shared: bool = True
    cells: list[CellWatcher] = field(default_factory=list)


class LinkWatcher:
    """Reads the links of a monitoring account in a region, and adds and removes accounts.

    account: the configuration entry of the monitoring account. cell: its cell in the region. attempted: set
    after the first attempt to read the links. is_known: true once the links were read. status: the status of
    reading the links. calls: the calls that the accounts share. accounts: the linked accounts, by id.
    """

    def __init__(
        self, account: Account, cell: Cell, linked_cells: LinkedCells, timings: PollingTimings
    ) -> None:
        self.account, self.cell, self._linked_cells, self._timings = account, cell, linked_cells, timings
        self.attempted, self.is_known = asyncio.Event(), False
        self.status = RunStatus(interval=timings.link_interval)
        self.calls = SharedCalls(MetricCaller(cell), timings.combine_wait)
        self.accounts: dict[str, LinkedAccount] = {}
        self._missing_ids: Set[str] = frozenset()  # known accounts that the last list did not contain
        self._list_requested = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._cell_tasks: dict[CellKey, asyncio.Task[None]] = {}

    async def run(self, telemetry: ProcessTelemetry) -> None:
        """Read the links, and watch the cells of linked accounts, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for cell_watcher in self.cells():
                    self._start(cell_watcher)
                while True:
                    self._list_requested.clear()
                    await run_guarded("links", "/".join(self.cell.key), self.read, telemetry)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._interval()):
                            await self._list_requested.wait()
        finally:
            await self.calls.aclose()

    def _start(self, cell_watcher: CellWatcher) -> None:
        """Run the watcher of a cell; do nothing before `run` has begun."""
        if self._tasks:
            task = self._tasks.create_task(self._linked_cells.run_linked(cell_watcher))
            self._cell_tasks[cell_watcher.cell.key] = task

    def request_list(self) -> None:
        """Request that the links are read soon, because which accounts have a role has changed."""
        self._list_requested.set()

    def _interval(self) -> float:
        """Return the seconds until the next list: few after a failure, and while an account is missing."""
        has_failed = any(failure.code != TOO_MANY_ACCOUNTS for failure in self.status.failures)
        is_soon = has_failed or self._missing_ids
        return self._timings.open_retry_interval if is_soon else self._timings.link_interval

    async def read(self) -> None:
        """Read the links once. If that fails, the known accounts are kept."""
        self.status.start(time.time())
        failures: tuple[Failure, ...] = ()
        try:
            links = await read_links(self.cell)
        except Exception as error:
            failures = (failure_from(error),)
        else:
            failures = await self._apply(links)
        if failures and failures != self.status.failures:
            log.warning("%s: linked accounts: %s", "/".join(self.cell.key), failures[0].sentence)
        self.status.end(failures, time.time())
        self.attempted.set()

    async def _apply(self, links: LinkLabels) -> tuple[Failure, ...]:
        """Add and remove accounts; return a failure if not all selected accounts are read."""
        selected = {
            account_id: label
            for account_id, label in links.items()
            if self.account.reads_linked(account_id) and account_id != self.cell.account
        }
        known_first = sorted(selected, key=lambda account_id: account_id not in self.accounts)
        account_ids = known_first[:MAX_LINKED_ACCOUNTS]
        missing_ids = self.accounts.keys() - {*account_ids}
        # AWS may omit an account from a list, so an account is removed once two lists do not contain it.
        for account_id in missing_ids & self._missing_ids:
            await self.remove(account_id)
        self._missing_ids = missing_ids - self._missing_ids
        for account_id in account_ids:
            await self._update(account_id, selected[account_id])
        self.is_known = True
        self._linked_cells.on_links_changed()
        return _failure_beyond_bound(len(selected))

    async def _update(self, account_id: str, label: str) -> None:
        """Read a linked account with its role if it has one, or else through the monitoring account."""
        role_cells = self._linked_cells.role_cells(account_id, self.cell.region)
        known = self.accounts.get(account_id)
        if role_cells is not None:
            if known and not known.has_role:
                await self.remove(account_id)
            self.accounts[account_id] = LinkedAccount(label, True, await self._is_shared(role_cells))
        elif known is None or known.has_role or not known.cells:
            self._add(account_id, label)

    async def _is_shared(self, role_cells: Sequence[Cell]) -> bool:
        """Return whether the monitoring account can request all metrics of an account that has a role.

        If the role may not read what the account shares, return false, so that the role requests the metrics.
        """
        try:
            return bool(role_cells) and await shares_all_metrics(role_cells[0], self.cell.account)
        except Exception as error:
            name = "/".join(role_cells[0].key)
            log.info("%s: is not read in shared calls: %s", name, failure_from(error).sentence)
            return False

    def _add(self, account_id: str, label: str) -> None:
        """Read an account without a role through the monitoring account."""
        watchers = (
            self._linked_cells.linked_cell_watcher(self.account, cell, label or account_id)
            for cell in self._cells(account_id)
        )
        self.accounts[account_id] = LinkedAccount(
            label, False, cells=[watcher for watcher in watchers if watcher]
        )
        if self.accounts[account_id].cells:
            name = "/".join(self.cell.key)
            log.info("%s: reads the linked account %s (%s)", name, label or account_id, account_id)
        for cell_watcher in self.accounts[account_id].cells:
            self._start(cell_watcher)

    def _cells(self, account_id: str) -> Iterator[LinkedCell]:
        """Yield the cells of a linked account; in the home region, also the cell of its global services."""
        yield linked_cell(self.cell, account_id)
        if partition_of(self.cell.region).home_region == self.cell.region:
            yield linked_cell(self.cell, account_id, ServiceScope.GLOBAL)

    async def remove(self, account_id: str) -> None:
        """Stop reading an account through the monitoring account, and drop its cells and their series."""
        removed = self.accounts.pop(account_id)
        name, label = "/".join(self.cell.key), removed.label or account_id
        log.info("%s: does not read the linked account %s (%s) any more", name, label, account_id)
        for cell_watcher in removed.cells:
            if task := self._cell_tasks.pop(cell_watcher.cell.key, None):
                task.cancel()
                await asyncio.wait({task}, timeout=self._timings.stop_timeout)
            await self._linked_cells.drop_linked(cell_watcher)

    def shared_calls(self, account_id: str, region: str) -> SharedCalls | None:
        """Return the shared calls for an account's metrics in a region; None if it takes no part in them."""
        if region != self.cell.region:
            return None
        linked = self.accounts.get(account_id)
        is_shared = account_id == self.cell.account or (linked is not None and linked.is_shared)
        return self.calls if is_shared else None

    def cells(self) -> Iterator[CellWatcher]:
        """Yield the watchers of all cells that are read without a role."""
        for linked in self.accounts.values():
            yield from linked.cells


def _failure_beyond_bound(account_count: int) -> tuple[Failure, ...]:
    if account_count <= MAX_LINKED_ACCOUNTS:
        return ()
    sentence = (
        f"{account_count:,} accounts are linked, and only {MAX_LINKED_ACCOUNTS:,} of them are read: "
        "name those to read in `linked_accounts`"
    )
    return (Failure("ListAttachedLinks", "", TOO_MANY_ACCOUNTS, sentence),)
