"""CloudWatch metrics, and formulas of usage over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rules.units import COUNT, Unit

USAGE_NAMESPACE = "AWS/Usage"  # has metrics of all services

PER_MINUTE = 1 / 60  # weight that turns a sum per minute into a rate per second
PERIODS = (60, 300, 900, 3600)  # seconds
SUMMED_STATISTICS = ("Sum", "SampleCount")  # statistics whose values grow with the period

Dimensions = tuple[tuple[str, str], ...]  # names and values, sorted
QualifiedName = tuple[str, str]  # a namespace, and the name of a metric in it


@dataclass(frozen=True, slots=True)
class Metric:
    """A CloudWatch metric: namespace, name, statistic, and its exact dimensions.

    period: seconds between two points, one of PERIODS. The value of a point applies to each minute of its
    period; a `Sum` or `SampleCount` is first divided by the number of minutes.
    zero_when_absent: AWS publishes no point when nothing happened, as for Lambda's Throttles. A minute that
    was read without a point then counts as 0, once other points prove that AWS has published the minute (see
    `monitor.fleet.namespaces`). For all other metrics a missing point is unknown.
    unit: the unit of the values; a `SampleCount` counts values of this unit. Streamed values are converted to
    the unit.
    """

    namespace: str
    name: str
    stat: str
    zero_when_absent: bool = False
    dimensions: Dimensions = ()
    unit: Unit = COUNT
    period: int = 60

    def __post_init__(self) -> None:
        if self.period not in PERIODS:
            raise ValueError(f"a period is one of {PERIODS}, found {self.period}")

    @property
    def period_minutes(self) -> int:
        """The length of the period in minutes."""
        return self.period // 60

    @property
    def divisor(self) -> int:
        """The number by which a point is divided to get a value per minute."""
        return self.period_minutes if self.stat in SUMMED_STATISTICS else 1

    def of(self, **dimensions: str) -> "Metric":
        """Return the same metric with these dimensions."""
        sorted_dimensions = tuple(sorted(dimensions.items()))
        # Not by `dataclasses.replace`, which takes twice as long.
        return Metric(
            self.namespace,
            self.name,
            self.stat,
            self.zero_when_absent,
            sorted_dimensions,
            self.unit,
            self.period,
        )


class Op(StrEnum):
    """The operation that combines the weighted terms of one minute."""

    SUM = "sum"  # the sum of the terms with a point; at least one term needs a point
    MAX = "max"  # the highest term with a point; at least one term needs a point
    MIN = "min"  # the lowest term with a point; at least one term needs a point
    DIFFERENCE = "difference"  # the first term minus the others; all need a point
    RATIO = "ratio"  # the first term divided by the second; both need a point, and the second is not 0
    COUNT_DIFFERENCE = "count difference"  # a difference of growing counts; see `count_difference`
    READER_LAG = "reader lag"  # in milliseconds; see `reader_lag`
    UNREAD_DURATION = "unread duration"  # in milliseconds; see `unread_duration`
    POSITIVE = "positive"  # 1 if the sum of the terms with a point is above 0, else 0; one needs a point
    # How much the sum rose since one period before, divided by the minutes of the period; 0 if it fell. The
    # period is the longest of the metrics.
    RISE = "rise"


METRIC_OPS = (Op.COUNT_DIFFERENCE, Op.READER_LAG, Op.UNREAD_DURATION)  # operations whose terms are metrics
# Operations that ignore weights, and interpret missing points themselves.
LAG_OPS = (Op.READER_LAG, Op.UNREAD_DURATION)
UNWEIGHTED_RESULTS = (*LAG_OPS, Op.POSITIVE)  # operations whose result does not grow with weights
RATIO_TERMS = 2


@dataclass(frozen=True, slots=True)
class Usage:
    """A formula in the signal's unit: `op` combines all terms, each times its weight; `offset` is added.

    A term is a metric or another usage; the terms of METRIC_OPS are metrics. `monitor.fleet.formula` tells
    what a missing point means. metrics: the metrics of all `nodes`, in their order. Raises ValueError for
    terms that the operation cannot have.
    """

    op: Op
    terms: tuple[tuple["Term", float], ...]
    offset: float = 0.0
    metrics: tuple[Metric, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        metrics = [term for node in self.nodes for term, _ in node.terms if isinstance(term, Metric)]
        object.__setattr__(self, "metrics", tuple(metrics))
        if self.op in METRIC_OPS and any(isinstance(term, Usage) for term, _ in self.terms):
            raise ValueError(f"the terms of {self.op} are metrics")
        if self.op is Op.RATIO and len(self.terms) != RATIO_TERMS:
            raise ValueError("a ratio has two terms")

    def scaled(self, factor: float) -> "Usage":
        """Return the usage times a factor above 0."""
        if self.op in UNWEIGHTED_RESULTS:
            return Usage(Op.SUM, ((self, factor),))
        scaled_count = 1 if self.op is Op.RATIO else len(self.terms)
        terms = tuple((term, weight * factor) for term, weight in self.terms[:scaled_count])
        return Usage(self.op, terms + self.terms[scaled_count:], self.offset * factor)

    @property
    def nodes(self) -> Sequence["Usage"]:
        """This usage and the usages among its terms at any depth, each before its own terms."""
        return [self, *[node for term, _ in self.terms if isinstance(term, Usage) for node in term.nodes]]


Term = Metric | Usage


def total(*terms: Term) -> Usage:
    """Return the sum of terms in the signal's unit; terms without a point are left out."""
    return _weighted(Op.SUM, terms, 1.0)


