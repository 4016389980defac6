"""What AWS bills for watching, and the service that a metric is read for.

List prices of us-east-1: https://aws.amazon.com/cloudwatch/pricing/
"""

from collections.abc import Mapping

from collectors import COLLECTORS

DOLLARS_PER_METRIC = 0.01 / 1000  # GetMetricData, per metric requested, whatever number of points
DOLLARS_PER_UPDATE = 0.003 / 1000  # Metric Streams, per metric update: one a minute and metric

# By namespace and name. A metric that several services read counts for the first of them in the registry.
PAYERS: Mapping[tuple[str, str], str] = {
    (metric.namespace, metric.name): collector.service
    for collector in reversed(COLLECTORS)
    for metric in collector.metrics
}
