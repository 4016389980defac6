"""The aggregates that bound metrics, by the rules of the catalogue."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from collectors.usage import Metric
from rules.bounds import Bound


@dataclass(frozen=True, slots=True)
class MetricBounds:
    """Finds the aggregate metric that bounds a metric.

    rules: the bounds by namespace, name and statistic of the bounded metric, and by whether they are about
    usage.
    """

    rules: Mapping[tuple[str, str, str, bool], tuple[Bound, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, bounds: Iterable[Bound]) -> "MetricBounds":
        """Index the rules of all services."""
        rules: dict[tuple[str, str, str, bool], tuple[Bound, ...]] = {}
        for bound in bounds:
            for name in bound.metrics:
                key = bound.namespace, name, bound.stat, bound.is_usage
                rules[key] = (*rules.get(key, ()), bound)
        return cls(rules)

    def aggregate_of(self, metric: Metric) -> Metric | None:
        """Return the aggregate of a metric of throttled demand; None if no rule is declared.

        While the aggregate is 0, the metric is 0. Only a metric that is zero when absent has an aggregate.
        """
        return self._find_aggregate(metric, is_usage=False) if metric.zero_when_absent else None

    def usage_aggregate_of(self, metric: Metric) -> Metric | None:
        """Return the metric that a metric of usage is a part of; None if no rule is declared."""
        return self._find_aggregate(metric, is_usage=True)

    def _find_aggregate(self, metric: Metric, is_usage: bool) -> Metric | None:
        dimensions = dict(metric.dimensions)
        for bound in self.rules.get((metric.namespace, metric.name, metric.stat, is_usage), ()):
            if {*bound.dimensions} == dimensions.keys():
                aggregate_dimensions = tuple(sorted(bound.aggregate_dimensions(dimensions).items()))
                return replace(metric, name=bound.metric or metric.name, dimensions=aggregate_dimensions)
        return None


NO_BOUNDS = MetricBounds()


def bound_problems(bound: Bound, metrics: Iterable[Metric]) -> Iterator[str]:
    """Yield the problems of a rule: metrics that are not read, not zero when absent, or of another unit."""
    metrics_read = {(metric.namespace, metric.name, metric.stat): metric for metric in metrics}
    part = metrics_read.get((bound.namespace, bound.metrics[0], bound.stat))
    for name in dict.fromkeys((*bound.metrics, *filter(None, [bound.metric]))):
        metric_read = metrics_read.get((bound.namespace, name, bound.stat))
        if metric_read is None:
            yield f"expected a metric that is read, found {bound.stat} of {name} in {bound.namespace}"
        elif not (bound.is_usage or metric_read.zero_when_absent):
            yield f"expected a metric that is zero when absent, found {name}"
        elif bound.metric and part and metric_read.unit != part.unit:
            units = f"{bound.metrics[0]} in {part.unit} and {name} in {metric_read.unit}"
            yield f"expected metrics in one unit, found {units}"
