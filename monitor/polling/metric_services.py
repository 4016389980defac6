"""The service and the region that each metric query belongs to."""

from collections import Counter
from collections.abc import Iterable, Mapping

from collectors.base import Collector
from monitor.cost.prices import metric_owners
from monitor.fleet.metric_query import name_part, name_part_of


class MetricServices:
    """Groups metric queries by region, and counts them by the service that they are charged to."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        collectors = tuple(collectors)
        self._region_by_name = {
            name_part_of(metric.namespace, metric.name): collector.region
            for collector in collectors
            if collector.region
            for metric in collector.metrics
        }
        self._service_by_name = {
            name_part_of(*metric): service for metric, service in metric_owners(collectors).items()
        }

    def by_region(self, metrics: Mapping[bytes, int]) -> Mapping[str, Mapping[bytes, int]]:
        """Group queries by the region whose CloudWatch has their metrics; return the groups by region.

        metrics: a number, such as a row, for each query. The region of the cell is the empty text.
        """
        if not self._region_by_name or self._region_by_name.keys().isdisjoint(map(name_part, metrics)):
            return {"": metrics}
        grouped: dict[str, dict[bytes, int]] = {}
        for metric, row in metrics.items():
            region = self._region_by_name.get(name_part(metric), "")
            grouped.setdefault(region, {})[metric] = row
        return grouped

    def count(self, metrics: Iterable[bytes]) -> Mapping[str, int]:
        """Count queries by service; metrics that no collector declares count for the empty text."""
        counts = Counter[str]()
        for name, number in Counter(map(name_part, metrics)).items():
            counts[self._service_by_name.get(name, "")] += number
        return counts
