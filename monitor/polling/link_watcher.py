"""Watches which accounts are linked to a monitoring account in a region, and reads those without a role."""

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
from monitor.aws.failure import Failure, failure_from
from monitor.aws.linked_cell import LinkedCell, linked_cell
from monitor.aws.links import Links, read_links, shares_all_metrics
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

MAX_LINKED_ACCOUNTS = 1_000  # of a monitoring account in a region; AWS allows 100,000
TOO_MANY_ACCOUNTS = "TooManyAccounts"  # the code of a failure


class LinkedCells(Protocol):
    """Finds, runs and drops the cells of linked accounts, which have no role of their own."""

    def role_cells(self, account_id: str, region: str) -> Sequence[Cell] | None:
        """Return the cells of an account with a role that call a region; None where it has none."""
        ...

    def linked_cell_watcher(self, account: Account, cell: LinkedCell, name: str) -> CellWatcher | None:
        """Return the watcher of a linked cell, to be run; None where all of it is excluded."""
        ...

    async def run_linked(self, watched: CellWatcher) -> None:
        """Run the watcher of a linked cell until cancelled."""
        ...

    async def drop_linked(self, watched: CellWatcher) -> None:
        """Forget a linked cell, and drop its series."""
        ...

    def links_changed(self) -> None:
        """Note that other accounts are linked, or are read in another way."""
        ...


@dataclass(slots=True)
class LinkedAccount:
    """A linked account.

    cells: those that are read without a role. has_role: it is read by a role, and has none of these.
    is_shared: the monitoring account requests its metrics.
    """

    label: str
    has_role: bool
    is_shared: bool = True
    cells: list[CellWatcher] = field(default_factory=list)


