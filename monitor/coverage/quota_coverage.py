"""The coverage of quotas: each quota of the services in use, whether it is watched, and if not, why."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from collectors.base import GLOBAL_REGION, ServiceScope
from collectors.quotas import QUOTAS_SERVICE
from collectors.registry import Registry
from collectors.service_quotas.count_file import read_counts
from collectors.service_quotas.known_quotas import KnownQuotas
from collectors.service_quotas.overrides import ReadAs
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import override_of_listed
from monitor.aws.failure import failure_from
from monitor.aws.status import CellStatus
from monitor.cost.bills import MetricUse, project_rows
from monitor.cost.prices import Prices
from monitor.coverage.cross_check import difference, report_notes
from monitor.coverage.unwatched_cost import (
    NOTHING_TO_WATCH,
    PollIntervals,
    WatchingCost,
    cost_of_metrics,
    cost_of_settings,
    cost_without_series,
)
from monitor.coverage.verdicts import (
    CoverageState,
    QuotaSeries,
    Verdict,
    verdict_of_failure,
    verdict_of_series,
    worst_failure,
)
from monitor.fleet.fleet import Series
from monitor.fleet.key import CellKey, Key
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone
from rules.signals import Quota, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCoverage:
    """One quota of an account in a region.

    value: the limit in force in AWS's unit; None if AWS does not return it. source: the source of the value.
    reason, enable: see `Verdict`. signals: the ids of the signals that watch the quota, or could.
    monthly_dollars: the list price of watching the quota, now or once it is watched: the price of the
    requested metrics, or of the AWS setting in `enable` (API calls are free); None if the cost is unknown or
    the quota cannot be watched. cost_note: what AWS charges, or why the cost is unknown; empty if the amount
    says enough. note: how AWS's report of utilization differs from Headroom's values; empty if they agree.
    """

    account: str
    region: str
    service_code: str
    code: str
    name: str
    value: float | None
    source: str
    adjustable: bool
    state: CoverageState
    reason: str = ""
    enable: str = ""
    signals: tuple[str, ...] = ()
    monthly_dollars: float | None = None
    cost_note: str = ""
    note: str = ""

    @property
    def has_unknown_cost(self) -> bool:
        """True if the quota can be watched, at an unknown cost."""
        return self.monthly_dollars is None and self.state is not CoverageState.NO_USAGE_SOURCE


NO_ROLE = "There is no role in this account: it is read by CloudWatch's cross-account observability alone."
DEFAULTS_ALONE = (
    "read without a role, so the values are AWS's defaults, and the applied values may be higher; see "
    "docs/linked-accounts.md"
)

SeriesByQuota = Mapping[Quota, Sequence[QuotaSeries]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The coverage of all accounts and regions, computed from copies.

    known: by cell, a copy of its known quotas. snapshot: the series as judged last. signals_off: the signals
    that are off unless they are configured. cells: the status of all cells. services: by cell, the services
    that are read. metrics: the requested metrics. intervals: the intervals between two requests for a metric.
    """

    known: Mapping[CellKey, KnownQuotas]
    snapshot: Snapshot
    registry: Registry
    signals_off: Set[str]
    cells: Sequence[CellStatus]
    services: Mapping[CellKey, Set[str]]
    metrics: MetricUse
    intervals: PollIntervals

    def quotas(self) -> Iterator[QuotaCoverage]:
        """Yield the quotas, sorted by account, region, service code and code.

        Call it in a thread, as it may take long.
        """
        series, signals_by_quota = series_by_quota(self.snapshot), _signals_by_quota(self.registry)
        services_read = {service for services in self.services.values() for service in services}
        for cell, status in sorted(_by_cell(self.cells).items()):
            if known := self.known.get(cell):
                is_global = cell[1] == GLOBAL_REGION
                cell_series = _series_of_account(series, cell[0]) if is_global else series.get(cell, {})
                cost, partition = self._cost_of(cell_series, cell), self.metrics.prices.partition_of(cell[0])
                yield from CellCoverage(
                    status,
                    known,
                    cell_series,
                    self.registry,
                    signals_by_quota,
                    self.signals_off,
                    services_read,
                    cost,
                    partition,
                ).quotas()

    def _cost_of(self, series: SeriesByQuota, cell: CellKey) -> "SeriesCost":
        slots = np.array(
            [quota_series.slot for series_of_quota in series.values() for quota_series in series_of_quota],
            np.int32,
        )
        prices = self.metrics.prices.of(self.metrics.payer_of(cell))
        return SeriesCost(self.metrics, self.metrics.rows_of(slots), self.intervals, prices)

    def notes(self) -> list[str]:
        """Return remarks on the coverage of accounts, one line each."""
        without_role = sorted({cell.account for cell in self.cells if cell.is_read_without_role})
        return [*report_notes(self.known), *(f"{account}: {DEFAULTS_ALONE}" for account in without_role)]

    @property
    def service_codes(self) -> Sequence[str]:
        """The service codes whose quotas are known, sorted."""
        return sorted({code for known in self.known.values() for code in known.lists})

    def unread(self) -> Iterator[str]:
        """Yield a sentence for each failed read of quotas, and for each cell with quotas not yet read."""
        for cell, status in sorted(_by_cell(self.cells).items()):
            place, known = f"{status.name or status.account}/{status.region}", self.known.get(cell)
            if QUOTAS_SERVICE not in self.services.get(cell, ()) and not status.is_read_without_role:
                yield f"{place}: the quotas are not read, as the configuration leaves them out"
                continue
            inventory = status.collectors.get(QUOTAS_SERVICE)
            sentences = [failure.sentence for failure in inventory.failures] if inventory else []
            failures = dict.fromkeys([*sentences, *(known.list_failures if known else ())])
            yield from (f"{place}: {sentence}" for sentence in failures)
            has_read_quotas = known is not None and bool(inventory or known.lists)
            not_listed = sorted(known.in_use - known.lists.keys()) if known else ()
            if not_listed and not failures:
                yield f"{place}: not listed yet: {', '.join(not_listed)}"
            elif not has_read_quotas:
                yield f"{place}: the quotas are not read yet"


