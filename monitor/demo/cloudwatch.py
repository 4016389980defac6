"""GetMetricData and ListMetrics for the metrics of the simulated resources.

Values are computed on request, so the whole history exists from the start. A minute is available as soon as
it ends: the demo does not simulate the delay of CloudWatch.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from monitor.demo.metric import AnyMetric
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, RequestParams
from monitor.demo.services import SERVICES
from monitor.demo.traffic import Minutes

MAX_QUERIES = 500  # per call, as in AWS
RECENT_MINUTES = 180  # the only window of `RecentlyActive`: PT3H
MetricKey = tuple[str, str, frozenset[tuple[str, str]]]


class DemoCloudWatch:
    """The metrics of one region, by namespace, name and dimensions."""

    def __init__(self, region: DemoRegion, services: Iterable[DemoService] = SERVICES) -> None:
        self.region = region
        self.metrics: dict[MetricKey, AnyMetric] = {
            (metric.namespace, metric.name, frozenset(metric.dimensions.items())): metric
            for service in services
            for metric in service.metrics(region)
        }

    def get_metric_data(self, request: RequestParams, now: float) -> bytes:
        """Return the JSON body of the response.

        Raises AwsResponseError for expressions, periods that are not whole minutes, and more than 500
        queries, which the demo does not support.
        """
        queries = request["MetricDataQueries"]
        if len(queries) > MAX_QUERIES:
            raise validation_error(
                f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
            )
        results = [self.result(query, request, now) for query in queries]
        return orjson.dumps({"MetricDataResults": results, "Messages": []}, option=orjson.OPT_SERIALIZE_NUMPY)

    def list_metrics(self, params: RequestParams, now: float) -> dict[str, Any]:
        """Return the metrics with the requested name and dimensions as one page.

        With `RecentlyActive`, only metrics with a point in the last three hours are returned.
        """
        filters = [(dimension["Name"], dimension.get("Value")) for dimension in params.get("Dimensions", ())]
        matching = [
            metric
            for metric in self.metrics.values()
            if metric.namespace == params["Namespace"]
            and metric.name == params.get("MetricName", metric.name)
            and all(has_dimension(metric.dimensions, name, value) for name, value in filters)
            and ("RecentlyActive" not in params or self.is_recently_active(metric, now))
        ]
        return {"Metrics": [metric_description(metric) for metric in matching]}

    def is_recently_active(self, metric: AnyMetric, now: float) -> bool:
        """Return whether a metric had a point in the last three hours."""
        starts = np.arange(int(now // 60) - RECENT_MINUTES, int(now // 60)) - self.region.start
        return not np.isnan(metric.values("Sum", starts, 1)).all()

    def result(self, query: Mapping[str, Any], request: RequestParams, now: float) -> dict[str, Any]:
        """Return the result of one query. Raises AwsResponseError."""
        stat = query.get("MetricStat")
        if stat is None or stat["Period"] % 60:
            raise validation_error(
                f"Query {query['Id']}: only a MetricStat with a Period of whole minutes works here."
            )
        metric = stat["Metric"]
        demo_metric = self.metrics.get(
            metric_key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions", ()))
        )
        result = {
            "Id": query["Id"],
            "Label": query.get("Label", metric["MetricName"]),
            "StatusCode": "Complete",
        }
        if demo_metric is None:
            return result | {"Timestamps": [], "Values": []}
        length = stat["Period"] // 60
        starts = period_starts(request, length, now)
        values = demo_metric.values(stat["Stat"], starts - self.region.start, length)
        has_value = ~np.isnan(values)
        return result | {"Timestamps": (starts[has_value] * 60).astype(float), "Values": values[has_value]}


def has_dimension(dimensions: Mapping[str, str], name: str, value: str | None) -> bool:
    """Return true if there is a dimension of this name, with this value unless it is None."""
    return name in dimensions and value in (None, dimensions[name])


def metric_description(metric: AnyMetric) -> dict[str, Any]:
    """Return a metric in the form of the response of ListMetrics."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def metric_key(namespace: str, name: str, dimensions: Iterable[Mapping[str, str]]) -> MetricKey:
    """Return the identity of a metric from a request."""
    return namespace, name, frozenset((dimension["Name"], dimension["Value"]) for dimension in dimensions)


def period_starts(request: RequestParams, length: int, now: float) -> Minutes:
    """Return the starts of the complete periods of `length` minutes from StartTime until EndTime.

    The starts are in minutes since 1970; the newest is first unless ScanBy says otherwise.
    """
    period = 60 * length
    first = int(request["StartTime"] // period)
    end = min(int(-(-request["EndTime"] // period)), int(now // period))
    starts = np.arange(first, max(first, end)) * length
    return starts if request.get("ScanBy") == "TimestampAscending" else starts[::-1].copy()


def validation_error(message: str) -> AwsResponseError:
    """Return the error with which CloudWatch rejects a request."""
    return AwsResponseError("ValidationError", message)