def zero_of(*terms: Term) -> Usage:
    """Return 0 for each minute in which a term has a point.

    It is the lower bound of a usage of which only an upper bound is known.
    """
    return _weighted(Op.SUM, terms, 0.0)


def per_second(*terms: Term) -> Usage:
    """Return the mean rate per second of sums per minute; it hides bursts within a minute."""
    return _weighted(Op.SUM, terms, PER_MINUTE)


def highest(*terms: Term) -> Usage:
    """Return the highest of terms in the signal's unit; terms without a point are left out."""
    return _weighted(Op.MAX, terms, 1.0)


def lowest(*terms: Term) -> Usage:
    """Return the lowest of terms in the signal's unit; terms without a point are left out."""
    return _weighted(Op.MIN, terms, 1.0)


def _weighted(op: Op, terms: Iterable[Term], weight: float) -> Usage:
    return Usage(op, tuple([(term, weight) for term in terms]))


def ratio(part: Term, whole: Term) -> Usage:
    """Return `part` divided by `whole`; unknown while `whole` is 0."""
    return Usage(Op.RATIO, ((part, 1.0), (whole, 1.0)))


def limit_minus(limit: float, left: Term) -> Usage:
    """Return the used part of a limit, from a term for the part left.

    If the limit is itself a metric, use `difference`.
    """
    return Usage(Op.SUM, ((left, -1.0),), offset=limit)


def percent_used(left: Term) -> Usage:
    """Return the used percentage, from a term for the percentage that is left."""
    return limit_minus(100.0, left)


def reader_lag(*readers: Metric, written: Metric) -> Usage:
    """Return the lag of the slowest reader, in milliseconds.

    readers: the lag metrics of the readers. written: the metric of the written amount. A stopped reader
    publishes no point while its unread data gets older. So the lag grows by a minute per minute while no
    reader publishes a point and data is unread.
    """
    return _weighted(Op.READER_LAG, (*readers, written), 1.0)


def unread_duration(*readers: Metric, written: Metric) -> Usage:
    """Return the milliseconds for which data has been written and nobody has read; 0 while it is read.

    A point of a reader's metric means that data was read in its minute; if the metric is zero when absent,
    only a point above 0 does.
    """
    return _weighted(Op.UNREAD_DURATION, (*readers, written), 1.0)


def difference(term: Term, *others: Term) -> Usage:
    """Return a term minus others, never below 0."""
    return Usage(Op.DIFFERENCE, ((term, 1.0), *((other, -1.0) for other in others)))


def count_difference(metric: Metric, *others: Metric) -> Usage:
    """Return a count minus others, never below 0.

    CloudWatch revises the counts of recent minutes one after another, so the difference of equal counts may
    be above 0 for a while. While CloudWatch may still revise the minute, a difference that revisions could
    explain is unknown.
    """
    terms = ((metric, 1.0), *((other, -1.0) for other in others))
    return Usage(Op.COUNT_DIFFERENCE, terms) if others else total(metric)
