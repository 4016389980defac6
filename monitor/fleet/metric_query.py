"""The query of one metric in a GetMetricData request."""

import orjson

from collectors.base import Metric


def metric_query(metric: Metric) -> bytes:
    """Return the JSON of the `MetricStat` that GetMetricData takes for a metric."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    name = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    encoded = orjson.dumps({"Metric": name, "Period": metric.period, "Stat": metric.stat})
    return memoryview(encoded).tobytes()  # a copy without spare capacity: orjson's buffer keeps 4 KiB alive
