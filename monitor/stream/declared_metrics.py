"""The metrics that collectors declare, their statistics and units. Only these are decoded from a stream."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from collectors import COLLECTORS
from collectors.base import Collector
from monitor.stream.points import BASE_STATISTICS
from rules.units import Unit

Statistics = tuple[str, ...]  # as CloudWatch names them

# The names of statistics in CloudWatch, and in the points of streams.
STATISTIC_FIELDS = {"Sum": "sum", "Maximum": "max", "Minimum": "min", "SampleCount": "count"}
AVERAGE = "Average"  # sum / count


def statistics_by_metric(
    collectors: Iterable[Collector] = COLLECTORS,
) -> Mapping[tuple[str, str], Statistics]:
    """Return the statistics that collectors read, by namespace and name of the metric, sorted."""
    statistics = defaultdict[tuple[str, str], set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            statistics[metric.namespace, metric.name].add(metric.stat)
    return {metric: tuple(sorted(read)) for metric, read in sorted(statistics.items())}


def units_by_metric(collectors: Iterable[Collector] = COLLECTORS) -> Mapping[tuple[str, str], Unit]:
    """Return the unit that collectors expect, by namespace and name of the metric."""
    metrics = (metric for collector in collectors for metric in collector.metrics)
    return {(metric.namespace, metric.name): metric.unit for metric in metrics}


def additional_statistics(statistics: Iterable[str]) -> Statistics:
    """Return the statistics that a metric stream includes only if configured to, such as p99, sorted."""
    return tuple(sorted({name for name in statistics if name not in STATISTIC_FIELDS and name != AVERAGE}))


def services_by_namespace(collectors: Iterable[Collector] = COLLECTORS) -> Mapping[str, frozenset[str]]:
    """Return the services whose collectors read metrics of a namespace, by namespace."""
    services = defaultdict[str, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            services[metric.namespace].add(collector.service)
    return {namespace: frozenset(names) for namespace, names in services.items()}


DECLARED_METRICS = statistics_by_metric()
DECLARED_UNITS = units_by_metric()
SERVICES_BY_NAMESPACE = services_by_namespace()
DECODED_STATISTICS: Statistics = (
    *BASE_STATISTICS,
    *additional_statistics(name for names in DECLARED_METRICS.values() for name in names),
)
MAX_STATISTICS = max(map(len, DECLARED_METRICS.values()))  # of one metric
