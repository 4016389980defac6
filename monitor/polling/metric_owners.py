"""The service that each metric query is charged to."""

from collections import Counter
from collections.abc import Iterable, Mapping

from collectors.base import Collector
from monitor.cost.prices import metric_owners
from monitor.fleet.metric_query import name_part, name_part_of


class MetricOwners:
    """Counts metric queries by the service that they are charged to (see `monitor.cost.prices`)."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        collectors = tuple(collectors)
        self._region_by_name = {
            name_part_of(metric.namespace, metric.name): one.region
            for one in collectors
            if one.region
            for metric in one.metrics
        }
        self._service_by_name = {
            name_part_of(*metric): service for metric, service in metric_owners(collectors).items()
        }

    def by_region(self, metrics: Mapping[bytes, int]) -> Mapping[str, Mapping[bytes, int]]:
        """Return metrics by the region where CloudWatch has them; empty for the region of the cell."""
        if not self._region_by_name:
            return {"": metrics}
        grouped: dict[str, dict[bytes, int]] = {}
        for metric, row in metrics.items():
            region = self._region_by_name.get(name_part(metric), "")
            grouped.setdefault(region, {})[metric] = row
        return grouped

    def count(self, metrics: Iterable[bytes]) -> Mapping[str, int]:
        """Count queries by service; those of metrics that no collector declares have an empty one."""
        return Counter(self._service_by_name.get(name_part(metric), "") for metric in metrics)
