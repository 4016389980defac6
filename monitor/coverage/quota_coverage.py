"""The coverage of quotas: each quota of the services in use, whether it is watched, and if not, why."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from collectors.base import GLOBAL_REGION, ServiceScope, Unobservable
from collectors.registry import Registry
from collectors.service_quotas.collector import count_groups
from collectors.service_quotas.count_file import read_counts
from collectors.service_quotas.known_quotas import KnownQuotas
from collectors.service_quotas.overrides import ReadAs
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import override_of_listed
from monitor.aws.failure import failure_from
from monitor.aws.failure_class import DENIAL_CLASSES
from monitor.coverage.cross_check import difference, report_notes
from monitor.fleet.fleet import Series
from monitor.fleet.key import CellKey, Key
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone
from rules.limits import Quota, Signal

QUOTAS_SERVICE = "quotas"  # whose resources are the quotas


class CoverageState(StrEnum):
    """Whether a quota is watched."""

    WATCHED = "watched"  # a series compares its usage with it
    STALE = "stale"  # its series has no recent sample, or its count could not be repeated
    NOT_PERMITTED = "not_permitted"  # AWS denies the calls that tell its usage
    NOT_ENABLED = "not_enabled"  # a setting of Headroom or of AWS makes it observable
    VALUE_ONLY = "value_only"  # its value is known, and nothing of it is used, or was not read yet
    NO_USAGE_SOURCE = "no_usage_source"  # neither AWS nor Headroom tells what is used


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCoverage:
    """One quota of an account in a region.

    value: the limit in force in AWS's unit; None where AWS does not return it. source: of the value. reason:
    why it is not watched, as a sentence; empty where it is. enable: the command or the setting that makes it
    watched; empty where there is none. signals: the ids of the signals that watch it, or could. note: how
    AWS's report of utilization differs; empty where it does not.
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
    note: str = ""


Verdict = tuple[CoverageState, str, str]  # the state, the reason, and what enables it


@dataclass(frozen=True, slots=True)
class QuotaSeries:
    """A series that a quota limits, as judged last. quota_arn: the resource that has it for itself.

    utilization: of a level that is of the whole account; None for others, and where it is unknown.
    """

    signal: str
    zone: Zone
    unobservable: Unobservable | None
    quota_arn: str = ""
    utilization: float | None = None


SeriesByQuota = Mapping[Quota, Sequence[QuotaSeries]]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the coverage of all accounts and regions is told from.

    known: copies of what is known of the quotas of each. snapshot: the series as judged last. off: signals
    that are read on request only.
    """

    known: Mapping[CellKey, KnownQuotas]
    snapshot: Snapshot
    registry: Registry
    off: frozenset[str]

    def quotas(self) -> Iterator[QuotaCoverage]:
        """Yield the quotas by account, region, service code and code. For a thread: it can take long."""
        series = series_by_quota(self.snapshot)
        for cell in sorted(self.known):
            of_cell = CellCoverage(*cell, self.known[cell], series.get(cell, {}), self.registry, self.off)
            if of_cell.region == GLOBAL_REGION:
                of_cell = replace(of_cell, series=_of_account(series, of_cell.account))
            yield from of_cell.quotas()

    def notes(self) -> list[str]:
        """Return what else is to be said of the coverage, a line each."""
        return [*report_notes(self.known)]


@dataclass(frozen=True, slots=True)
class CellCoverage:
    """What is known of the quotas of one account in one region; `off` as in `Coverage`."""

    account: str
    region: str
    known: KnownQuotas
    series: SeriesByQuota
    registry: Registry
    off: Container[str]

    def quotas(self) -> Iterator[QuotaCoverage]:
        """Yield the quotas of the service codes in use, by service code and code."""
        signals, failures = _signals_by_quota(self.registry), self._count_failures()
        in_use = self.known.in_use | {quota.service for quota in self.series}
        for service_code in sorted(self.known.lists.keys() & in_use):
            here = filter(self._is_here, self.known.lists[service_code])
            for listed in sorted(here, key=_code_and_resource):
                declared = signals.get(listed.quota, [])
                yield self._covered(listed, declared, failures.get(listed.quota))

    def _is_here(self, listed: ListedQuota) -> bool:
        """Return whether a quota is one of the region; what is the same in all of them is told once."""
        if self.region != GLOBAL_REGION:
            return not listed.is_global
        scope = self.registry.quota_scope(listed.quota.service)
        return listed.is_global or scope is ServiceScope.GLOBAL

    def _covered(
        self, listed: ListedQuota, declared: Sequence[str], failure: Exception | None
    ) -> QuotaCoverage:
        series = [
            one for one in self.series.get(listed.quota, ()) if listed.context.arn in ("", one.quota_arn)
        ]
        state, reason, enable = (
            _verdict_of_series(series) if series else self._verdict_without(listed, declared, failure)
        )
        return QuotaCoverage(
            account=self.account,
            region=self.region,
            service_code=listed.quota.service,
            code=listed.quota.code,
            name=f"{listed.name} of {listed.context.arn}" if listed.context.arn else listed.name,
            value=listed.value,
            source=listed.source,
            adjustable=listed.adjustable,
            state=state,
            reason=reason,
            enable=enable,
            signals=tuple(dict.fromkeys([one.signal for one in series] or declared)),
            note=self._note(listed, series),
        )

    def _note(self, listed: ListedQuota, series: Sequence[QuotaSeries]) -> str:
        """Return how AWS's report of utilization differs from what is known of a quota."""
        report = self.known.report
        reported = report.quotas.get(listed.quota) if report and not listed.context.arn else None
        if not report or not reported:
            return ""
        ours = series[0].utilization if len(series) == 1 else None
        return difference(reported, report.read_at, ours, listed.value)

    def _count_failures(self) -> Mapping[Quota, Exception]:
        failed = {number: one.failure for number, one in self.known.counted.items() if one.failure}
        groups = count_groups() if failed else ()  # it takes long the first time
        return {quota: error for number, error in failed.items() for quota in groups[number].counts}

    def _verdict_without(
        self, listed: ListedQuota, declared: Sequence[str], failure: Exception | None
    ) -> Verdict:
        """Return the state of a quota of which there is no series."""
        if declared:
            return self._verdict_of_signals(declared)
        if failure:
            return _verdict_of_failure(failure)
        if listed.quota in read_counts():
            return CoverageState.VALUE_ONLY, "Its resources were not counted yet.", ""
        if override_of_listed(listed).read is ReadAs.NOTHING:
            return CoverageState.NO_USAGE_SOURCE, "AWS enforces another value than this one.", ""
        if listed.usage:
            return CoverageState.VALUE_ONLY, "AWS has published no usage in the last two weeks.", ""
        return CoverageState.NO_USAGE_SOURCE, "AWS publishes no usage of it, and no list counts it.", ""

    def _verdict_of_signals(self, declared: Sequence[str]) -> Verdict:
        """Return the state of a quota of declared signals without series."""
        if all(signal in self.off for signal in declared):
            setting = f"signals: {{enabled: [{', '.join(declared)}]}}"
            return CoverageState.NOT_ENABLED, "Its signal is read on request only.", setting
        return CoverageState.VALUE_ONLY, "Nothing was found that uses it.", ""


