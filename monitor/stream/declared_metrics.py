"""The metrics that collectors declare, their statistics and units. Only these are decoded from a stream."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.base import GLOBAL_REGION, Collector, ServiceScope
from monitor.cost.prices import metric_owners
from monitor.fleet.key import CellKey
from monitor.lib.partitions import partition_of
from monitor.stream.discovery import CellService
from monitor.stream.interner import MetricName
from monitor.stream.points import BASE_STATISTICS
from rules.units import Unit

MetricId = tuple[str, str]  # namespace, name
Statistics = tuple[str, ...]  # as CloudWatch names them

# The names of statistics in CloudWatch, and in the points of streams.
STATISTIC_FIELDS = {"Sum": "sum", "Maximum": "max", "Minimum": "min", "SampleCount": "count"}
AVERAGE = "Average"  # sum / count


def statistics_by_metric(collectors: Iterable[Collector]) -> Mapping[MetricId, Statistics]:
    """Return the statistics that collectors read, by namespace and name of the metric, sorted.

    Without metrics of a period longer than a minute: a point of a stream does not tell of how many minutes it
    is, so that they are polled.
    """
    statistics = defaultdict[MetricId, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            if metric.minutes == 1:
                statistics[metric.namespace, metric.name].add(metric.stat)
    return {metric: tuple(sorted(read)) for metric, read in sorted(statistics.items())}


def units_by_metric(collectors: Iterable[Collector]) -> Mapping[MetricId, Unit]:
    """Return the unit that collectors expect, by namespace and name of the metric."""
    metrics = (metric for collector in collectors for metric in collector.metrics)
    return {(metric.namespace, metric.name): metric.unit for metric in metrics}


def additional_statistics(statistics: Iterable[str]) -> Statistics:
    """Return the statistics that a metric stream includes only if configured to, such as p99, sorted."""
    return tuple(sorted({name for name in statistics if name not in STATISTIC_FIELDS and name != AVERAGE}))


def services_by_namespace(collectors: Iterable[Collector]) -> Mapping[str, frozenset[str]]:
    """Return the services whose collectors read metrics of a namespace, by namespace."""
    services = defaultdict[str, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            services[metric.namespace].add(collector.service)
    return {namespace: frozenset(names) for namespace, names in services.items()}


@dataclass(frozen=True, slots=True)
class DeclaredMetrics:
    """The metrics that a stream is decoded for, by namespace and name.

    statistics: those that collectors read. units: those that collectors expect. owners: the services that
    the metrics are charged to. services: by namespace, those whose collectors read metrics of it.
    scopes: where services are read. decoded: the statistics that are decoded of each point.
    """

    statistics: Mapping[MetricId, Statistics]
    units: Mapping[MetricId, Unit]
    owners: Mapping[MetricId, str]
    services: Mapping[str, frozenset[str]]
    scopes: Mapping[str, ServiceScope]
    decoded: Statistics

    @classmethod
    def of(cls, collectors: Sequence[Collector]) -> "DeclaredMetrics":
        """Return the metrics that these collectors declare."""
        statistics = statistics_by_metric(collectors)
        return cls(
            statistics=statistics,
            units=units_by_metric(collectors),
            owners=metric_owners(collectors),
            services=services_by_namespace(collectors),
            scopes={collector.service: collector.scope for collector in collectors},
            decoded=(
                *BASE_STATISTICS,
                *additional_statistics(name for names in statistics.values() for name in names),
            ),
        )

    def readers(self, name: MetricName) -> list[CellService]:
        """Return the services that read metrics of a name's namespace, with their cells.

        The metric's owner is the first. A stream of the home region delivers the metrics of global services.
        """
        owner = self.owners[name.namespace, name.metric]
        services = (owner, *sorted(self.services[name.namespace] - {owner}))
        return [(self._cell(name, service), service) for service in services]

    def _cell(self, name: MetricName, service: str) -> CellKey:
        is_global = self.scopes[service] is ServiceScope.GLOBAL
        is_home = is_global and partition_of(name.region).home_region == name.region
        return (name.account, GLOBAL_REGION) if is_home else name.cell

    @property
    def max_statistics(self) -> int:
        """The highest number of statistics that are read of one metric."""
        return max(map(len, self.statistics.values()), default=0)
