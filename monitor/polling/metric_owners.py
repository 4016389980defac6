"""The service that each metric query is charged to."""

from collections import Counter
from collections.abc import Iterable, Mapping

from collectors.base import Collector, Metric
from monitor.cost.prices import metric_owners
from monitor.fleet.metric_query import metric_query

# A metric query is JSON; what precedes its dimensions names the namespace and the metric.
DIMENSIONS = b'"Dimensions"'


class MetricOwners:
    """Counts metric queries by the service that they are charged to (see `monitor.cost.prices`)."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._service_by_head = {
            metric_query(Metric(*metric, stat="")).partition(DIMENSIONS)[0]: service
            for metric, service in metric_owners(collectors).items()
        }

    def count(self, metrics: Iterable[bytes]) -> Mapping[str, int]:
        """Count queries by service; those of metrics that no collector declares have an empty one."""
        return Counter(self._service_by_head.get(metric.partition(DIMENSIONS)[0], "") for metric in metrics)
