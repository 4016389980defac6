"""Watches one cell: runs its inventories, its readings of quotas and its polls, each on its own schedule."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from collectors.base import Collector
from collectors.registry import ACTIVITY, TAGS
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus
from monitor.config.config import Config
from monitor.cost.prices import LIST_PRICES, AccountPrices, PriceTable
from monitor.lib.schedule import Schedule, repeat, repeat_all, run_guarded
from monitor.lib.telemetry import ProcessTelemetry
from monitor.planning.intervals import MAX_INTERVAL
from monitor.polling.empty_inventories import EmptyInventories
from monitor.polling.idle_watch import IdleWatch
from monitor.polling.inventory import Inventory
from monitor.polling.reader import MetricReader
from monitor.polling.timings import DEFAULT_TIMINGS, PollingTimings

MAX_SERVICE_STARTS_PER_SECOND = 400.0  # by cells that share a limiter; all at once would block the loop
MAX_REQUESTED_INVENTORIES = 16  # services that may be queued for an unscheduled inventory


class CellWatcher:
    """Runs the inventories, the readings of quotas and the polls of one cell, and holds their status.

    inventoried_once: set after the first inventory of every service. polled_once: set after the first poll of
    all metrics that these inventories found. poll_phase: cells with the same phase are polled at the same
    time, to share calls; empty: the cell has its own phase. reader: reads the cell's metrics. on_denial:
    called after a denial that may be permanent (see `RunStatus.needs_confirmation`).
    """

    def __init__(
        self,
        inventory: Inventory,
        reader: MetricReader,
        collectors: Iterable[Collector],
        telemetry: ProcessTelemetry,
        timings: PollingTimings = DEFAULT_TIMINGS,
    ) -> None:
        self.cell, self.inventory, self.reader = inventory.cell, inventory, reader
        self._telemetry, self._timings = telemetry, timings
        self._collectors = tuple(collectors)
        self.services = {collector.service for collector in self._collectors}
        self._not_inventoried = {*self.services, TAGS}
        # Set after the first inventories of all services except those that wait for it (`reads_last`).
        self._prior_services_inventoried = asyncio.Event()
        self._mark_prior_services_inventoried()
        self.poll_status, self.poll_phase, self.activity_status = RunStatus(), "", RunStatus()
        self.on_denial: Callable[[], None] = lambda: None
        self.inventoried_once, self.polled_once = asyncio.Event(), asyncio.Event()
        self._service_inventoried, self._tags_read = asyncio.Event(), asyncio.Event()
        self._is_first_poll = True
        self._requested_services = asyncio.Queue[str](MAX_REQUESTED_INVENTORIES)
        self._poll_lock, self._poll_requested = asyncio.Lock(), asyncio.Event()
        self._quotas_requested = asyncio.Event()
        self._inventory_locks = {service: asyncio.Lock() for service in self.services}
        self._empty_inventories = {service: EmptyInventories() for service in self.services}

    @property
    def has_read(self) -> bool:
        """True if a call to AWS that an inventory made has succeeded."""
        return any(self.cell.has_succeeded.get(service) for service in self.services)

    async def run_inventory(self) -> None:
        """Run one inventory of all services concurrently, and read quotas and the tags of resources.

        No resource waits for its turn, as no other inventory follows.
        """
        inventories = (self._inventory_service(collector, by_turns=False) for collector in self._collectors)
        await asyncio.gather(self.inventory.quotas.read(), *inventories, self._read_tags())

    async def _read_tags(self) -> None:
        try:
            await self.inventory.read_tags(self._collectors)
        finally:
            self._tags_read.set()
            self._mark_inventoried(TAGS)

    async def _inventory_service(self, collector: Collector, *, by_turns: bool = True) -> None:
        try:
            async with self._inventory_locks[collector.service]:
                if collector.reads_last:
                    await self._wait_for_prior_services()
                status = await self.inventory.run(collector, by_turns=by_turns)
            is_empty = not (self.inventory.found_counts[collector.service] or status.failures)
            self._empty_inventories[collector.service].record(is_empty, asyncio.get_running_loop().time())
            self._schedule_confirmation(status, partial(self._request_confirmation, collector.service))
        finally:
            self._mark_inventoried(collector.service)

    async def _wait_for_prior_services(self) -> None:
        """Wait for the first inventories of all services that do not read last, up to a time-out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.prior_services_timeout):
                await self._prior_services_inventoried.wait()

    async def _inventory_on_schedule(self, collector: Collector, interval: float) -> None:
        """Run the inventory of a service, unless it is unused and it is too early to look again."""
        now = asyncio.get_running_loop().time()
        empty_inventories = self._empty_inventories[collector.service]
        if collector.reads_last or empty_inventories.is_due(now, interval):
            await self._inventory_service(collector)
        next_interval = interval if collector.reads_last else empty_inventories.interval(interval)
        self.inventory.statuses[collector.service].set_interval(next_interval)

    async def _inventory_waiting_services(self) -> None:
        """Run the inventories of the services whose resources wait for their turn to be read."""
        statuses = self.inventory.statuses
        inventories = (
            self._run_once("inventory", partial(self._inventory_service, collector))
            for collector in self._collectors
            if collector.service in statuses and statuses[collector.service].waiting
        )
        await asyncio.gather(*inventories)

    async def _inventory_waiting_on_schedule(self) -> None:
        name = f"{'/'.join(self.cell.key)}/waiting"
        async for _ in self._timings.schedule(name, self._timings.waiting_interval).ticks():
            await self._inventory_waiting_services()

    def _mark_inventoried(self, service: str) -> None:
        if service in self._not_inventoried:
            self._not_inventoried.discard(service)
            self._service_inventoried.set()
            self._mark_prior_services_inventoried()
        if not self._not_inventoried:
            self.inventoried_once.set()

    def _mark_prior_services_inventoried(self) -> None:
        if all(
            collector.reads_last or collector.service not in self._not_inventoried
            for collector in self._collectors
        ):
            self._prior_services_inventoried.set()

    def status(self) -> CellStatus:
        """Return a copy of the present status."""
        return CellStatus(
            account=self.cell.account,
            region=self.cell.key[1],
            name=self.inventory.account_name,
            collectors={name: replace(status) for name, status in self.statuses.items()},
            poll=replace(self.poll_status),
            signer=self.cell.signer,
            lowered_rates=sorted(self.cell.lowered_rates()),
            requests_unknown_reason=self.inventory.quotas.requests_unknown_reason,
        )

    @property
    def statuses(self) -> Mapping[str, RunStatus]:
        """The status of the inventories, by service, and under ACTIVITY that of lists of active metrics."""
        activity = {ACTIVITY: self.activity_status} if self.activity_status.ended_at else {}
        return {**self.inventory.statuses, **activity}

    @property
    def pending(self) -> list[str]:
        """The services without an inventory yet, sorted; ["metrics"] if only the first poll is missing.

        The number of series found so far follows the service: `lambda: 403 series so far`.
        """
        services = map(self._with_progress, sorted(self._not_inventoried - {TAGS}))
        return [*services] or ([] if self.polled_once.is_set() else ["metrics"])

    def _with_progress(self, service: str) -> str:
        found_count = self.inventory.found_counts[service]
        return f"{service}: {found_count:,} series so far" if found_count else service

    def may_discover(self, service: str) -> bool:
        """Return whether the first inventory of a service may still find series, as it has not ended."""
        return service in self._not_inventoried

    def request_inventory(self, service: str) -> None:
        """Have the inventory of a service run soon; the request is dropped when too many are queued."""
        with suppress(asyncio.QueueFull):
            self._requested_services.put_nowait(service)

    def _request_confirmation(self, service: str) -> None:
        """Request the inventory and the quotas of a service again, to confirm failures."""
        self._quotas_requested.set()
        self.request_inventory(service)

    async def _run_requested_inventories(self) -> None:
        collectors = {collector.service: collector for collector in self._collectors}
        while True:
            if collector := collectors.get(await self._requested_services.get()):
                await self._run_once("inventory", partial(self._inventory_service, collector))

    async def _run_requested_polls(self) -> None:
        while True:
            await self._poll_requested.wait()
            self._poll_requested.clear()
            await self._run_once("poll", self.run_poll)

    async def _run_requested_quotas(self) -> None:
        while True:
            await self._quotas_requested.wait()
            self._quotas_requested.clear()
            await self._run_once("quotas", self.inventory.quotas.read)

    async def _run_once(self, loop: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run unscheduled work, guarded like scheduled work."""
        await run_guarded(loop, "/".join(self.cell.key), work, self._telemetry)

    def _schedule_confirmation(self, status: RunStatus, request: Callable[[], None]) -> None:
        """Request another run soon if the failures may be permanent, as a single failure raises no alert."""
        if status.needs_confirmation:
            self.on_denial()
            asyncio.get_running_loop().call_later(self._timings.confirmation_delay, request)

    async def run_poll(self) -> None:
        """Poll all metrics that are due."""
        async with self._poll_lock:
            await self._poll_metrics()

    async def _poll_metrics(self, *, only_new: bool = False) -> None:
        is_all_inventoried = self.inventoried_once.is_set()
        self.poll_status.start(time.time())
        failures = await self.reader.read(self.cell.clock.minute(), only_new=only_new)
        now = time.time()
        has_read = self.reader.requested_count > 0
        not_retried = self.poll_status.failures if only_new and not has_read else ()
        self.poll_status.end(failures, now, not_retried, has_read=has_read)
        if not self.poll_status.failures and (has_read or self.reader.has_metrics):
            self.cell.telemetry.poll_time.labels(*self.cell.key).set(now)
        if is_all_inventoried:
            self.polled_once.set()
        if failures:
            self._schedule_confirmation(self.poll_status, self._poll_requested.set)

    async def _poll_new_metrics(self) -> None:
        """Poll the metrics that no poll has requested yet; does nothing while there are none.

        Once every service was inventoried it polls in any case, to set `polled_once`. It first waits for
        tags, up to a time-out, as alerts are routed by them.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.tags_timeout):
                await self._tags_read.wait()
        self._tags_read.set()
        async with self._poll_lock:
            if self.reader.has_new_metrics or self.inventoried_once.is_set():
                await self._poll_metrics(only_new=True)

    async def _poll_first_inventory(self) -> None:
        """Poll what the first inventory has found so far, so that no service waits for a slower one.

        Only new metrics are requested, as AWS bills each request.
        """
        while not self.polled_once.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.first_polls_interval):
                    await self._service_inventoried.wait()
            self._service_inventoried.clear()
            if self.reader.has_new_metrics or self.inventoried_once.is_set():
                await self._run_once("poll", self._poll_new_metrics)
        self.reader.finish_first_polls()

    async def run(self, config: Config, starts: RateLimiter | None = None) -> None:
        """Run inventories and polls until cancelled; no service waits for the end of another one.

        Ends early if the region turns out not to be enabled in the account. starts: a limiter shared with
        other cells, so that the services of all cells begin one after the other.
        """
        admit = (starts or RateLimiter(MAX_SERVICE_STARTS_PER_SECOND)).acquire
        loops_task = asyncio.create_task(self._run_loops(config, admit))
        disabled_task = asyncio.create_task(self.cell.region_check.disabled.wait())
        try:
            await asyncio.wait({loops_task, disabled_task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loops_task.cancel()
            disabled_task.cancel()
            await asyncio.wait({loops_task, disabled_task})
        if not loops_task.cancelled() and (error := loops_task.exception()):
            raise error
        self.inventoried_once.set()
        self.polled_once.set()

    async def _run_loops(self, config: Config, admit: Callable[[], Awaitable[None]]) -> None:
        name, telemetry, schedule = "/".join(self.cell.key), self._telemetry, self._timings.schedule
        inventories = (
            (
                schedule(f"{name}/{collector.service}", config.inventory_interval),
                partial(self._inventory_on_schedule, collector, config.inventory_interval),
            )
            for collector in self._collectors
        )
        tags = schedule(f"{name}/{TAGS}", config.inventory_interval), self._read_tags
        async with asyncio.TaskGroup() as loops:
            loops.create_task(repeat_all("inventory", (tags, *inventories), telemetry, admit))
            loops.create_task(self._inventory_waiting_on_schedule())
            quota_schedule = schedule(f"{name}/quotas", self._timings.quota_retry_interval)
            loops.create_task(repeat("quotas", quota_schedule, self.inventory.quotas.read, telemetry))
            loops.create_task(self._run_requested_quotas())
            loops.create_task(self._run_requested_inventories())
            loops.create_task(self._run_requested_polls())
            loops.create_task(self._poll_first_inventory())
            if watch := self._idle_watch(config.price_table):
                list_schedule = schedule(f"{name}/{ACTIVITY}", watch.list_interval * 60.0)
                list_active = partial(self._list_active, watch)
                loops.create_task(repeat("activity", list_schedule, list_active, telemetry))
            loops.create_task(
                repeat("poll", self._poll_schedule(config.interval), self._poll_on_schedule, telemetry)
            )

    def _idle_watch(self, table: PriceTable) -> IdleWatch | None:
        """Return the watch that lets idle metrics be read more rarely; None if nothing is to be gained."""
        reader, planner = self.reader, self.reader.planner
        if not planner or planner.reads_all_equally or planner.longest >= MAX_INTERVAL:
            return None
        account_prices = AccountPrices(table, self.cell.telemetry.partitions)
        prices = account_prices.of(self.cell.signing_account) or LIST_PRICES  # only their ratio counts
        watch = IdleWatch(reader.cell, reader.fleet, reader.metric_services, planner, prices)
        watch.on_wake = self._poll_requested.set
        return watch

    async def _list_active(self, watch: IdleWatch) -> None:
        """List which idle metrics have points again."""
        self.activity_status.start(time.time())
        self.activity_status.set_interval(watch.list_interval * 60.0)
        failures = await watch.update(self.cell.clock.minute())
        self.activity_status.end(failures, time.time(), has_read=watch.pages > 0)

    def _poll_schedule(self, interval: float) -> Schedule:
        return self._timings.schedule("/".join(self.cell.key), interval, self.poll_phase)

    async def _poll_on_schedule(self) -> None:
        """Poll all metrics; the first run, right after the start, polls only metrics not requested yet."""
        is_first, self._is_first_poll = self._is_first_poll, False
        await (self._poll_new_metrics() if is_first else self.run_poll())
