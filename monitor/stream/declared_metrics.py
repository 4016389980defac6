"""The metrics that collectors declare, their statistics and units. Only these are decoded from a stream."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.base import GLOBAL_REGION, Collector, QualifiedName, ServiceScope
from monitor.cost.prices import metric_owners
from monitor.fleet.key import CellKey, CellService
from monitor.lib.partitions import partition_of
from monitor.stream.interner import MetricName
from monitor.stream.points import BASE_STATISTICS
from monitor.stream.statistics import Statistics, additional_statistics, statistics_by_metric
from rules.units import Unit


def units_by_metric(collectors: Iterable[Collector]) -> Mapping[QualifiedName, Unit]:
    """Return the unit that collectors expect, by namespace and name of the metric."""
    metrics = (metric for collector in collectors for metric in collector.metrics)
    return {(metric.namespace, metric.name): metric.unit for metric in metrics}


def services_by_namespace(collectors: Iterable[Collector]) -> Mapping[str, frozenset[str]]:
    """Return the services whose collectors read metrics of a namespace, by namespace."""
    services = defaultdict[str, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            services[metric.namespace].add(collector.service)
    return {namespace: frozenset(names) for namespace, names in services.items()}


@dataclass(frozen=True, slots=True)
class DeclaredMetrics:
    """The metrics that are decoded from a stream, by namespace and name.

    statistics: the statistics that collectors read, by metric.
    units: the units that collectors expect, by metric.
    owners: the service that a metric is charged to, by metric.
    services: the services whose collectors read metrics of a namespace, by namespace.
    scopes: whether a service is regional or global, by service.
    decoded_statistics: the statistics that are decoded of each point.
    """

    statistics: Mapping[QualifiedName, Statistics]
    units: Mapping[QualifiedName, Unit]
    owners: Mapping[QualifiedName, str]
    services: Mapping[str, frozenset[str]]
    scopes: Mapping[str, ServiceScope]
    decoded_statistics: Statistics

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
            decoded_statistics=(
                *BASE_STATISTICS,
                *additional_statistics(name for names in statistics.values() for name in names),
            ),
        )

    def reading_services(self, name: MetricName) -> list[CellService]:
        """Return each service that reads metrics of a name's namespace, with its cell; the owner first.

        The cell of a global service is the global cell only if the name is of the home region: only that
        region has the metrics of global services.
        """
        owner = self.owners[name.namespace, name.metric]
        services = (owner, *sorted(self.services[name.namespace] - {owner}))
        return [(self._cell(name, service), service) for service in services]

    def _cell(self, name: MetricName, service: str) -> CellKey:
        is_global = self.scopes[service] is ServiceScope.GLOBAL
        is_in_global_cell = is_global and partition_of(name.region).home_region == name.region
        return (name.account, GLOBAL_REGION) if is_in_global_cell else name.cell

    @property
    def max_statistics(self) -> int:
        """The highest number of statistics that are read of one metric."""
        return max(map(len, self.statistics.values()), default=0)
