"""The state of the quotas of a cell, kept from one scan to the next, with what is due to be read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from collectors.service_quotas.call_budget import CallBudget
from collectors.service_quotas.counting import Count, CountGroup
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import MetricId
from collectors.service_quotas.utilization import ReportedQuota, UtilizationReport
from rules.signals import Quota

HOUR, DAY = 3600.0, 86_400.0  # seconds
LIST_INTERVAL = DAY  # of the list of one service code, and of the metrics of usage
RETRY_INTERVAL = HOUR  # after a failure
HASTE_INTERVAL = HOUR  # of a list of which a value changes these hours
NEAR_INTERVAL, COUNT_INTERVAL = 6 * HOUR, DAY  # of counts, from NEAR_SHARE of a limit on and below it
NEAR_SHARE = 0.5
EMPTY_INTERVAL = 7 * DAY  # of counts that are all 0
REPORT_INTERVAL, MAX_REPORT_AGE = DAY, 2 * DAY  # of AWS's report of utilization
MAX_OVERDUE = DAY  # of a count that cannot be repeated, until it is unknown

NumberedGroup = tuple[int, CountGroup]


@dataclass(slots=True)
class Counted:
    """The last counts of a group.

    counts: by quota; empty before the first that succeeded. counted_at, due_at: in epoch seconds. interval:
    seconds from the last count that succeeded to the next. failures: why the last try failed, by quota.
    """

    counts: dict[Quota, Count] = field(default_factory=dict)
    counted_at: float = 0.0
    due_at: float = 0.0
    interval: float = COUNT_INTERVAL
    failures: Mapping[Quota, Exception] = field(default_factory=dict)

    def succeed(
        self, counts: dict[Quota, Count], failures: Mapping[Quota, Exception], is_near: bool, now: float
    ) -> None:
        """Take new counts, and why others have none. is_near: one has reached NEAR_SHARE of its limit."""
        usual = COUNT_INTERVAL if any(one.number for one in counts.values()) else EMPTY_INTERVAL
        self.interval = NEAR_INTERVAL if is_near else usual
        self.counts, self.failures = counts, failures
        self.counted_at, self.due_at = now, now + self.interval

    def fail(self, failures: Mapping[Quota, Exception], now: float) -> None:
        """Note why all failed. The last counts hold until the next ones are overdue by MAX_OVERDUE."""
        self.failures, self.due_at = failures, now + RETRY_INTERVAL
        if now > self.counted_at + self.interval + MAX_OVERDUE:
            self.counts = {}


@dataclass(slots=True)
class KnownQuotas:
    """The quotas of a cell.

    lists: by service code. in_use: the service codes in use, or configured. published: the metrics of usage.
    report: AWS's of the utilization of quotas; report_failure: why the last one could not be read.
    counted: by the number of the group. uncounted: how many counts of services in use were never counted.
    list_failures: which lists of an account that is read without a role could not be read, in sentences.
    """

    budget: CallBudget = field(default_factory=CallBudget)
    lists: dict[str, tuple[ListedQuota, ...]] = field(default_factory=dict)
    in_use: frozenset[str] = frozenset()
    service_codes: tuple[str, ...] = ()
    published: frozenset[MetricId] = frozenset()
    report: UtilizationReport | None = None
    report_failure: Exception | None = None
    counted: dict[int, Counted] = field(default_factory=dict)
    uncounted: int = 0
    list_failures: Sequence[str] = ()
    _due_at: dict[str, float] = field(default_factory=dict)
    _read_at: dict[str, float] = field(default_factory=dict)

    def is_due(self, name: str, now: float) -> bool:
        """Return whether something is to be read: a service code's list, or what else has a name."""
        return now >= self._due_at.get(name, 0.0)

    def note(self, name: str, now: float, interval: float = LIST_INTERVAL) -> None:
        """Note that something was read, and is due again after an interval."""
        self._due_at[name], self._read_at[name] = now + interval, now

    def hasten(self, name: str, now: float) -> None:
        """Have something that may change at any time be read within HASTE_INTERVAL of the last time."""
        self._due_at[name] = min(self._due_at.get(name, now), self._read_at.get(name, now) + HASTE_INTERVAL)

    def kept(self, service_code: str, listed: Iterable[ListedQuota]) -> Iterator[ListedQuota]:
        """Yield the quotas of a new list; values that are missing for now are those of the last list."""
        last = {one.key: one for one in self.lists.get(service_code, ())}
        for one in listed:
            before = last.get(one.key) if one.is_missing_for_now else None
            yield replace(one, value=before.value, source=before.source) if before else one

    def copy(self) -> "KnownQuotas":
        """Return a copy for a thread that reads while scans change this one."""
        return replace(self, lists=dict(self.lists), counted=dict(self.counted))

    @property
    def quotas(self) -> Iterator[ListedQuota]:
        """All quotas of all lists."""
        return (listed for quotas in self.lists.values() for listed in quotas)

    def values_of(self, service_code: str, quotas: Set[Quota]) -> Mapping[Quota, Sequence[ListedQuota]]:
        """Return what AWS lists of some quotas of a service code: the account's value, those of resources."""
        found = defaultdict[Quota, list[ListedQuota]](list)
        for listed in self.lists.get(service_code, ()):
            if listed.quota in quotas:
                found[listed.quota].append(listed)
        return found

    def reported(self, now: float) -> Mapping[Quota, ReportedQuota]:
        """Return the quotas in AWS's report of utilization; none where it is too old."""
        is_recent = self.report and now < self.report.read_at + MAX_REPORT_AGE
        return self.report.quotas if self.report and is_recent else {}

    def due_groups(self, groups: Iterable[NumberedGroup], now: float) -> list[NumberedGroup]:
        """Return the groups that are due to be counted, the longest due first."""
        due_at = {number: counted.due_at for number, counted in self.counted.items()}
        due = [one for one in groups if now >= due_at.get(one[0], 0.0)]
        return sorted(due, key=lambda one: due_at.get(one[0], 0.0))