@dataclass(frozen=True, slots=True)
class SeriesCost:
    """The cost of requesting the metrics of series.

    rows: by slot of a series, the rows of its metrics. prices: the prices of the account that pays.
    """

    metrics: MetricUse
    rows: Mapping[int, Sequence[int]]
    intervals: PollIntervals
    prices: Prices | None

    def of(self, series: Iterable[QuotaSeries]) -> WatchingCost:
        """Return the cost of some series; a metric that several series share counts once."""
        rows = np.array(
            [*{row for quota_series in series for row in self.rows.get(quota_series.slot, ())}], np.int32
        )
        projected = project_rows(self.metrics, rows, self.intervals.shortest, self.prices)
        return cost_of_metrics(projected, self.prices)


@dataclass(frozen=True, slots=True)
class CellCoverage:
    """The coverage of one account in one region.

    series: by quota, the series that it limits. signals_by_quota: by quota, the ids of the signals that it
    limits. signals_off: the signals that are read on request only. services_read: the services that are read
    in at least one cell. partition: the account's partition.
    """

    status: CellStatus
    known: KnownQuotas
    series: SeriesByQuota
    registry: Registry
    signals_by_quota: Mapping[Quota, Sequence[str]]
    signals_off: Set[str]
    services_read: Set[str]
    cost: SeriesCost
    partition: str

    def quotas(self) -> Iterator[QuotaCoverage]:
        """Yield the quotas of the service codes in use, sorted by service code and code."""
        failures = self._count_failures()
        in_use = self.known.in_use | {quota.service for quota in self.series}
        for service_code in sorted(self.known.lists.keys() & in_use):
            quotas_here = filter(self._is_here, self.known.lists[service_code])
            for listed in sorted(quotas_here, key=_code_and_resource):
                yield self._quota_coverage(listed, failures.get(listed.quota))

    def _is_here(self, listed: ListedQuota) -> bool:
        """Return whether a quota belongs to this cell; a global quota belongs only to the `global` cell."""
        if self.status.region != GLOBAL_REGION:
            return not listed.is_global
        scope = self.registry.quota_scope(listed.quota.service)
        return listed.is_global or scope is ServiceScope.GLOBAL

    def _quota_coverage(self, listed: ListedQuota, failure: Exception | None) -> QuotaCoverage:
        signal_ids, arn = self.signals_by_quota.get(listed.quota, ()), listed.context.arn
        series = [
            quota_series
            for quota_series in self.series.get(listed.quota, ())
            if arn in ("", quota_series.quota_arn)
        ]
        verdict = (
            verdict_of_series(series) if series else self._verdict_without_series(listed, signal_ids, failure)
        )
        if verdict.state is CoverageState.NOT_PERMITTED and self.status.is_read_without_role:
            verdict = replace(verdict, enable=self._role_entry)
        cost = self._cost(listed, series, signal_ids, verdict.state)
        return QuotaCoverage(
            account=self.status.account,
            region=self.status.region,
            service_code=listed.quota.service,
            code=listed.quota.code,
            name=f"{listed.name} of {arn}" if arn else listed.name,
            value=listed.value,
            source=listed.source,
            adjustable=listed.adjustable,
            state=verdict.state,
            reason=verdict.reason,
            enable=verdict.enable,
            signals=tuple(dict.fromkeys([quota_series.signal for quota_series in series] or signal_ids)),
            monthly_dollars=cost.monthly_dollars,
            cost_note=cost.note,
            note=self._note(listed, series),
        )

    def _note(self, listed: ListedQuota, series: Sequence[QuotaSeries]) -> str:
        """Return how AWS's report of utilization differs from Headroom's values of a quota."""
        report = self.known.report
        reported = report.quotas.get(listed.quota) if report and not listed.context.arn else None
        if not report or not reported:
            return ""
        ours = series[0].utilization if len(series) == 1 else None
        return difference(reported, report.read_at, ours, listed.value)

    def _cost(
        self,
        listed: ListedQuota,
        series: Sequence[QuotaSeries],
        signal_ids: Sequence[str],
        state: CoverageState,
    ) -> WatchingCost:
        if state is CoverageState.NO_USAGE_SOURCE:
            return NOTHING_TO_WATCH
        if series and state is CoverageState.NOT_ENABLED:
            reasons = (quota_series.unobservable for quota_series in series if quota_series.unobservable)
            return cost_of_settings(reasons, self.partition)
        if series and state is not CoverageState.NOT_PERMITTED:
            return self.cost.of(series)
        return cost_without_series(listed, signal_ids, self.registry, self.cost.intervals, self.cost.prices)

    def _count_failures(self) -> Mapping[Quota, Exception]:
        return {
            quota: error
            for counted in self.known.last_counts.values()
            for quota, error in counted.failures.items()
        }

    def _verdict_without_series(
        self, listed: ListedQuota, signal_ids: Sequence[str], failure: Exception | None
    ) -> Verdict:
        """Return the verdict on a quota that has no series."""
        if signals := [signal for signal in signal_ids if _service_of(signal) in self.services_read]:
            return self._verdict_of_signals(signals)
        if self.status.is_read_without_role and (listed.usage_metric or listed.quota in read_counts()):
            return Verdict(CoverageState.NOT_PERMITTED, NO_ROLE)
        if failure:
            return verdict_of_failure(failure_from(failure))
        if listed.quota in read_counts():
            return self._verdict_of_count(listed)
        if signal_ids and not listed.usage_metric:
            services = ", ".join(dict.fromkeys(map(_service_of, signal_ids)))
            reason = f"It is watched once `services` in the configuration includes {services}."
            return Verdict(CoverageState.NOT_ENABLED, reason, f"services: [..., {services}]")
        return _verdict_of_metric(listed)

    @property
    def _role_entry(self) -> str:
        """The entry of the configuration that reads the account with a role."""
        role = f"arn:{self.partition}:iam::{self.status.account}:role/headroom"
        return f"accounts: [..., {{role_arn: {role}}}], with the policy of headroom iam-policy --of account"

    def _verdict_of_signals(self, signal_ids: Sequence[str]) -> Verdict:
        """Return the verdict on a quota whose declared signals have no series."""
        if all(signal in self.signals_off for signal in signal_ids):
            setting = f"signals: {{enabled: [{', '.join(signal_ids)}]}}"
            return Verdict(CoverageState.NOT_ENABLED, "Its signal is read on request only.", setting)
        services = [_service_of(signal) for signal in signal_ids if signal not in self.signals_off]
        if failure := worst_failure(self.status.collectors, services):
            return verdict_of_failure(failure)
        return Verdict(CoverageState.VALUE_ONLY, "Nothing was found that uses it.")

    def _verdict_of_count(self, listed: ListedQuota) -> Verdict:
        """Return the verdict on a quota whose resources are counted, and that has no series."""
        if listed.value is None:
            return Verdict(CoverageState.STALE, "AWS returns no value of it at present.")
        if any(listed.quota in counted.counts for counted in self.known.last_counts.values()):
            return Verdict(CoverageState.VALUE_ONLY, "Its value is 0, and no resource uses it.")
        return Verdict(CoverageState.VALUE_ONLY, "Its resources were not counted yet.")


