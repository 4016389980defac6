"""The service that each metric query is charged to."""

from collections import Counter
from collections.abc import Iterable, Mapping

from collectors.base import Collector, Metric
from monitor.cost.prices import metric_owners
from monitor.fleet.metric_query import metric_query

# A metric query is JSON; what precedes its dimensions names the namespace and the metric.
DIMENSIONS = b'"Dimensions"'


def _head(metric: Metric) -> bytes:
    """Return the bytes before the dimensions in every query of a metric; no statistic changes them."""
    return metric_query(Metric(metric.namespace, metric.name, stat="")).partition(DIMENSIONS)[0]


class MetricOwners:
    """Counts metric queries by the service that they are charged to (see `monitor.cost.prices`)."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        collectors = tuple(collectors)
        self._region_by_head = {
            _head(metric): one.region for one in collectors if one.region for metric in one.metrics
        }
        self._service_by_head = {
            _head(Metric(*metric, stat="")): service for metric, service in metric_owners(collectors).items()
        }

    def by_region(self, metrics: Mapping[bytes, int]) -> Mapping[str, Mapping[bytes, int]]:
        """Return metrics by the region where CloudWatch has them; empty for the region of the cell."""
        if not self._region_by_head:
            return {"": metrics}
        grouped: dict[str, dict[bytes, int]] = {}
        for metric, row in metrics.items():
            region = self._region_by_head.get(metric.partition(DIMENSIONS)[0], "")
            grouped.setdefault(region, {})[metric] = row
        return grouped

    def count(self, metrics: Iterable[bytes]) -> Mapping[str, int]:
        """Count queries by service; those of metrics that no collector declares have an empty one."""
        return Counter(self._service_by_head.get(metric.partition(DIMENSIONS)[0], "") for metric in metrics)
