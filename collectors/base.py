"""The vocabulary of every collector: Metric, Usage, Observed, Collector, and the Aws that they ask."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

ACCOUNT = "account"  # the resource's name where the limit is the account's, in its region
PER_MINUTE = 1 / 60  # weight that turns a one-minute sum into a rate per second


@dataclass(frozen=True, slots=True)
class Metric:
    """A CloudWatch metric at one-minute period: namespace, name, statistic and its exact dimension set.

    `zero_when_absent`: AWS publishes nothing when nothing happened (Lambda's Throttles), so a minute that
    was read without a point is 0. For every other metric a missing point is unknown.
    """

    namespace: str
    name: str
    stat: str
    zero_when_absent: bool = False
    dimensions: tuple[tuple[str, str], ...] = ()

    def of(self, **dimensions: str) -> "Metric":
        """This metric of one resource, named by its dimensions."""
        return replace(self, dimensions=tuple(sorted(dimensions.items())))


class Op(StrEnum):
    """How the weighted metrics of one minute become one number."""

    SUM = "sum"  # of those that have a point; one at least
    MAX = "max"  # of those that have a point; one at least
    DIFFERENCE = "difference"  # the first less the others; all must have a point
    RISE = "rise"  # by how much the sum exceeds that of the minute before; 0 when it fell


@dataclass(frozen=True, slots=True)
class Usage:
    """A formula over metrics, in the signal's unit: `op` over each metric times its weight."""

    op: Op
    terms: tuple[tuple[Metric, float], ...]

    def scaled(self, factor: float) -> "Usage":
        return Usage(self.op, tuple((metric, weight * factor) for metric, weight in self.terms))


def total(*metrics: Metric) -> Usage:
    """The sum of metrics that are in the signal's unit already."""
    return Usage(Op.SUM, tuple((metric, 1.0) for metric in metrics))


def per_second(*metrics: Metric) -> Usage:
    """The sum of one-minute sums, as a mean rate per second. A burst within the minute does not show."""
    return total(*metrics).scaled(PER_MINUTE)


def highest(*metrics: Metric) -> Usage:
    """The highest of metrics that are in the signal's unit already; the others stand in for a missing one."""
    return Usage(Op.MAX, tuple((metric, 1.0) for metric in metrics))


def difference(metric: Metric, *others: Metric) -> Usage:
    """A metric less others, never below 0."""
    return Usage(Op.DIFFERENCE, ((metric, 1.0), *((other, -1.0) for other in others)))


@dataclass(frozen=True, slots=True)
class Unobservable:
    """Why a usage cannot be seen, and the command that enables it (None when nothing does)."""

    reason: str
    enable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One series as a collector sees it: a signal of a resource, its limit, and where its usage is read.

    signal: its name within the collector's service, as in the catalogue.
    resource: its name, `parent/child` where it has a parent; `ACCOUNT` for an account-level limit.
    limit: read from the resource's or the account's own API, in the signal's unit; None: look further
        (Service Quotas, documentation).
    usage: a formula over metrics; a number, when the API itself tells it; or why it cannot be seen.
    refused: the saturation, demand refused per second; None where CloudWatch does not tell.
    at_most: set when usage can only be bounded: `usage` is then the lower bound and this the upper one,
        the two are shown as a range, and the series is not judged.
    """

    signal: str
    resource: str
    usage: Usage | float | Unobservable
    limit: float | None = None
    refused: Usage | None = None
    at_most: Usage | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Aws(Protocol):
    """One account in one region, as one part of a collector may ask it.

    Operations are named as AWS names them. Calls are rate limited, retried and counted; what AWS refuses
    raises `botocore.exceptions.ClientError`.
    """

    @property
    def account(self) -> str:
        """The 12-digit id."""
        ...

    @property
    def region(self) -> str: ...

    def call(self, service: str, operation: str, **params: Any) -> Awaitable[dict[str, Any]]:
        """One call."""
        ...

    def pages(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        """The items under `key` of every page."""
        ...

    def attempt(self, service: str, operation: str, **params: Any) -> Awaitable[dict[str, Any]]:
        """One call whose failure costs only its own answer: it is noted in the status, and `{}` returned."""
        ...

    def each(
        self,
        items: Iterable[Item] | AsyncIterator[Item],
        ask: Callable[[Item], Awaitable[Answer]],
        name: Callable[[Item], str],
    ) -> AsyncIterator[tuple[Item, Answer]]:
        """Ask about many resources at once, in bounded number, in the order the answers come.

        A failure costs its own item: it is noted under `name(item)`, the resource's name, whose series
        (and those of `name/...`) are then kept as they were at the inventory before.
        """
        ...


Part = Callable[[Aws], AsyncIterator[Observed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """What one AWS service can tell, and what must be allowed to ask it.

    parts: each yields series; they run and fail independently of one another.
    metrics: every CloudWatch metric that the parts may use, without dimensions.
    actions: the IAM actions that the parts need.
    rates: calls per second allowed to ourselves, by `service` or `service:Operation`; AWS's documented
        control-plane rates are shared with the customer's own tools.
    delay: minutes until a minute's value can be trusted to be there.
    """

    service: str
    parts: tuple[Part, ...]
    metrics: tuple[Metric, ...]
    actions: tuple[str, ...]
    rates: Mapping[str, float] = field(default_factory=dict)
    delay: int = 3
