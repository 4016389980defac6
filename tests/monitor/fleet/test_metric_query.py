"""The queries of metrics: one for each metric, abbreviated, and expanded to AWS's JSON for a request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric
from monitor.fleet.metric_query import ABBREVIATIONS, metric_query, name_part, without_abbreviations

TEXTS_AND_ABBREVIATIONS = [text.decode() for text, _ in ABBREVIATIONS] + [
    character.decode() for _, character in ABBREVIATIONS
]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    ['"', "\\", "Zürich", *TEXTS_AND_ABBREVIATIONS]
)
metrics = st.builds(
    Metric,
    texts,
    texts,
    st.sampled_from(["Sum", "Maximum", "p99"]),
    dimensions=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    period=st.sampled_from([60, 300]),
)


def metric_stat(metric: Metric) -> dict[str, object]:
    """Return the `MetricStat` of a metric, as AWS documents it."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {
        "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions},
        "Period": metric.period,
        "Stat": metric.stat,
    }


@given(metrics)
def test_a_query_expands_to_the_metric_stat_of_its_metric(metric: Metric) -> None:
    assert json.loads(without_abbreviations(metric_query(metric))) == metric_stat(metric)


@given(metrics, metrics)
def test_different_metrics_have_different_queries(first: Metric, second: Metric) -> None:
    assert (metric_query(first) == metric_query(second)) == (metric_stat(first) == metric_stat(second))
    have_same_name = (first.namespace, first.name) == (second.namespace, second.name)
    assert (name_part(metric_query(first)) == name_part(metric_query(second))) == have_same_name


@pytest.mark.parametrize("dimensions", [(), (("StreamName", "orders"),)])
def test_the_name_part_of_a_query_is_the_same_for_any_statistic_and_dimensions(
    dimensions: tuple[tuple[str, str], ...],
) -> None:
    metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum", dimensions=dimensions)
    assert name_part(metric_query(metric)) == name_part(
        metric_query(Metric("AWS/Kinesis", "IncomingBytes", "Maximum"))
    )


def test_an_expanded_query_has_the_json_that_aws_documents() -> None:
    metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName='é"\n\\', ShardId="shardId-0")
    assert json.loads(without_abbreviations(metric_query(metric))) == {
        "Metric": {
            "Namespace": "AWS/Kinesis",
            "MetricName": "IncomingBytes",
            "Dimensions": [
                {"Name": "ShardId", "Value": "shardId-0"},
                {"Name": "StreamName", "Value": 'é"\n\\'},
            ],
        },
        "Period": 60,
        "Stat": "Sum",
    }
