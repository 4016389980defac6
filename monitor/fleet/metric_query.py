"""The query of one metric in a GetMetricData request, abbreviated, as millions of queries may be stored.

A query is the JSON of a `MetricStat` in which each text that most queries share is one control character.
JSON escapes control characters, so that these have no other meaning.
"""

import orjson

from collectors.base import Metric

DIMENSIONS = b"\3"  # a query up to this character identifies the namespace and the metric name
ABBREVIATIONS = (
    (b'{"Metric":{"Namespace":"', b"\1"),
    (b'","MetricName":"', b"\2"),
    (b'","Dimensions":[', DIMENSIONS),
    (b'{"Name":"', b"\4"),
    (b'","Value":"', b"\5"),
    (b'"}]},"Period":60,"Stat":"', b"\6"),
)


def metric_query(metric: Metric) -> bytes:
    """Return the query of a metric, which identifies the metric within its cell."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    identity = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return _abbreviate(orjson.dumps({"Metric": identity, "Period": metric.period, "Stat": metric.stat}))


def with_period(query: bytes, minutes: int) -> bytes:
    """Return the query of the same metric for points of another period."""
    return _abbreviate(orjson.dumps(orjson.loads(without_abbreviations(query)) | {"Period": 60 * minutes}))


def statistic(query: bytes) -> str:
    """Return the statistic of a query."""
    stat: str = orjson.loads(without_abbreviations(query))["Stat"]
    return stat


def _abbreviate(query: bytes) -> bytes:
    for text, character in ABBREVIATIONS:
        query = query.replace(text, character)
    return query


def without_abbreviations(queries: bytes) -> bytes:
    """Return JSON with abbreviated queries as the JSON that GetMetricData takes."""
    for text, character in ABBREVIATIONS:
        queries = queries.replace(character, text)
    return queries


def name_part(query: bytes) -> bytes:
    """Return the beginning of a query: its namespace and metric name, without dimensions and statistic."""
    return query.partition(DIMENSIONS)[0]


def name_part_of(namespace: str, name: str) -> bytes:
    """Return the `name_part` of the queries of a namespace and a metric name."""
    return name_part(metric_query(Metric(namespace, name, stat="")))
