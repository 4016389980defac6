"""The types that collectors use: Metric, Usage, Resource, Observed, Collector, and the API client Aws."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
    Set,
)
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from collectors.resource import ACCOUNT, Resource, TypedPath
from collectors.usage import (
    LAG_OPS,
    METRIC_OPS,
    PER_MINUTE,
    PERIODS,
    RATIO_TERMS,
    Dimensions,
    Metric,
    Op,
    QualifiedName,
    Term,
    Usage,
    count_difference,
    difference,
    highest,
    limit_minus,
    lowest,
    per_second,
    percent_used,
    ratio,
    reader_lag,
    total,
    unread_duration,
    zero_of,
)
from rules.limits import LimitSource
from rules.signals import Quota

if TYPE_CHECKING:
    from collectors.declaration import Declaration

__all__ = [
    "ACCOUNT",
    "GLOBAL_REGION",
    "LAG_OPS",
    "MAY_EXIST",
    "METRIC_OPS",
    "NOT_READ_YET",
    "PERIODS",
    "PER_MINUTE",
    "RATIO_TERMS",
    "Aws",
    "Collector",
    "Dimensions",
    "Metric",
    "Observed",
    "Op",
    "QualifiedName",
    "Resource",
    "ScanFunction",
    "ServiceScope",
    "SettingCost",
    "Term",
    "Unobservable",
    "Usage",
    "count_difference",
    "difference",
    "highest",
    "limit_minus",
    "lowest",
    "per_second",
    "percent_used",
    "ratio",
    "reader_lag",
    "total",
    "unread_duration",
    "zero_of",
]

Item = TypeVar("Item")
Response = TypeVar("Response")
State = TypeVar("State")
Value = TypeVar("Value")

GLOBAL_REGION = "global"  # the region of global services, in labels


@dataclass(frozen=True, slots=True)
class SettingCost:
    """The price of a setting of AWS that makes a usage observable.

    text: the price, as a sentence. source: the page of AWS that has the price. read_on: when that page was
    read, as an ISO date. monthly_dollars: the highest list price for a month in us-east-1; None where the
    price depends on facts that are known only afterwards.
    """

    text: str
    source: str
    read_on: str
    monthly_dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Unobservable:
    """The reason why a usage cannot be observed.

    enable_command: the command that makes the usage observable by a setting of AWS; None if no setting does.
    cost: the price of that setting.
    """

    reason: str
    enable_command: str | None = None
    cost: SettingCost | None = None


# The usage is unknown, because a call about the resource was never made. A series that an earlier inventory
# found remains as it was.
NOT_READ_YET = Unobservable("it waits for its turn to be read")
# It is not known yet whether the series exists. A series that an earlier inventory found remains as it was;
# a new one is not made.
MAY_EXIST = Unobservable("it is not known yet whether it exists: the call that tells waits for its turn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """The terms on which the limit of one resource is bought (see `rules.sizes.Size`).

    size: the name of one of the signal's sizes; empty where the signal has a single size. items: the number
    bought now; None: it follows from the limit. minimum, maximum: the fewest items that the resource needs in
    any case, and the most that it may have. included: items that are not paid for; None: not known.
    """

    size: str = ""
    items: float | None = None
    minimum: float = 0.0
    maximum: float | None = None
    included: float | None = 0.0

    def paid(self, items: float) -> float | None:
        """Return how many of these items are paid for; None where `included` is not known."""
        return None if self.included is None else max(items - self.included, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One series: a signal of a resource, with its limit and the source of its usage.

    signal: the signal's name within the collector's service, as in the catalogue.
    resource: the resource that has the limit; `ACCOUNT` for a limit of the account.
    usage: a formula over metrics, a number that an API returned, or the reason why it cannot be observed.
    limit: as returned by an API of the resource or the account, in the signal's unit. None: it is taken from
        `published_limit`, or else from Service Quotas or the documentation.
    limit_read_at: when an earlier inventory read `limit`, in epoch seconds; None: this one read it.
    limit_source: the source of `limit`; for a quota that the catalogue does not name, the source of its value
        in Service Quotas.
    quota: the quota of the resource, where the catalogue names none for its signal. quota_arn: the ARN of the
        resource, where the quota has a value for it alone.
    largest_resource: where the usage is that of the largest of several resources, the ids of the parents of
        this largest resource and its own id.
    published_limit: the same limit, where CloudWatch publishes it. Each usage is then compared with the limit
        of its own minute, and `limit` is used for a minute without a point. Where `limit` is None, such a
        minute has the limit of the point before it, until that point is stale.
    hard_limit: usage cannot exceed the limit, as AWS throttles the demand instead. A usage above the limit
        then proves that the limit is outdated: it is read again, and the series is not judged until then.
    deliberate: the limit is a cap that was set on purpose. Usage at the limit is judged as within the band
        while nothing is throttled.
    bought: how the limit is bought; None where the signal alone determines it.
    created_at: when the resource was created, in epoch seconds: older samples belong to a former resource of
        the same name. None: AWS does not return it.
    throttled: demand throttled per second (saturation). None: CloudWatch does not publish it.
    throttled_by_cause: the terms of `throttled`, by the cause that each counts; empty where AWS does not tell
        causes apart. The causes are shown, and only `throttled` is judged.
    throttled_incomplete: more demand may be throttled than `throttled` counts. `throttled` is then a lower
        bound, and 0 or None means unknown.
    served: demand served per second, in the unit of `throttled` (records, calls), which gives the share of
        demand that is throttled. None: CloudWatch does not publish it.
    upper_bound: the upper bound of a usage that the metrics only bound; `usage` is then the lower bound.
    bounded_because: why the usage is only bounded, and the command that makes it observable. Without an
        `upper_bound`, `usage` counts a part of what the limit applies to. A bounded usage is judged only as
        far as its bounds allow.
    judged: False if the metrics are not the limited quantity and only bound it. The bounds are then shown (as
        "at most `upper_bound`" where `usage` is `zero_of(upper_bound)`), and only throttled demand is judged.
    tags: the tags that AWS returns with the resource (see `Collector.arns` for others).
    """

    signal: str
    resource: Resource
    usage: Usage | float | Unobservable
    limit: float | None = None
    limit_read_at: float | None = None
    limit_source: LimitSource = LimitSource.API
    quota: Quota | None = None
    quota_arn: str = ""
    largest_resource: str = ""
    published_limit: Usage | None = None
    hard_limit: bool = False
    deliberate: bool = False
    bought: Bought | None = None
    created_at: float | None = None
    throttled: Usage | None = None
    throttled_by_cause: Mapping[str, Usage] = field(default_factory=dict)
    throttled_incomplete: bool = False
    served: Usage | None = None
    upper_bound: Usage | None = None
    bounded_because: Unobservable | None = None
    judged: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_bounded(self) -> bool:
        """True if the usage is known only within bounds."""
        return self.upper_bound is not None or self.bounded_because is not None or not self.judged

    @property
    def metrics(self) -> Sequence[Metric]:
        """The metrics of its formulas, those of its usage first."""
        formulas = self.usage, self.upper_bound, self.throttled, self.served, self.published_limit
        return [metric for usage in formulas if isinstance(usage, Usage) for metric in usage.metrics]

    @property
    def longest_period(self) -> int:
        """The longest period of its metrics, in seconds."""
        return max([metric.period for metric in self.metrics], default=PERIODS[0])


