"""GetMetricData over the world's metrics: computed when asked for, so all of history is there at once.

The newest complete minute is available at its end: the demo does not imitate CloudWatch's delay.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from monitor.demo.metric import Emitted
from monitor.demo.region import AwsError, Params, Region
from monitor.demo.services import SERVICES
from monitor.demo.traffic import Minutes

MAX_QUERIES = 500  # of one call
Key = tuple[str, str, frozenset[tuple[str, str]]]


class CloudWatch:
    """The metrics of one region, found by their identity."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.metrics: dict[Key, Emitted] = {
            (emitted.namespace, emitted.name, frozenset(emitted.dimensions.items())): emitted
            for service in SERVICES
            for emitted in service.emitted(region)
        }

    def get_metric_data(self, request: Params, now: float) -> bytes:
        """The JSON body of the answer.

        Raises AwsError for what the demo does not do: expressions, periods of less than a minute,
        more than 500 queries.
        """
        queries = request["MetricDataQueries"]
        if len(queries) > MAX_QUERIES:
            raise invalid(
                f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
            )
        results = [self.result(query, request, now) for query in queries]
        return orjson.dumps({"MetricDataResults": results, "Messages": []}, option=orjson.OPT_SERIALIZE_NUMPY)

    def result(self, query: Mapping[str, Any], request: Params, now: float) -> dict[str, Any]:
        stat = query.get("MetricStat")
        if stat is None or stat["Period"] % 60:
            raise invalid(
                f"Query {query['Id']}: only a MetricStat with a Period of whole minutes works here."
            )
        metric = stat["Metric"]
        found = self.metrics.get(key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions", ())))
        answer = {
            "Id": query["Id"],
            "Label": query.get("Label", metric["MetricName"]),
            "StatusCode": "Complete",
        }
        if found is None:
            return answer | {"Timestamps": [], "Values": []}
        length = stat["Period"] // 60
        starts = asked_for(request, length, now)
        values = found.values(stat["Stat"], starts - self.region.start, length)
        there = ~np.isnan(values)
        return answer | {"Timestamps": (starts[there] * 60).astype(float), "Values": values[there]}


def key(namespace: str, name: str, dimensions: Iterable[Mapping[str, str]]) -> Key:
    return namespace, name, frozenset((dimension["Name"], dimension["Value"]) for dimension in dimensions)


def asked_for(request: Params, length: int, now: float) -> Minutes:
    """The starts of the complete periods of `length` minutes from StartTime up to, without, EndTime.

    Newest first unless asked otherwise.
    """
    period = 60 * length
    first = int(request["StartTime"] // period)
    end = min(int(-(-request["EndTime"] // period)), int(now // period))
    starts = np.arange(first, max(first, end)) * length
    return starts if request.get("ScanBy") == "TimestampAscending" else starts[::-1].copy()


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