def _series_of_account(series: Mapping[CellKey, SeriesByQuota], account: str) -> SeriesByQuota:
    """Return the series of all regions of an account: any of them may be limited by a global quota."""
    account_series: dict[Quota, list[QuotaSeries]] = {}
    for (owner, _), cell_series in series.items():
        if owner != account:
            continue
        for quota, quota_series in cell_series.items():
            account_series.setdefault(quota, []).extend(quota_series)
    return account_series


def _verdict_of_metric(listed: ListedQuota) -> Verdict:
    """Return the verdict on a quota whose usage only a metric can tell, and that has no series."""
    if override_of_listed(listed).read is ReadAs.NOTHING:
        return Verdict(CoverageState.NO_USAGE_SOURCE, "AWS enforces another value than this one.")
    if not listed.usage_metric:
        reason = "AWS publishes no usage of it, and no List or Describe call returns what could be counted."
        return Verdict(CoverageState.NO_USAGE_SOURCE, reason)
    if not listed.value:
        return Verdict(CoverageState.VALUE_ONLY, "Its value is 0, or AWS returns none at present.")
    return Verdict(CoverageState.VALUE_ONLY, "AWS has published no usage in the last two weeks.")


def _service_of(signal_id: str) -> str:
    return signal_id.partition(".")[0]