class Aws(Protocol):
    """One account in one region, as a scan function may call it.

    Operations are named as in AWS's API references. Calls are rate limited, retried and counted. Errors of
    AWS are raised as `botocore.exceptions.ClientError`.
    """

    @property
    def account(self) -> str:
        """The 12-digit id."""
        ...

    @property
    def region(self) -> str:
        """The name of the region that calls go to; of a global service, the home region of the partition."""
        ...

    @property
    def partition(self) -> str:
        """The partition as in ARNs: `aws`."""
        ...

    @property
    def now(self) -> float:
        """The time in epoch seconds, by AWS's clock."""
        ...

    @property
    def home_region(self) -> str:
        """The home region of the partition."""
        ...

    @property
    def declared_quotas(self) -> Set[Quota]:
        """The quotas of the signals of all services that are read."""
        ...

    @property
    def quota_services_in_use(self) -> Set[str]:
        """The service codes of the services that have series here, and of those that are configured."""
        ...

    def reads_quotas_of(self, service_code: str) -> bool:
        """Return whether this cell reads the quotas of a service; those of global services are read once."""
        ...

    def has_own_limit(self, signal: str, resource: Resource) -> bool:
        """Return whether the configuration sets the limit of the series."""
        ...

    @property
    def quota_services_with_approvals(self) -> Set[str]:
        """The codes of the services for which AWS approved a higher quota in the last hours."""
        ...

    def includes(self, signal: str, resource: Resource) -> bool:
        """Return whether the configuration includes the series. Calls for excluded series can be saved."""
        ...

    def state(self, kind: type[State]) -> State:
        """The object of this class that all scans of the account and region share; created at first use."""
        ...

    def in_turn(
        self,
        key: Hashable,
        resource: Resource,
        read: Callable[[], Awaitable[Value]],
        every: float = 0.0,
        *,
        is_shared: bool = False,
    ) -> Awaitable[Value]:
        """Call `read`, or reuse the result or error of its last call for the key; return or raise it.

        Turns bound the number of calls of an inventory. They do not put the calls in a sequence.

        An inventory calls `read` for a bounded number of single resources (see `monitor.aws.turns`), and
        always for the whole account. key: unique within the service. every: seconds for which a result is
        used again; for a resource below its band at least an hour, unless other resources share the result
        (`is_shared`). Raises NotReadYetError if `read` was never called for the key, and the call waits for
        its turn.
        """
        ...

    def may_call_now(self, key: Hashable, resource: Resource) -> bool:
        """Return whether this inventory is to make a call about a resource; the caller stores its result."""
        ...

    def read_at(self, key: Hashable) -> float | None:
        """Return when an earlier inventory read what `in_turn` returns for a key; None: this one read it."""
        ...

    def series(
        self,
        subject: Hashable,
        answers: Any,
        make: Callable[[], Iterable[Observed]],
        read_at: Callable[[str], float | None] | float | None = None,
    ) -> Iterable[Observed]:
        """Return the series that `make` makes, or nothing if an earlier inventory made them already.

        `make` may depend on nothing but `answers`. If an earlier inventory made the series from equal
        answers, they remain as they are: most inventories find the same as the previous one.
        subject: identifies the series within the scan function. answers: all responses of AWS that `make`
        uses; equal answers have an equal `repr`. read_at: when an earlier inventory read the limits, in epoch
        seconds, or a function that returns this for a signal; None: this inventory read them.
        """
        ...

    def mark_waiting(self, resource: Resource) -> None:
        """Record that a resource waits for its turn: its series, and those of its parts, remain unchanged."""
        ...

    @property
    def is_global(self) -> bool:
        """True in the cell of global services."""
        ...

    def account_state(self, kind: type[State]) -> State:
        """The object of this class that the scans of all regions of the account share."""
        ...

    def in_region(self, region: str) -> "Aws":
        """The same account, with calls that go to another region."""
        ...

    def record_resource(self) -> None:
        """Record that the service has a resource here."""
        ...

    async def is_in_use(self) -> bool:
        """Return whether the service has, or may have, a resource here.

        A scan calls it after it has listed all of its resources. Waits until a scan of the service has found
        a resource, or all have found none. A service that is not in use has no series, and needs no calls for
        the whole account.
        """
        ...

    @property
    def not_found(self) -> Set[TypedPath]:
        """The kinds and paths of the resources that `map` found to be deleted after they were listed."""
        ...

    def call(self, service: str, operation: str, **params: Any) -> Awaitable[dict[str, Any]]:
        """Make one call."""
        ...

    def try_call(self, service: str, operation: str, **params: Any) -> Awaitable[dict[str, Any]]:
        """Make one call. A failure is reported, and `{}` is returned, so that the scan continues.

        If the resource does not exist, `{}` is returned without a report (see `map`).
        """
        ...

    def paginate(
        self, service: str, operation: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the response of every page.

        first: parameters of the first page alone, where AWS rejects them beside the `NextToken` of further
            pages. params: parameters of every page.
        """
        ...

    def list_items(
        self, service: str, operation: str, key: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page; otherwise as `paginate`."""
        ...

    def map(
        self,
        items: Iterable[Item] | AsyncIterator[Item],
        call: Callable[[Item], Awaitable[Response]],
        resource: Callable[[Item], Resource],
    ) -> AsyncIterator[tuple[Item, Response]]:
        """Yield each item with the result of `call(item)` as soon as the call ends; a few calls run at once.

        An item whose call fails is left out. The failure is reported for `resource(item)`, and the series of
        that resource and of its parts remain as in the previous inventory. They also remain after a
        NotReadYetError, which is no failure. A resource that no longer exists was deleted after it was
        listed: that is no failure either, and all of its series that this scan yields are dropped.
        """
        ...


ScanFunction = Callable[[Aws], AsyncIterator[Observed]]


class ServiceScope(StrEnum):
    """The cells in which a service is read."""

    REGION = "region"  # in each configured region
    GLOBAL = "global"  # once per account and partition, as the region GLOBAL_REGION


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The collector of one AWS service, with the permissions and call rates that it needs.

    service: its name in the catalogue.
    scans: functions that yield series. They run concurrently, and one that fails does not affect the others.
    metrics: every CloudWatch metric that the series may use, without dimensions.
    iam_actions: the IAM actions that the scans need.
    call_rates: calls per second that Headroom allows itself, by `service` or `service:Operation`. AWS's own
        limits on control-plane calls are shared with all other tools of the account.
    publication_delay: minutes after the end of a minute until its metrics are assumed to be complete; used
        until the delay of the namespace is measured.
    arns: the templates of the ARNs of resources by their kind, with {partition}, {region}, {account_id} and
        {kind} for each id of the path. By these ARNs, the tags of a resource's series and of its parts are
        read. Empty: `Observed.tags` are all tags.
    signals: the names of the signals that its scans yield; empty without a declaration.
    scope: the cells in which the service is read (see `scopes`). region: the region of the API and the
        metrics of a global service, if that is not the home region of the partition.
    make_reduced: returns a collector of some of the signals, without the scans and calls that only other
        signals need; None where it is not known what each signal needs.
    declaration: the declaration of a declared service, from which metrics-only collectors are made.
    reads_last: what it reads depends on what the other collectors of the cell find, so that its first
        inventory comes after theirs. It is called at every inventory, and decides itself what is due.
    """

    service: str
    scans: tuple[ScanFunction, ...]
    metrics: tuple[Metric, ...]
    iam_actions: tuple[str, ...]
    call_rates: Mapping[str, float] = field(default_factory=dict)
    publication_delay: int = 3
    arns: Mapping[str, str] = field(default_factory=dict)
    signals: frozenset[str] = frozenset()
    scope: ServiceScope = ServiceScope.REGION
    region: str = ""
    make_reduced: "Callable[[frozenset[str]], Collector] | None" = field(default=None, compare=False)
    declaration: "Declaration | None" = field(default=None, compare=False, repr=False)
    reads_last: bool = False

    @property
    def scopes(self) -> frozenset[ServiceScope]:
        """The scopes of the cells in which it is read: all if it depends on the cell's other collectors."""
        return frozenset(ServiceScope if self.reads_last else {self.scope})

    @property
    def loaded_collector(self) -> "Collector":
        """This collector; for a lazy collector, the collector that it loads (see `LazyCollector`)."""
        return self

    def of_signals(self, signals: Collection[str]) -> "Collector":
        """Return a collector of these signals alone; the whole collector where `make_reduced` is None."""
        wanted = self.signals & {*signals}
        return self if wanted == self.signals or self.make_reduced is None else self.make_reduced(wanted)