class LinkWatcher:
    """Reads the links of a monitoring account in a region, and adds and removes accounts.

    account: the monitoring account's entry. cell: its cell in the region. attempted: set once the links were
    read, or could not be. is_known: they were read. status: of reading them. calls: shared by the accounts.
    """

    def __init__(
        self, account: Account, cell: Cell, linked_cells: LinkedCells, timings: PollingTimings
    ) -> None:
        self.account, self.cell, self._linked_cells, self._timings = account, cell, linked_cells, timings
        self.attempted, self.is_known = asyncio.Event(), False
        self.status = RunStatus(interval=timings.link_interval)
        self.calls = SharedCalls(MetricCaller(cell), timings.combine_wait)
        self.accounts: dict[str, LinkedAccount] = {}
        self._missing: Set[str] = frozenset()  # accounts that the last list lacked
        self._requested = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[CellKey, asyncio.Task[None]] = {}

    async def run(self, telemetry: ProcessTelemetry) -> None:
        """Read the links, and watch the cells of linked accounts, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for watched in self.cells():
                    self._start(watched)
                while True:
                    self._requested.clear()
                    await run_guarded("links", "/".join(self.cell.key), self.read, telemetry)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._interval()):
                            await self._requested.wait()
        finally:
            await self.calls.aclose()

    def _start(self, watched: CellWatcher) -> None:
        """Run the watcher of a cell; does nothing until `run` does."""
        if self._tasks:
            task = self._tasks.create_task(self._linked_cells.run_linked(watched))
            self._running[watched.cell.key] = task

    def request(self) -> None:
        """Read the links soon, as the accounts with a role are others now."""
        self._requested.set()

    def _interval(self) -> float:
        """Return the seconds until the next list: soon after a failure, and where an account is missing."""
        is_soon = self._missing or any(one.code != TOO_MANY_ACCOUNTS for one in self.status.failures)
        return self._timings.open_retry_interval if is_soon else self._timings.link_interval

    async def read(self) -> None:
        """Read the links once. A failure keeps the accounts that are known."""
        self.status.started_at = time.time()
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

    async def _apply(self, links: Links) -> tuple[Failure, ...]:
        """Add and remove accounts, and return why not all are read."""
        selected = {
            id_: label
            for id_, label in links.items()
            if self.account.reads_linked(id_) and id_ != self.cell.account
        }
        known_first = sorted(selected, key=lambda id_: id_ not in self.accounts)
        wanted = known_first[:MAX_LINKED_ACCOUNTS]
        missing = self.accounts.keys() - {*wanted}
        for id_ in missing & self._missing:  # AWS may leave out an account of one list
            await self.remove(id_)
        self._missing = missing - self._missing
        for id_ in wanted:
            await self._update(id_, selected[id_])
        self.is_known = True
        self._linked_cells.links_changed()
        return _beyond_bound(len(selected))

    async def _update(self, id_: str, label: str) -> None:
        """Read an account as it is to be read now: by its role, or else by observability."""
        role_cells = self._linked_cells.role_cells(id_, self.cell.region)
        known = self.accounts.get(id_)
        if role_cells is not None:
            if known and not known.has_role:
                await self.remove(id_)
            self.accounts[id_] = LinkedAccount(label, True, await self._is_shared(role_cells))
        elif known is None or known.has_role or not known.cells:
            self._add(id_, label)

    async def _is_shared(self, role_cells: Sequence[Cell]) -> bool:
        """Return whether an account shares all of its metrics, so that none is missing in shared calls.

        Where its role may not tell, its metrics are requested with its role.
        """
        try:
            return bool(role_cells) and await shares_all_metrics(role_cells[0], self.cell.account)
        except Exception as error:
            name = "/".join(role_cells[0].key)
            log.info("%s: is not read in shared calls: %s", name, failure_from(error).sentence)
            return False

    def _add(self, id_: str, label: str) -> None:
        """Read an account by observability."""
        made = (
            self._linked_cells.linked_cell_watcher(self.account, cell, label or id_)
            for cell in self._cells(id_)
        )
        self.accounts[id_] = LinkedAccount(label, False, cells=[one for one in made if one])
        if self.accounts[id_].cells:
            log.info("%s: reads the linked account %s (%s)", "/".join(self.cell.key), label or id_, id_)
        for watched in self.accounts[id_].cells:
            self._start(watched)

    def _cells(self, id_: str) -> Iterator[LinkedCell]:
        """The cells of a linked account: of the region, and of global services in their home region."""
        yield linked_cell(self.cell, id_)
        if partition_of(self.cell.region).home_region == self.cell.region:
            yield linked_cell(self.cell, id_, ServiceScope.GLOBAL)

    async def remove(self, id_: str) -> None:
        """Read an account no longer through the monitoring account, and drop what was read without a role."""
        gone = self.accounts.pop(id_)
        name = "/".join(self.cell.key)
        log.info("%s: does not read the linked account %s (%s) any more", name, gone.label or id_, id_)
        for watched in gone.cells:
            if task := self._running.pop(watched.cell.key, None):
                task.cancel()
                await asyncio.wait({task}, timeout=self._timings.stop_timeout)
            await self._linked_cells.drop_linked(watched)

    def shared_calls(self, account_id: str, region: str) -> SharedCalls | None:
        """Return the calls that request the metrics of an account in a region; None where it calls itself."""
        if region != self.cell.region:
            return None
        linked = self.accounts.get(account_id)
        is_shared = account_id == self.cell.account or (linked is not None and linked.is_shared)
        return self.calls if is_shared else None

    def cells(self) -> Iterator[CellWatcher]:
        """Yield the watchers of the cells that are read without a role."""
        for linked in self.accounts.values():
            yield from linked.cells


def _beyond_bound(accounts: int) -> tuple[Failure, ...]:
    if accounts <= MAX_LINKED_ACCOUNTS:
        return ()
    sentence = (
        f"{accounts:,} accounts are linked, and only {MAX_LINKED_ACCOUNTS:,} of them are read: "
        "name those to read in `linked_accounts`"
    )
    return (Failure("ListAttachedLinks", "", TOO_MANY_ACCOUNTS, sentence),)
