"""Watches the configured accounts: opens them, and runs the watchers of their cells."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from collectors.base import Collector
from collectors.registry import LINKS, Registry
from collectors.service_quotas.allowed_calls import FIRST_CALLS
from collectors.service_quotas.call_budget import CallBudget
from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.aws.account import Account, account_name
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import SharedAws, call_rates, open_cells
from monitor.aws.clients import ClientCache
from monitor.aws.failure import AWS_ERRORS, Failure, failure_from
from monitor.aws.known_accounts import KnownAccounts
from monitor.aws.linked_cell import LinkedCell
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.region_check import RegionDisabledError
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, CellStatus, describe_failure
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.config.exclude import excludes_all_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey, Key
from monitor.lib.cooperative import LoopTurns
from monitor.lib.partitions import partition_of
from monitor.lib.schedule import Schedule
from monitor.lib.telemetry import ProcessTelemetry
from monitor.planning.budget import Budget
from monitor.planning.planner import Planner, no_slots
from monitor.planning.spending import InMemorySpendingStore
from monitor.polling.cell_starts import CellStarts
from monitor.polling.cell_watcher import MAX_SERVICE_STARTS_PER_SECOND, CellWatcher
from monitor.polling.counted_budget import budget_of
from monitor.polling.discovered_series import DiscoveredSeries
from monitor.polling.inventory import YIELD_EVERY, Inventory
from monitor.polling.linked_accounts import LinkedAccounts
from monitor.polling.member_accounts import MemberAccounts
from monitor.polling.metric_services import MetricServices
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import DEFAULT_TIMINGS, PollingTimings
from monitor.schema.selector import Location, SelectorLabels
from monitor.schema.types import ALL_REGIONS
from rules.arrays import Ints

log = logging.getLogger(__name__)

UNKNOWN_ACCOUNT = ""  # the id of an account without a role until it is opened
DUPLICATE_ENTRY = Failure(
    "", "", "Repeated", "another entry of `accounts` watches the same account and regions"
)


def _is_offered(collector: Collector, cell: Cell) -> bool:
    """Return whether a cell's partition offers a service; false if its only region is in another one."""
    return not collector.region or partition_of(collector.region) == partition_of(cell.region)


async def _is_region_enabled(cell: Cell) -> bool:
    """Return whether a cell's region is enabled; false also while the account has no valid credentials."""
    try:
        return await cell.is_region_enabled()
    except AWS_ERRORS as error:
        log.debug("%s: %s", "/".join(cell.key), failure_from(error).sentence)
        return False


