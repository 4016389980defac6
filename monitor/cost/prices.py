"""The prices of monitoring, and the service to which each metric is charged.

List prices of us-east-1: https://aws.amazon.com/cloudwatch/pricing/
"""

from collections.abc import Iterable, Mapping

from collectors.base import Collector

DOLLARS_PER_METRIC = 0.01 / 1000  # per metric requested of GetMetricData, for any number of points
DOLLARS_PER_UPDATE = 0.003 / 1000  # per update of a Metric Stream, which has one a minute for each metric
SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 365.25 * 86400 / 12  # of an average month


def metric_owners(collectors: Iterable[Collector]) -> Mapping[tuple[str, str], str]:
    """Return the service that each metric is charged to, by namespace and name of the metric.

    One that several services read is charged to the first of them.
    """
    owners: dict[tuple[str, str], str] = {}
    for collector in collectors:
        for metric in collector.metrics:
            owners.setdefault((metric.namespace, metric.name), collector.service)
    return owners
