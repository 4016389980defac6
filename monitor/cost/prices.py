"""The prices of monitoring, and the service to which each metric is charged.

List prices of us-east-1: https://aws.amazon.com/cloudwatch/pricing/
"""

from collections.abc import Mapping

from collectors import COLLECTORS

DOLLARS_PER_METRIC = 0.01 / 1000  # per metric requested of GetMetricData, for any number of points
DOLLARS_PER_UPDATE = 0.003 / 1000  # per update of a Metric Stream, which has one a minute for each metric
SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 365.25 * 86400 / 12  # of an average month

# Services by namespace and name of a metric. One that several services read is charged to the first of them.
METRIC_OWNERS: Mapping[tuple[str, str], str] = {
    (metric.namespace, metric.name): collector.service
    for collector in reversed(COLLECTORS)
    for metric in collector.metrics
}