def _of_account(series: Mapping[CellKey, SeriesByQuota], account: str) -> SeriesByQuota:
    """Return the series of all regions of an account: any of them may be limited by a global quota."""
    found: dict[Quota, list[QuotaSeries]] = {}
    for (owner, _), by_quota in series.items():
        for quota, some in by_quota.items() if owner == account else ():
            found.setdefault(quota, []).extend(some)
    return found


def _code_and_resource(listed: ListedQuota) -> tuple[str, str]:
    return listed.quota.code, listed.context.arn


def _signals_by_quota(registry: Registry) -> Mapping[Quota, list[str]]:
    found: dict[Quota, list[str]] = {}
    for signal in registry.signals:
        if signal.quota:
            found.setdefault(signal.quota, []).append(signal.id)
    return found


def _verdict_of_series(series: Sequence[QuotaSeries]) -> Verdict:
    """Return the state of a quota by its series: watched if one of them is."""
    if any(one.zone not in (Zone.STALE, Zone.UNOBSERVABLE) for one in series):
        return CoverageState.WATCHED, "", ""
    reasons = [one.unobservable for one in series if one.unobservable]
    for reason in reasons:
        if reason.enable_command:
            return CoverageState.NOT_ENABLED, reason.reason, reason.enable_command
    if len(reasons) == len(series):
        return CoverageState.NO_USAGE_SOURCE, reasons[0].reason, ""
    return CoverageState.STALE, "There is no recent sample of its usage.", ""


def _verdict_of_failure(error: Exception) -> Verdict:
    failure = failure_from(error)
    is_denied = failure.failure_class in DENIAL_CLASSES
    return CoverageState.NOT_PERMITTED if is_denied else CoverageState.STALE, failure.sentence, ""


def series_by_quota(snapshot: Snapshot) -> Mapping[CellKey, SeriesByQuota]:
    """Return the series of a snapshot that a quota limits. May take long: not for the event loop."""
    found: dict[CellKey, dict[Quota, list[QuotaSeries]]] = {}
    for slot in np.flatnonzero(snapshot.group >= 0).tolist():
        series: Series = snapshot.series[slot]
        if quota := quota_of(series.key, series.settings.signal):
            one = QuotaSeries(
                series.settings.signal.id,
                Zone(int(snapshot.zone[slot])),
                series.unobservable,
                series.settings.quota_arn,
                _level(series, float(snapshot.utilization[slot])),
            )
            found.setdefault(series.key.cell, {}).setdefault(quota, []).append(one)
    return found


def _level(series: Series, utilization: float) -> float | None:
    """Return a utilization that AWS's report can be compared with: it tells no window of rates."""
    signal, key = series.settings.signal, series.key
    is_of_account = key.of_account or (key.service == QUOTAS_SERVICE and not series.settings.quota_arn)
    is_rate = signal.unit.is_rate or signal.reports_throttling
    return None if is_rate or not is_of_account or math.isnan(utilization) else utilization


def quota_of(key: Key, signal: Signal) -> Quota | None:
    """Return the quota that limits a series; None where nothing but the resource does."""
    if key.service != QUOTAS_SERVICE:
        return signal.quota
    service_code, code = key.subject.path[:2]
    return Quota(service=service_code, code=code)
