"""The inventory of a cell: runs collectors, registers the series they find, and drops missing series."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Container,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from collectors.base import (
    MAY_EXIST,
    NOT_READ_YET,
    Collector,
    Observed,
    Resource,
    ScanFunction,
    ServiceScope,
    Unobservable,
)
from collectors.errors import ServiceNotOfferedError
from collectors.quota_requests import QuotaRequest
from collectors.registry import TAGS, Registry
from collectors.resource import ResourcePath
from collectors.tags import arns_of
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, failure_from
from monitor.aws.run_status import RunStatus
from monitor.aws.scan import LimitReadAt, Scan
from monitor.aws.service_use import ServiceUse
from monitor.config.config import Config
from monitor.fleet.below_band import ResourcesBelowBand, resources_below_band
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.fleet.limits import doubted_paths
from monitor.fleet.series_settings import SeriesSettings, stale_after
from monitor.polling.digest import digest_of
from monitor.polling.discovered_series import DiscoveredSeries
from monitor.polling.known_series import KnownSeries, ScannedSeries
from monitor.polling.quota_book import KnownQuota, QuotaBook
from monitor.polling.scan_result import ScanResult
from monitor.polling.tags import TagLabels
from monitor.schema.selector import SelectorLabels
from rules.limits import PUBLISHED_ONLY, QUOTA_SOURCES, Limit, LimitSource, effective_limit
from rules.signals import DELIBERATE_CAP_BAND, LimitKind, Quota, Signal

log = logging.getLogger(__name__)

YIELD_EVERY = 100  # series to process before yielding to other tasks
ACTUAL_SOURCES = (LimitSource.METRIC, LimitSource.API)  # read from the resource or the account itself
PRECEDENCE = tuple(LimitSource)

_inventory_numbers = count(1)


@dataclass(eq=False)
class Inventory:
    """Keeps the series of a cell in the fleet up to date with the resources that collectors find.

    account_name: the configured name of the account; may be empty. statuses: by service; under TAGS, the
    status of reading tags. discovered: the series that the last scans found. found_counts: by service, the
    number of series that the last inventory has found so far.
    """

    cell: Cell
    fleet: Fleet
    config: Config
    registry: Registry
    quotas: QuotaBook
    account_name: str = ""
    statuses: dict[str, RunStatus] = field(default_factory=dict, init=False)
    discovered: DiscoveredSeries = field(default_factory=DiscoveredSeries, init=False)
    found_counts: Counter[str] = field(default_factory=Counter, init=False)
    _services_in_use: set[str] = field(default_factory=set, init=False)  # those with series when read last
    # By `ScanResult.source`.
    _known_series: dict[tuple[str, str], KnownSeries] = field(default_factory=dict, init=False)
    _number: int = field(default_factory=_inventory_numbers.__next__, init=False)  # unique among inventories

    def __post_init__(self) -> None:
        self._tags = TagLabels(self.cell, self.config.tag_labels)
        self._declared_quotas = frozenset(
            self.registry.quotas(self.config.services or self.registry.service_names)
        )
        # By service, the number of the last reading of quotas whose failures were reported.
        self._reported_readings: dict[str, int] = {}

    async def run(self, collector: Collector, *, by_turns: bool = False) -> RunStatus:
        """Run the inventory of a service; return its status, which contains the failures.

        The series of a failed scan, and of a resource whose call failed, are kept with their last limits.
        by_turns: make only a bounded number of the calls about single resources, and the others in later
        inventories (see `monitor.aws.turns`).
        """
        status = self.statuses.setdefault(collector.service, RunStatus())
        status.start(time.time())
        self.found_counts[collector.service] = 0
        self.cell.call_turns.of(collector.service).begin(self.cell.clock.now(), is_bounded=by_turns)
        quotas, failures = self.registry.quotas([collector.service]), list[Failure]()
        use, waiting = ServiceUse(len(collector.scans)), set[ResourcePath]()
        slots = self.fleet.slots_of(self.discovered.of_service(collector.service))
        doubted, below_band = doubted_paths(self.fleet, slots), resources_below_band(self.fleet, slots)
        new_scans = (
            (function, self._new_scan(collector, use, doubted, below_band)) for function in collector.scans
        )
        scans = (self._scan(collector, function, scan, quotas) for function, scan in new_scans)
        results = await asyncio.gather(*scans)
        for result in results:
            await self._drop_missing(result)
            failures += result.failures
            waiting |= result.waiting
        self.cell.call_turns.end(collector.service)
        self._record_waiting(collector.service, status, len(waiting))
        if self.found_counts[collector.service]:
            self._services_in_use.add(collector.service)
        else:
            self._services_in_use.discard(collector.service)
        new_failures, reported_failures = self._quota_failures(collector.service, quotas)
        now = time.time()
        status.end(failures + new_failures, now, reported_failures)
        if all(result.is_complete for result in results):
            status.set_unread(waiting.union(*(result.failed_paths for result in results)))
        if not status.failures:
            self.cell.telemetry.inventory_time.labels(*self.cell.key, collector.service).set(now)
        return status

    def _record_waiting(self, service: str, status: RunStatus, resource_count: int) -> None:
        """Record how many resources wait for their turn; log the number if none waited before."""
        if resource_count and not status.waiting:
            log.info(
                "%s: %s: %d resources wait for their turn", "/".join(self.cell.key), service, resource_count
            )
        status.set_waiting(resource_count)

    async def read_tags(self, collectors: Iterable[Collector]) -> None:
        """Read the tags of all resources, if the configuration uses tags, and relabel the known series."""
        chosen = self._tags.collectors_with_arns(collectors)
        if not chosen:
            return
        status = self.statuses.setdefault(TAGS, RunStatus())
        status.start(time.time())
        status.end(await self._tags.read(chosen), time.time())
        if not status.failures:
            await self._relabel({collector.service: collector for collector in chosen})

    async def _relabel(self, collectors: Mapping[str, Collector]) -> None:
        """Set the labels of the known series to the tags that were just read."""
        settings_cache: dict[Hashable, SeriesSettings] = {}
        for number, key in enumerate(tuple(self.discovered)):
            series, collector = self.fleet.series.get(key), collectors.get(key.service)
            if series and collector:
                settings = replace(series.settings, tags=self._tags.labels_of(collector, key, {}, {}))
                self.fleet.retag(key, settings_cache.setdefault(settings.content, settings))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _quota_failures(self, service: str, quotas: Set[Quota]) -> tuple[list[Failure], list[Failure]]:
        """Return the failures to read a service's quotas: the new ones, and those reported before."""
        failures, last_reported = self.quotas.failures_of(quotas), self._reported_readings.get(service, 0)
        self._reported_readings[service] = max([last_reported, *(failed.reading for failed in failures)])
        new_failures = [failed.failure for failed in failures if failed.reading > last_reported]
        reported_failures = [failed.failure for failed in failures if failed.reading <= last_reported]
        return new_failures, reported_failures

    def _new_scan(
        self,
        collector: Collector,
        use: ServiceUse,
        doubted: Set[ResourcePath],
        below_band: ResourcesBelowBand,
    ) -> Scan:
        return Scan(
            self.cell.in_region(collector.region) if collector.region else self.cell,
            collector.service,
            includes=partial(self._includes, collector.service),
            has_own_limit=partial(self._has_own_limit, collector.service),
            declared_quotas=self._declared_quotas,
            quota_services_in_use=self._quota_services_in_use() if collector.reads_last else frozenset(),
            quota_services_with_approvals=self.quotas.approved_services,
            reads_quotas_of=self._reads_quotas_of,
            use=use,
            doubted_paths=doubted,
            below_band=below_band,
        )

    async def _scan(
        self, collector: Collector, function: ScanFunction, scan: Scan, quotas: Set[Quota]
    ) -> ScanResult:
        source = collector.service, function.__name__
        result = ScanResult(source, time.time(), scan.failures, scan.not_found, scan.waiting)
        scanned_series = self._scanned_series(collector, result, quotas)
        scan = replace(scan, known_series=scanned_series)
        number, observations = 0, function(scan)
        try:
            async for observed in observations:
                if not number:
                    await self.quotas.wait_until_read(quotas)
                number += 1
                if key := self._register(collector, observed, result):
                    self.found_counts[collector.service] += key not in result.keys
                    result.keys.add(key)
                if number % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            result.is_complete = True
        except Exception as error:  # an error of AWS, or an unexpected response; other scans continue
            errors = [part for part in _errors_in(error) if not isinstance(part, ServiceNotOfferedError)]
            result.failures += map(failure_from, errors)
            result.is_complete = not errors  # a service that the region does not offer has no resources
        else:
            scanned_series.end(partial(self._slot_of, result), result.failed_paths)
        finally:
            if isinstance(observations, AsyncGenerator):
                await observations.aclose()  # otherwise asyncio closes it later, in a task of its own
            scan.record_listed()
        return result

    def _scanned_series(self, collector: Collector, result: ScanResult, quotas: Set[Quota]) -> ScannedSeries:
        """Return the object by which a scan confirms known series while AWS's answers are unchanged."""
        known = self._known_series.setdefault(result.source, KnownSeries(self.fleet))
        context = partial(self._context, tuple(quotas), result)
        return ScannedSeries(known, context, partial(self._confirm_known, result))

    def _context(self, quotas: Sequence[Quota], result: ScanResult) -> Hashable:
        """Return all that the registration of a scan's series depends on beside the observations."""
        readings = tuple([known and known.reading for known in map(self.quotas.last_known, quotas)])
        return readings, self.quotas.requests_version, result.has_failed

    def _confirm_known(self, result: ScanResult, found: Iterable[Series], read_at: LimitReadAt) -> None:
        """Confirm known series without observing them again. read_at: when their limits were read."""
        minute, count_before = self.cell.clock.minute(), len(result.keys)
        for series in found:
            result.keys.add(series.key)
            settings, source = series.settings, series.settings.source
            if source not in QUOTA_SOURCES:  # a quota's read time changes with its readings only
                limit_read_at = read_at(series.key.signal) if callable(read_at) else read_at
                if source is not LimitSource.API or limit_read_at is None:
                    limit_read_at = result.started_at
                settings = result.with_read_time(settings, limit_read_at)
            self.fleet.confirm(series, settings, minute)
        self.found_counts[result.source[0]] += len(result.keys) - count_before

    def _slot_of(self, result: ScanResult, observed: Observed) -> int | None:
        """Return the slot of a series that a scan found; None if the series is excluded."""
        key = Key(*self.cell.key, result.source[0], observed.signal, observed.resource.utf8_safe)
        return self.fleet.series[key].slot if key in result.keys else None

    def _quota_services_in_use(self) -> Set[str]:
        """Return the service codes with series in the last inventories, and the configured service codes."""
        configured = self.config.signals.quota_services(self.registry)
        return self.quota_services_found() | {*filter(self._reads_quotas_of, configured)}

    def quota_services_found(self) -> Set[str]:
        """Return the service codes with series in the last inventories."""
        in_use = (name for name, count in self.found_counts.items() if count or name in self._services_in_use)
        return {*filter(self._reads_quotas_of, self.registry.quota_services(in_use))}

    def _reads_quotas_of(self, service_code: str) -> bool:
        return self.registry.quota_scope(service_code) is self.cell.scope

    def _includes(self, service: str, signal: str, resource: Resource) -> bool:
        return self._is_included(Key(*self.cell.key, service, signal, resource.utf8_safe))

    def _has_own_limit(self, service: str, signal: str, resource: Resource) -> bool:
        key = Key(*self.cell.key, service, signal, resource.utf8_safe)
        return self.config.limit_override(self._labels(key)) is not None

    def _is_included(self, key: Key) -> bool:
        """Return whether the configuration includes a series."""
        signal = self.registry.signal(key.service, key.signal)
        return self.config.signals.includes(signal) and not self.config.is_excluded(self._labels(key))

    def _register(self, collector: Collector, observed: Observed, result: ScanResult) -> Key | None:
        """Register or confirm an observed series; return its key; None: excluded, or may not exist."""
        key = Key(*self.cell.key, collector.service, observed.signal, observed.resource.utf8_safe)
        is_unread = isinstance(observed.usage, Unobservable) and observed.usage in (NOT_READ_YET, MAY_EXIST)
        digest = 0 if is_unread else self._digest(key, observed, result)
        if series := self.fleet.registered(key, digest):
            self._confirm(series, observed, result)
        elif not self._is_included(key) or (observed.usage == MAY_EXIST and key not in self.fleet.series):
            return None
        elif not is_unread or key not in self.fleet.series:
            self._put(collector, key, observed, result, digest)
        self.discovered.add(key, result.source)
        return key

    def _digest(self, key: Key, observed: Observed, result: ScanResult) -> int:
        """Return the digest of all that a series is registered with except tags: `_relabel` updates them."""
        quota = self.registry.signal(key.service, key.signal).quota
        known = self.quotas.last_known(quota) if quota else None
        reading = known.reading if known else None
        return digest_of(observed, self._number, reading, self.quotas.requests_version, result.has_failed)

    def _put(
        self, collector: Collector, key: Key, observed: Observed, result: ScanResult, digest: int
    ) -> None:
        """Register a series. If its limit is from an earlier inventory, the next one registers it again."""
        settings, former = self._settings(collector, key, observed, result), self.fleet.series.get(key)
        if former and settings.limit and settings.limit is former.settings.limit:
            digest = 0
        self.fleet.put(key, observed, result.shared(settings), self.cell.clock.minute(), digest)

    def _confirm(self, series: Series, observed: Observed, result: ScanResult) -> None:
        """Confirm a series whose observation is unchanged."""
        settings = series.settings
        if settings.limit:
            known = self.quotas.last_known(settings.signal.quota) if settings.signal.quota else None
            quota_values = known.values_of(settings.quota_arn) if known else {}
            read_at = _read_at(settings.limit.source, observed, known, quota_values, result.started_at)
            settings = result.with_read_time(settings, read_at)
        usage = observed.usage if isinstance(observed.usage, float | int) else None
        self.fleet.confirm(series, settings, self.cell.clock.minute(), usage)

    def _labels(self, key: Key) -> SelectorLabels:
        return SelectorLabels(**key.labels, account_name=self.account_name)

    def _settings(
        self, collector: Collector, key: Key, observed: Observed, result: ScanResult
    ) -> SeriesSettings:
        labels = self._labels(key)
        signal = self.registry.signal(key.service, key.signal)
        is_number = isinstance(observed.usage, float | int)  # inventories read it, not polls
        interval = self.config.inventory_interval if is_number else self.config.longest_interval
        pending_for, keep_firing_for = (  # seconds
            self.config.alert_override(labels, name) for name in ("pending_for", "keep_firing_for")
        )
        former, quota = self.fleet.series.get(key), observed.quota or signal.quota
        arn = observed.quota_arn or self._quota_arn(collector, key, signal)
        return SeriesSettings(
            signal=signal,
            limit=self._limit(key, signal, observed, result, arn),
            band=self.config.band_for(labels, DELIBERATE_CAP_BAND if observed.deliberate else signal.band),
            delay=collector.publication_delay,
            stale_after=stale_after(max(interval, observed.longest_period), collector.publication_delay),
            pending_for=signal.pending_for if pending_for is None else pending_for // 60,
            tolerance=self.config.tolerance_for(labels, signal.tolerance),
            keep_firing_for=None if keep_firing_for is None else keep_firing_for // 60,
            paid=signal.kind is LimitKind.PROVISIONED,
            deliberate=observed.deliberate,
            bought=observed.bought,
            home_region=self.cell.region if self.cell.scope is ServiceScope.GLOBAL else "",
            quota_request=self._quota_request(quota, arn, signal),
            quota_arn=arn,
            largest_resource=observed.largest_resource,
            tags=self._tags.labels_of(collector, key, observed.tags, former.settings.tags if former else {}),
        )

    def _quota_arn(self, collector: Collector, key: Key, signal: Signal) -> str:
        """Return the ARN that the quota of a series applies to; empty if the quota is not per resource."""
        known = self.quotas.last_known(signal.quota) if signal.quota else None
        if not known or not known.context.per_resource:
            return ""
        return known.arn_among([*arns_of(collector, Scan(self.cell), key.subject)])

    def _quota_request(self, quota: Quota | None, arn: str, signal: Signal) -> QuotaRequest | None:
        """Return the newest request to increase a quota, in the signal's unit; None if there is none."""
        request = self.quotas.request_for(quota, arn)
        return request and request.in_signal_unit(signal.quota_unit)

    def _limit(
        self, key: Key, signal: Signal, observed: Observed, result: ScanResult, arn: str
    ) -> Limit | None:
        """Return the limit in force.

        While the source of the last limit cannot be read, the last limit outranks sources of lower
        precedence. An API cannot be read while its calls fail; Service Quotas, from a reload until the first
        reading.
        """
        if observed.usage == NOT_READ_YET:
            return None
        known = self.quotas.last_known(signal.quota) if signal.quota else None
        quota_values = known.values_of(arn) if known else {}
        candidates = {
            LimitSource.OVERRIDE: self.config.limit_override(self._labels(key)),
            LimitSource.METRIC: observed.limit if observed.published_limit else None,
            observed.limit_source: observed.limit,
            **{source: value * signal.quota_unit for source, value in quota_values.items()},
            LimitSource.DOCUMENTED: signal.default_limit(self.cell.region),
        }
        limit, former = effective_limit(candidates, result.started_at), self.fleet.series.get(key)
        if observed.published_limit and observed.limit is None and not candidates[LimitSource.OVERRIDE]:
            return Limit(PUBLISHED_ONLY, LimitSource.METRIC, result.started_at)
        last_limit = former.settings.limit if former else None
        unread_sources = (ACTUAL_SOURCES if result.has_failed else ()) + (() if known else QUOTA_SOURCES)
        if last_limit and last_limit.source in unread_sources and _has_lesser_source(limit, last_limit):
            return last_limit
        if limit is None:
            return None
        read_at = _read_at(limit.source, observed, known, quota_values, result.started_at)
        return replace(limit, read_at=read_at)

    async def _drop_missing(self, result: ScanResult) -> None:
        """Drop the series that the last run of the same scan found, and that are missing now."""
        is_dropped = result.drop_predicate()
        # A series that was found is dropped only if its resource was deleted during the scan.
        certain_keys = set[Key]() if result.not_found else result.keys
        for number, key in enumerate(self.discovered.of_source(result.source)):
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if key not in certain_keys and is_dropped(key):
                self.discovered.remove(key)
                if key in self.fleet.series:  # a reload may have dropped it
                    self.fleet.drop(key)


def _errors_in(error: Exception) -> Iterator[Exception]:
    """Yield the errors in an exception group, at any depth; yield any other error unchanged."""
    if isinstance(error, ExceptionGroup):
        for part in error.exceptions:
            yield from _errors_in(part)
    else:
        yield error


def _read_at(
    source: LimitSource,
    observed: Observed,
    known: KnownQuota | None,
    quota_values: Container[LimitSource],
    started_at: float,
) -> float:
    """Return when a limit of this source was read. started_at: when the scan began."""
    if known and source in quota_values:
        return known.read_at
    if source is observed.limit_source and observed.limit_read_at is not None:
        return observed.limit_read_at
    return started_at


def _has_lesser_source(limit: Limit | None, last_limit: Limit) -> bool:
    """Return true if there is no new limit, or its source ranks below the whole group of the last source.

    The last source is that of `last_limit`. The groups are ACTUAL_SOURCES and QUOTA_SOURCES.
    """
    sources = ACTUAL_SOURCES if last_limit.source in ACTUAL_SOURCES else QUOTA_SOURCES
    return not limit or PRECEDENCE.index(limit.source) > PRECEDENCE.index(sources[-1])
