"""The quotas of a cell, stored from one scan to the next, and when each list is due to be read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from collectors.service_quotas.call_budget import CallBudget
from collectors.service_quotas.counting import Count, CountGroup
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import NameAndDimensions
from collectors.service_quotas.utilization import ReportedQuota, UtilizationReport
from rules.signals import Quota

HOUR, DAY = 3600.0, 86_400.0  # seconds
LIST_INTERVAL = DAY  # between two reads of a service code's quotas, or of the usage metrics
RETRY_INTERVAL = HOUR  # from a failed read to the next
HASTE_INTERVAL = HOUR  # between two reads of a service's quotas while increases are being approved
NEAR_SHARE = 0.5  # of the limit: a count of this share or more is repeated after NEAR_INTERVAL
NEAR_INTERVAL, COUNT_INTERVAL = 6 * HOUR, DAY  # between two counts
EMPTY_INTERVAL = 7 * DAY  # between two counts of a group if all of its counts are 0
REPORT_INTERVAL, MAX_REPORT_AGE = DAY, 2 * DAY  # of AWS's report of utilization, in seconds
MAX_OVERDUE = DAY  # a count that keeps failing is unknown once it is overdue by more than this

NumberedGroup = tuple[int, CountGroup]  # the number is the index of the group among all groups


@dataclass(slots=True)
class LastCounts:
    """The last counts of a group.

    counts: by quota; empty until a count has succeeded. counted_at, due_at: in epoch seconds. interval:
    seconds between the last count that succeeded and the next one. failures: the last errors, by quota.
    """

    counts: dict[Quota, Count] = field(default_factory=dict)
    counted_at: float = 0.0
    due_at: float = 0.0
    interval: float = COUNT_INTERVAL
    failures: Mapping[Quota, Exception] = field(default_factory=dict)

    def succeed(
        self, counts: dict[Quota, Count], failures: Mapping[Quota, Exception], is_near: bool, now: float
    ) -> None:
        """Store new counts, and the errors of the other counts. is_near: a count has reached NEAR_SHARE."""
        far_interval = COUNT_INTERVAL if any(count.number for count in counts.values()) else EMPTY_INTERVAL
        self.interval = NEAR_INTERVAL if is_near else far_interval
        self.counts, self.failures = counts, failures
        self.counted_at, self.due_at = now, now + self.interval

    def fail(self, failures: Mapping[Quota, Exception], now: float) -> None:
        """Store the errors of all counts. The last counts hold until new ones are overdue by MAX_OVERDUE."""
        self.failures, self.due_at = failures, now + RETRY_INTERVAL
        if now > self.counted_at + self.interval + MAX_OVERDUE:
            self.counts = {}


@dataclass(slots=True)
class KnownQuotas:
    """The quotas of a cell.

    lists: the quotas by service code. in_use: the service codes in use, or configured. service_codes: all
    codes that Service Quotas has. published_metrics: the usage metrics that have points. report: AWS's report
    of the utilization of quotas; report_failure: why it could not be read the last time. last_counts: of each
    group, by its number. uncounted: how many counts of services in use were not made yet. list_failures: of
    an account that is read without a role, a sentence for each list that could not be read.
    """

    budget: CallBudget = field(default_factory=CallBudget)
    lists: dict[str, tuple[ListedQuota, ...]] = field(default_factory=dict)
    in_use: frozenset[str] = frozenset()
    service_codes: tuple[str, ...] = ()
    published_metrics: frozenset[NameAndDimensions] = frozenset()
    report: UtilizationReport | None = None
    report_failure: Exception | None = None
    last_counts: dict[int, LastCounts] = field(default_factory=dict)
    uncounted: int = 0
    list_failures: Sequence[str] = ()
    _due_at: dict[str, float] = field(default_factory=dict)
    _read_at: dict[str, float] = field(default_factory=dict)

    def is_due(self, name: str, now: float) -> bool:
        """Return whether a list is due to be read. name: a service code, or the name of another list."""
        return now >= self._due_at.get(name, 0.0)

    def record_read(self, name: str, now: float, interval: float = LIST_INTERVAL) -> None:
        """Record that a list was read now, and is due again after an interval."""
        self._due_at[name], self._read_at[name] = now + interval, now

    def hasten(self, name: str, now: float) -> None:
        """Let a list be due HASTE_INTERVAL after its last read, because it may change at any time."""
        self._due_at[name] = min(self._due_at.get(name, now), self._read_at.get(name, now) + HASTE_INTERVAL)

    def with_last_values(self, service_code: str, listed: Iterable[ListedQuota]) -> Iterator[ListedQuota]:
        """Yield the quotas of a new list; a value that is missing for now is taken from the last list."""
        previous = {quota.key: quota for quota in self.lists.get(service_code, ())}
        for quota in listed:
            last = previous.get(quota.key) if quota.is_missing_for_now else None
            yield replace(quota, value=last.value, source=last.source) if last else quota

    def mark_listed_in_use(self) -> None:
        """Add all services whose quotas are listed to the services in use."""
        self.in_use |= self.lists.keys()

    def copy(self) -> "KnownQuotas":
        """Return a copy for a thread that reads while scans change this instance."""
        return replace(self, lists=dict(self.lists), last_counts=dict(self.last_counts))

    @property
    def quotas(self) -> Iterator[ListedQuota]:
        """All quotas of all lists."""
        return (listed for quotas in self.lists.values() for listed in quotas)

    def values_of(self, service_code: str, quotas: Set[Quota]) -> Mapping[Quota, Sequence[ListedQuota]]:
        """Return the values of some quotas of a service code: of the account, and of single resources."""
        values_by_quota = defaultdict[Quota, list[ListedQuota]](list)
        for listed in self.lists.get(service_code, ()):
            if listed.quota in quotas:
                values_by_quota[listed.quota].append(listed)
        return values_by_quota

    def reported_quotas(self, now: float) -> Mapping[Quota, ReportedQuota]:
        """Return the quotas in AWS's report of utilization; none if the report is too old."""
        if self.report is None or now >= self.report.read_at + MAX_REPORT_AGE:
            return {}
        return self.report.quotas

    def due_groups(self, groups: Iterable[NumberedGroup], now: float) -> list[NumberedGroup]:
        """Return the groups that are due to be counted, the one that has been due longest first."""
        due_at = {number: last.due_at for number, last in self.last_counts.items()}
        due = [(number, group) for number, group in groups if now >= due_at.get(number, 0.0)]
        return sorted(due, key=lambda numbered: due_at.get(numbered[0], 0.0))