@dataclass
class Watcher:
    """Watches all cells of a configuration, and writes their resources and metrics to one fleet.

    inherited: the series that the previous watcher's inventories discovered.
    polled: set after each poll.
    clients: shared with a later watcher; None: the watcher has its own, and closes them when it ends.
    alerting: see `Planner`.
    budget: charged by all cells, also after reloads; None: a budget of this watcher alone.
    known_accounts: the accounts of organizations when last listed, also by an earlier process.
    quota_calls: the number of calls that the first inventory of quotas may make in a cell.
    cells: the watchers of all cells of opened accounts.
    inaccessible_accounts: why an account could not be opened, by account name.
    open_attempted: set after the first attempt to open an account, by account name.
    accounts: the status of accounts, by name.
    complete: set once opening every account was attempted and every cell had its first full poll.
    linked: the accounts that are read through monitoring accounts.
    planner: plans how often each metric is read.
    signals_off: ids of signals that are read only on request.
    members: the accounts of organizations.
    """

    config: Config
    registry: Registry
    fleet: Fleet
    telemetry: ProcessTelemetry
    aws_telemetry: AwsTelemetry
    inherited: Mapping[CellKey, DiscoveredSeries] = field(default_factory=dict)
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    clients: ClientCache | None = None
    timings: PollingTimings = DEFAULT_TIMINGS
    alerting: Callable[[], Ints] = no_slots
    budget: Budget | None = None
    known_accounts: KnownAccounts = field(default_factory=KnownAccounts)
    quota_calls: int = FIRST_CALLS
    cells: dict[CellKey, CellWatcher] = field(default_factory=dict, init=False)
    inaccessible_accounts: dict[str, Failure] = field(default_factory=dict, init=False)
    open_attempted: dict[str, asyncio.Event] = field(init=False)
    accounts: dict[str, AccountStatus] = field(init=False)
    complete: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    shared_aws: SharedAws = field(init=False)
    linked: LinkedAccounts = field(init=False)
    planner: Planner = field(init=False)
    signals_off: Sequence[str] = field(init=False)
    members: MemberAccounts = field(init=False)
    _metric_services: MetricServices = field(init=False)
    _cell_starts: CellStarts = field(default_factory=CellStarts, init=False)
    _account_turns: LoopTurns = field(default_factory=lambda: LoopTurns(at_once=1), init=False)
    _service_starts: RateLimiter = field(
        default_factory=lambda: RateLimiter(MAX_SERVICE_STARTS_PER_SECOND), init=False
    )

    def __post_init__(self) -> None:
        # The declarations of other services are not even loaded.
        collectors = self.registry.collectors_of(self.config.monitored_services(self.registry))
        self._metric_services = MetricServices(collectors)
        self.linked = LinkedAccounts(self)
        signals = self.config.signals
        self._collectors = {
            collector.service: signals.without_unread_signals(collector, self.registry)
            for collector in collectors
        }
        self._used_services = {signal.service for signal in self.registry.signals if signals.includes(signal)}
        self.signals_off = [signal.id for signal in self.config.signals_off(self.registry)]
        self._entries = self.config.monitored_accounts(self.registry)
        self.shared_aws = SharedAws(self.clients or ClientCache(), rates=call_rates(collectors))
        self.planner = Planner(self.fleet, self.config.intervals, self.alerting, self._configured_budget())
        self.open_attempted, self.accounts = {}, {}
        for account in self._entries:
            self.register(account)
        self.members = MemberAccounts(self)

    def register(self, account: Account) -> None:
        """Add an account to the accounts that are to be opened."""
        name = account_name(account)
        self.open_attempted[name] = asyncio.Event()
        self.accounts[name] = AccountStatus(name=name, account=account.id or "", access=RunStatus())

    def _configured_budget(self) -> Budget | None:
        budget = self.budget or budget_of(self.aws_telemetry, InMemorySpendingStore())
        budget.configure(self.config.budget_terms)
        return budget if budget.terms else None

    async def open_account(self, account: Account) -> list[CellWatcher]:
        """Open an account, and return its cells that are not excluded and not watched yet.

        If the account cannot be accessed, return no cells; `inaccessible_accounts` has the reason.
        """
        new_cells, reason = await self._open_cells(account)
        account = self.members.with_present_name(account)
        name = account_name(account)
        if reason is None:
            self.inaccessible_accounts.pop(name, None)
        elif self.inaccessible_accounts.get(name) != reason:
            self.inaccessible_accounts[name] = reason
            self.members.request_listings()
            log.warning("%s", describe_failure(Location("", name), reason))
        opened = [self._add_cell(account, cell) for cell in new_cells]
        self._record_access(name, new_cells)
        self.open_attempted[name].set()
        return opened

    async def _open_cells(self, account: Account) -> tuple[list[Cell], Failure | None]:
        """Return the cells of an account that are not watched yet, and the reason if there are none."""
        try:
            scopes = self.registry.scopes_of(account.services)
            cells = await open_cells(
                account, self.config.endpoint_url, self.aws_telemetry, self.shared_aws, scopes
            )
        except Exception as error:  # even a wrong AWS_ENDPOINT_URL affects this account only
            return [], failure_from(error)
        await self._account_turns.wait()  # making the cells of an account takes 10 ms
        used_cells = [cell for cell in cells if self.collectors_of(account, cell)]
        new_cells = [cell for cell in used_cells if not self._is_watched_by_role(cell.key)]
        return new_cells, DUPLICATE_ENTRY if used_cells and not new_cells else None

    def _is_watched_by_role(self, key: CellKey) -> bool:
        """Return whether a cell is watched, and not only through a monitoring account."""
        return key in self.cells and not isinstance(self.cells[key].cell, LinkedCell)

    def has_role(self, account_id: str) -> bool:
        """Return whether an account is opened directly, not only read through a monitoring account."""
        return any(status.account == account_id for status in self.accounts.values())

    def collectors_of(self, account: Account, cell: Cell) -> list[Collector]:
        """Return the collectors that a cell reads, of the account's services that are not excluded."""
        location = Location(cell.account, account.name or "", cell.key[1])
        services = {
            service
            for service in account.services
            if not excludes_all_of(self.config.exclude, location._replace(service=service), self.registry)
        }
        services &= self._used_services
        collectors = [self._collectors[each.service] for each in self.registry.collectors_of(services)]
        return [
            collector
            for collector in collectors
            if cell.scope in collector.scopes and _is_offered(collector, cell)
        ]

    def _record_access(self, name: str, cells: Sequence[Cell]) -> None:
        """Record how an attempt to open an account ended."""
        status = self.accounts[name]
        status.access.end(
            (self.inaccessible_accounts[name],) if name in self.inaccessible_accounts else (), time.time()
        )
        if cells:
            self.accounts[name] = replace(status, account=cells[0].account)

    def _add_cell(self, account: Account, cell: Cell) -> CellWatcher:
        """Add a cell that is read with its account's own credentials, and return its watcher."""
        collectors = self.collectors_of(account, cell)
        cell.collector_states[KnownQuotas] = KnownQuotas(CallBudget(self.quota_calls))
        declared_quotas = self.registry.quotas(collector.service for collector in collectors)
        quotas = QuotaBook(cell, declared_quotas, self.timings.quota_interval, on_demand=True)
        self.linked.add_monitoring(account, cell)
        self.linked.request_list()
        return self.watch_cell(account, cell, collectors, quotas)

    def watch_cell(
        self, account: Account, cell: Cell, collectors: Sequence[Collector], quotas: QuotaBook
    ) -> CellWatcher:
        """Add a cell to the watched cells, and return its watcher."""
        inventory = Inventory(cell, self.fleet, self.config, self.registry, quotas, account.name or "")
        if inherited := self.inherited.get(cell.key):
            inventory.discovered |= inherited
        shared_calls = partial(self.linked.shared_calls, cell.account)
        reader = MetricReader(
            cell,
            self.fleet,
            self._metric_services,
            self.polled,
            shared_calls=shared_calls,
            planner=self.planner,
        )
        if budget := self.planner.budget:
            cell.set_grant(lambda metrics: budget.grant(self.fleet.payer_of(cell.key)[0], metrics))
        watched = CellWatcher(inventory, reader, collectors, self.telemetry, self.timings)
        watched.poll_phase = cell.region if self._may_share_calls(cell.account) else ""
        watched.on_denial = self.members.request_listings
        self.cells[cell.key] = watched
        return watched

    def _may_share_calls(self, account_id: str) -> bool:
        """Return whether the metrics of an account may be requested together with other accounts'."""
        monitoring = {account for account, _ in self.linked.links}
        return account_id in monitoring or any(entry.reads_linked(account_id) for entry in self._entries)

    async def run_cell(self, watched: CellWatcher) -> None:
        """Run the watcher of a cell until cancelled; cells begin one after the other."""
        await self._cell_starts.wait_for_turn()
        await watched.run(self.config, self._service_starts)

    def known_quotas(self) -> Mapping[CellKey, KnownQuotas]:
        """Return copies of the known quotas of all cells, for use in another thread."""
        states = {key: watched.cell.collector_states for key, watched in self.cells.items()}
        quotas = {key: state[KnownQuotas].copy() for key, state in states.items() if KnownQuotas in state}
        return {**quotas, **self.linked.known_quotas()}

    def request_inventory(self, cell: CellKey, service: str) -> None:
        """Have the inventory of a service run soon, if the cell is watched."""
        if watched := self.cells.get(cell):
            watched.request_inventory(service)

    def discovered(self) -> Mapping[CellKey, DiscoveredSeries]:
        """Return the series that the inventories discovered, for `inherited` of the next watcher."""
        departed = self.members.departed
        inherited = {key: keys for key, keys in self.inherited.items() if key[0] not in departed}
        return inherited | {key: watched.inventory.discovered for key, watched in self.cells.items()}

    async def _drop_unmonitored(self) -> None:
        """Drop the series of cells and services that only an earlier configuration had."""
        names = {status.account: status.name for status in self.accounts.values()}
        inaccessible = {self.accounts[name].account for name in self.inaccessible_accounts}
        await self.drop(lambda key: not self._monitors(key, names.get(key.account, ""), inaccessible))

    async def drop(self, is_dropped: Callable[[Key], bool]) -> None:
        """Drop the series whose keys meet a condition."""
        for number, key in enumerate(tuple(self.fleet.series)):
            if key in self.fleet.series and is_dropped(key):
                self.fleet.drop(key)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _monitors(self, key: Key, account_name: str, inaccessible: Set[str]) -> bool:
        """Return whether this configuration monitors a series. inaccessible: ids of inaccessible accounts."""
        if self.config.is_excluded(SelectorLabels(**key.labels, account_name=account_name)):
            return False
        if not self.config.signals.includes(self.registry.signal(key.service, key.signal)):
            return False
        if watched := self.cells.get(key.cell):
            return key.service in watched.services
        if not self.members.are_known or self.linked.may_link_more(key.region):
            return True
        return key.account in inaccessible or UNKNOWN_ACCOUNT in inaccessible

    async def run(self) -> None:
        """Watch all accounts until cancelled, and close the clients at the end.

        It ends by itself only if every cell is excluded.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for account in self._entries:
                    tasks.create_task(self.run_account(account))
                self.members.start(tasks, self.telemetry)
                await self._wait_for_first_reads()
                await self._drop_unmonitored()
                self.complete.set()
        finally:
            await self.close()

    async def _wait_for_first_reads(self) -> None:
        """Wait until opening every account was attempted and every cell had its first full poll."""
        await self.members.wait_until_attempted()
        for attempted in tuple(self.open_attempted.values()):
            await attempted.wait()
        for link in tuple(self.linked.links.values()):
            await link.attempted.wait()
        for watched in tuple(self.cells.values()):
            await watched.polled_once.wait()

    async def run_account(self, account: Account) -> None:
        """Open an account, with retries until it succeeds, and watch its cells until cancelled."""
        async for _ in self.timings.schedule(account_name(account), self.timings.open_retry_interval).ticks():
            cell_watchers = await self.open_account(account)
            if account_name(self.members.with_present_name(account)) not in self.inaccessible_accounts:
                break
        async with asyncio.TaskGroup() as loops:
            for link in self.linked.links_of(account):
                loops.create_task(link.run(self.telemetry))
            for watched in cell_watchers:
                loops.create_task(self._watch_while_enabled(account, watched))
            if ALL_REGIONS in account.regions and cell_watchers:
                await self._watch_new_regions(account, loops)

    async def _watch_while_enabled(self, account: Account, watched: CellWatcher) -> None:
        """Watch a cell; while its region is not enabled, check at long intervals whether it is."""
        while True:
            await self.run_cell(watched)
            await self._skip(account, watched)
            async for _ in self._region_schedule("/".join(watched.cell.key)).ticks():
                if await _is_region_enabled(watched.cell):
                    break
            watched = self._add_cell(self.members.with_present_name(account), watched.cell)
            self._set_disabled(account, watched.cell.region, is_disabled=False)

    def _region_schedule(self, name: str) -> Schedule:
        return self.timings.schedule(f"{name}/regions", self.timings.region_interval)

    async def _skip(self, account: Account, watched: CellWatcher) -> None:
        """Stop watching a cell whose region is not enabled, and drop its series."""
        cell = watched.cell
        self.cells.pop(cell.key, None)
        self._set_disabled(account, cell.region, is_disabled=True)
        await self.drop(lambda key: key.cell == cell.key)

    def _set_disabled(self, account: Account, region: str, *, is_disabled: bool) -> None:
        """Record whether a region is enabled, and log it once."""
        status = self.accounts[account_name(self.members.with_present_name(account))]
        regions = {*status.disabled_regions} - {region} | ({region} if is_disabled else set())
        self.accounts[status.name] = replace(status, disabled_regions=tuple(sorted(regions)))
        change = "is not enabled: it is not read" if is_disabled else "has been enabled: it is read"
        log.warning("account %s: %s %s", status.name, region, change)

    async def _watch_new_regions(self, account: Account, loops: asyncio.TaskGroup) -> None:
        """Check at long intervals for newly enabled regions, and watch them."""
        watched_keys, ticks = {*self.cells}, self._region_schedule(account_name(account)).ticks()
        await anext(ticks)  # the immediate tick: the account has just been opened
        async for _ in ticks:
            cells, _ = await self._open_cells(account)
            for cell in cells:
                if cell.key not in watched_keys:
                    watched_keys.add(cell.key)
                    loops.create_task(
                        self._watch_while_enabled(
                            account, self._add_cell(self.members.with_present_name(account), cell)
                        )
                    )

    async def open_all(self) -> Mapping[CellWatcher, Account]:
        """Open every account once, also those of organizations; return cell watchers with their accounts."""
        await self.members.read()
        accounts = [*self.config.monitored_accounts(self.registry), *self.members.accounts]
        opened = await asyncio.gather(*map(self.open_account, accounts))
        return {
            watched: account
            for account, cell_watchers in zip(accounts, opened, strict=True)
            for watched in cell_watchers
        }

    async def run_once(self, report: Callable[[int, int], None], *, with_polls: bool = True) -> None:
        """Run one inventory of every cell and, if `with_polls`, one poll, which AWS bills.

        report: called with the number of finished steps and the number of all steps.
        """
        accounts = await self.open_all()
        await asyncio.gather(*(link.read() for link in self.linked.links.values()))
        linked_watchers = (watched for link in self.linked.links.values() for watched in link.cells())
        watchers = [*accounts, *linked_watchers]
        step_count, finished_count = (2 if with_polls else 1) * len(watchers), 0

        def count_step() -> None:
            nonlocal finished_count
            finished_count += 1
            report(finished_count, step_count)

        async def run_inventory(watched: CellWatcher) -> None:
            await self._cell_starts.wait_for_turn()
            await watched.run_inventory()
            count_step()

        async def run_poll(watched: CellWatcher) -> None:
            await watched.run_poll()
            count_step()

        await asyncio.gather(*map(run_inventory, watchers))
        if with_polls:
            await asyncio.gather(*map(run_poll, watchers))  # concurrently, as cells share calls
        for watched, account in accounts.items():
            if watched.cell.region_check.disabled.is_set():
                await self._skip(account, watched)

    def cell_statuses(self) -> list[CellStatus]:
        """Return copies of the present status of all cells."""
        statuses = [watched.status() for watched in self.cells.values()]
        for n, status in enumerate(statuses):
            if link := self.linked.links.get((status.account, status.region)):
                collectors = {**status.collectors, LINKS: replace(link.status)}
                statuses[n] = replace(status, collectors=collectors)
        return statuses

    def account_statuses(self) -> list[AccountStatus]:
        """Return copies of the present status of all accounts."""
        statuses = (replace(status, access=replace(status.access)) for status in self.accounts.values())
        return [*statuses, *self.linked.statuses()]

    def pending(self) -> list[str]:
        """Return the accounts that were not opened and the services that were not read yet, as texts."""
        unopened = self.members.pending()
        attempts = self.open_attempted.items()
        unopened += [f"account {name}" for name, attempted in attempts if not attempted.is_set()]
        links = self.linked.links.items()
        unopened += [f"accounts linked to {'/'.join(key)}" for key, link in links if not link.is_known]
        pending_services = ((key, watched.pending) for key, watched in self.cells.items())
        unread = [f"{'/'.join(key)} ({', '.join(names)})" for key, names in pending_services if names]
        return unopened + unread

    def may_discover(self, cell: CellKey, service: str) -> bool:
        """Return whether the first inventory of a service of a cell has not ended yet."""
        if watched := self.cells.get(cell):
            return watched.may_discover(service)
        all_opened = all(attempted.is_set() for attempted in self.open_attempted.values())
        return self.linked.may_link_more(cell[1]) or not all_opened or bool(self.members.pending())

    async def close(self) -> None:
        """Close the clients, unless they are shared with another watcher."""
        await asyncio.gather(*(link.calls.aclose() for link in self.linked.links.values()))
        if self.clients is None:
            await self.shared_aws.clients.aclose()

    def failures(self) -> Iterator[tuple[Location, Failure]]:
        """Yield all present failures, each with its location, which has no service for a failed poll."""
        for name, failure in self.inaccessible_accounts.items():
            yield Location(self.accounts[name].account, name), failure
        for account_status in self.accounts.values():
            for region in account_status.disabled_regions:
                disabled = failure_from(RegionDisabledError(region=region))
                yield Location(account_status.account, account_status.name, region), disabled
        for (account, region), watched in self.cells.items():
            location = Location(account, watched.inventory.account_name, region)
            link = self.linked.links.get((account, region))
            links = {LINKS: link.status} if link else {}
            for service, status in {**watched.statuses, "": watched.poll_status, **links}.items():
                yield from ((location._replace(service=service), failure) for failure in status.failures)

    def sentences(self) -> list[str]:
        """Return the failures as sentences, each once, as several reads may fail in the same way."""
        sentences = (describe_failure(*failure) for failure in self.failures())
        return [*dict.fromkeys((*self.members.list_failures(), *sentences))]