def _by_cell(cells: Iterable[CellStatus]) -> Mapping[CellKey, CellStatus]:
    return {(cell.account, cell.region): cell for cell in cells}


def _signals_by_quota(registry: Registry) -> Mapping[Quota, list[str]]:
    signals: dict[Quota, list[str]] = {}
    for signal in registry.signals:
        if signal.quota:
            signals.setdefault(signal.quota, []).append(signal.id)
    return signals


def series_by_quota(snapshot: Snapshot) -> Mapping[CellKey, SeriesByQuota]:
    """Return the series whose limit is a quota, by cell and quota. Call it in a thread: it may take long."""
    by_cell: dict[CellKey, dict[Quota, list[QuotaSeries]]] = {}
    for slot in np.flatnonzero(snapshot.group >= 0).tolist():  # an unused slot has no group
        series: Series = snapshot.series[slot]
        if quota := quota_of(series.key, series.settings.signal):
            quota_series = QuotaSeries(
                series.settings.signal.id,
                Zone(int(snapshot.zone[slot])),
                series.unobservable,
                slot,
                series.settings.quota_arn,
                _comparable_utilization(series, float(snapshot.utilization[slot])),
            )
            by_cell.setdefault(series.key.cell, {}).setdefault(quota, []).append(quota_series)
    return by_cell


def _comparable_utilization(series: Series, utilization: float) -> float | None:
    """Return the utilization; None for a rate or a part of an account, which AWS's report does not have."""
    signal, key = series.settings.signal, series.key
    is_of_account = key.is_of_account or (key.service == QUOTAS_SERVICE and not series.settings.quota_arn)
    is_rate = signal.unit.is_rate or signal.reports_throttling
    return None if is_rate or not is_of_account or math.isnan(utilization) else utilization


def _code_and_resource(listed: ListedQuota) -> tuple[str, str]:
    return listed.quota.code, listed.context.arn


def quota_of(key: Key, signal: Signal) -> Quota | None:
    """Return the quota that limits a series; None if no quota does."""
    if key.service != QUOTAS_SERVICE:
        return signal.quota
    service_code, code = key.subject.path[:2]
    return Quota(service=service_code, code=code)
