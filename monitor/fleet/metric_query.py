"""The query of one metric in a GetMetricData request: JSON, as bytes."""

import orjson

from collectors.base import Metric

DIMENSIONS = b'"Dimensions"'


def metric_query(metric: Metric) -> bytes:
    """Return the JSON of the `MetricStat` that GetMetricData takes for a metric."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    name = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    encoded = orjson.dumps({"Metric": name, "Period": metric.period, "Stat": metric.stat})
    return memoryview(encoded).tobytes()  # a copy without spare capacity: orjson's buffer keeps 4 KiB alive


def name_part(query: bytes) -> bytes:
    """Return the beginning of a query, which is the same for all queries of a namespace and a metric name."""
    return query.partition(DIMENSIONS)[0]


def name_part_of(namespace: str, name: str) -> bytes:
    """Return the `name_part` of the queries of a namespace and a metric name."""
    return name_part(metric_query(Metric(namespace, name, stat="")))
