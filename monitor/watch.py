"""Watching the configured accounts: each cell looked at, and its metrics read, on its own schedule."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from collectors import COLLECTORS
from collectors.base import Collector
from monitor.account import Account
from monitor.accounts import open_cells
from monitor.aws import Cell, Failure, failure
from monitor.cloudwatch import Reader
from monitor.config import Config
from monitor.fleet import CellKey, Fleet, Key
from monitor.inventory import Inventory, Outcome
from monitor.schedule import repeat, ticks
from monitor.telemetry import Telemetry

log = logging.getLogger(__name__)

RETRY = 60.0  # seconds until an account that did not let us in is tried again
ASKED = 16  # services that may wait for another look
PATIENCE = 60.0  # seconds that a cell's first poll waits for the slowest of its collectors
REPEATED = Failure("", "", "Repeated", "another entry of `accounts` watches the same account and regions")


def name_of(account: Account) -> str:
    """What to call an account in messages, before AWS told its id."""
    return account.name or account.id or "default"


class CellWatch:
    """One cell: its inventory, its reader, and how they fared. `read_once`: after the first full read."""

    def __init__(
        self, cell: Cell, inventory: Inventory, reader: Reader, collectors: Iterable[Collector]
    ) -> None:
        self.cell, self.inventory, self._reader = cell, inventory, reader
        self._collectors = tuple(collectors)
        self.services = {collector.service for collector in self._collectors}
        self._unlooked = set(self.services)
        self.poll = Outcome()
        self.looked_once, self.read_once = asyncio.Event(), asyncio.Event()
        self._asked = asyncio.Queue[str](ASKED)
        self._looking = {service: asyncio.Lock() for service in self.services}

    async def look(self) -> None:
        """One inventory: all collectors side by side."""
        await asyncio.gather(*map(self._look, self._collectors))

    async def _look(self, collector: Collector) -> None:
        try:
            async with self._looking[collector.service]:
                await self.inventory.look(collector)
        finally:
            self._unlooked.discard(collector.service)
            if not self._unlooked:
                self.looked_once.set()

    def look_again(self, service: str) -> None:
        """Have a service looked at soon: it has resources that nobody knows yet."""
        with suppress(asyncio.QueueFull):
            self._asked.put_nowait(service)

    async def _look_when_asked(self) -> None:
        collectors = {one.service: one for one in self._collectors}
        while True:
            if collector := collectors.get(await self._asked.get()):
                await self._look(collector)

    async def read(self) -> None:
        """One poll of all metrics that are due."""
        full = self.looked_once.is_set()
        self.poll.attempted = time.time()
        self.poll.failures = await self._reader.read(int(self.poll.attempted // 60))
        if not self.poll.failures:
            self.poll.succeeded = time.time()
            self.cell.telemetry.poll_time.labels(*self.cell.key).set(self.poll.succeeded)
        if full:
            self.read_once.set()

    async def run(self, config: Config) -> None:
        """Look and read until cancelled; no collector waits for another one."""
        name, told = "/".join(self.cell.key), self.cell.telemetry
        async with asyncio.TaskGroup() as loops:
            for one in self._collectors:
                tick, look = f"{name}/{one.service}", partial(self._look, one)
                loops.create_task(repeat("inventory", tick, config.inventory_interval, look, told))
            loops.create_task(self._look_when_asked())
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self.looked_once.wait()
            loops.create_task(repeat("poll", name, config.interval, self.read, told))


@dataclass
class Watch:
    """All cells of a configuration, in one fleet.

    cells: those that could be opened. shut: accounts that did not let us in, and why.
    tried: by account, set after the first try to get in.
    known: what earlier inventories found, when this watch follows another one.
    complete: set once every account was tried and every cell that opened had its first full read.
    """

    config: Config
    fleet: Fleet
    telemetry: Telemetry
    known: Mapping[CellKey, Mapping[Key, tuple[str, str]]] = field(default_factory=dict)
    cells: dict[CellKey, CellWatch] = field(default_factory=dict, init=False)
    shut: dict[str, Failure] = field(default_factory=dict, init=False)
    tried: dict[str, asyncio.Event] = field(init=False)
    complete: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self.tried = {name_of(account): asyncio.Event() for account in self.config.watched()}

    async def open(self, account: Account) -> list[CellWatch]:
        """The cells of an account; none, and the reason noted in `shut`, when it does not let us in."""
        name = name_of(account)
        reason, fresh = REPEATED, []
        try:
            cells = await open_cells(account, self.config.endpoint_url, self.telemetry)
            fresh = [cell for cell in cells if cell.key not in self.cells]
        except Exception as error:  # a wrong AWS_ENDPOINT_URL, too, costs this account only
            reason = failure(error)
        if fresh:
            self.shut.pop(name, None)
        elif self.shut.get(name) != reason:
            self.shut[name] = reason
            log.warning("account %s: %s", name, reason.sentence)
        opened = [self._watch(account, cell) for cell in fresh]
        self.tried[name].set()
        return opened

    def _watch(self, account: Account, cell: Cell) -> CellWatch:
        inventory = Inventory(cell, self.fleet, self.config, account.name or "")
        inventory.known |= self.known.get(cell.key, {})
        collectors = [one for one in COLLECTORS if one.service in account.services]
        self.cells[cell.key] = CellWatch(cell, inventory, Reader(cell, self.fleet), collectors)
        return self.cells[cell.key]

    def look_again(self, cell: CellKey, service: str) -> None:
        """Have a service of a cell looked at soon, if the cell is watched."""
        if watched := self.cells.get(cell):
            watched.look_again(service)

    def found(self) -> Mapping[CellKey, Mapping[Key, tuple[str, str]]]:
        """What the inventories know, for the watch that follows this one."""
        return dict(self.known) | {key: cell.inventory.known for key, cell in self.cells.items()}

    def _forget_unwatched(self) -> None:
        """Drop the series of cells and services that only an earlier configuration had."""
        for key in [key for key in self.fleet.series if not self._watches(key)]:
            self.fleet.drop(key)

    def _watches(self, key: Key) -> bool:
        if cell := self.cells.get(key.cell):
            return key.service in cell.services
        return bool(self.shut)  # it may be in an account that does not let us in at the moment

    async def run(self) -> None:
        """Watch all accounts until cancelled; the cells are closed at the end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for account in self.config.watched():
                    tasks.create_task(self._run(account))
                for tried in self.tried.values():
                    await tried.wait()
                for cell in tuple(self.cells.values()):
                    await cell.read_once.wait()
                self._forget_unwatched()
                self.complete.set()
        finally:
            await self.close()

    async def _run(self, account: Account) -> None:
        async for _ in ticks(name_of(account), RETRY):
            if cells := await self.open(account):
                break
        async with asyncio.TaskGroup() as loops:
            for cell in cells:
                loops.create_task(cell.run(self.config))

    async def once(self, tell: Callable[[int, int], None]) -> None:
        """Look at everything and read it, once. `tell(done, steps)` is called as it goes on."""
        accounts = self.config.watched()
        opened = [cell for cells in await asyncio.gather(*map(self.open, accounts)) for cell in cells]
        steps, done = 2 * len(opened), 0

        async def both(cell: CellWatch) -> None:
            nonlocal done
            for turn in (cell.look, cell.read):
                await turn()
                done += 1
                tell(done, steps)

        await asyncio.gather(*map(both, opened))

    def waited_for(self) -> list[str]:
        """What has not been tried yet, in words; empty once every cell had its first full read."""
        untried = [f"account {name}" for name, tried in self.tried.items() if not tried.is_set()]
        unread = ["/".join(key) for key, cell in self.cells.items() if not cell.read_once.is_set()]
        return untried + unread

    async def close(self) -> None:
        await asyncio.gather(*(cell.cell.close() for cell in self.cells.values()))

    def sentences(self) -> list[str]:
        """What AWS refused or failed to answer in the last look and read, one sentence each."""
        shut = [f"account {name}: {one.sentence}" for name, one in self.shut.items()]
        return shut + [
            f"{'/'.join(key)} {where}: {one.sentence}"
            for key, cell in self.cells.items()
            for where, outcome in {**cell.inventory.outcomes, "metrics": cell.poll}.items()
            for one in outcome.failures
        ]
