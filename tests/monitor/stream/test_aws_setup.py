"""The output of `headroom stream setup`: filters, CloudFormation and Terraform."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters
from typer.testing import CliRunner

from collectors.base import Collector, Metric
from monitor.cli.stream import app
from monitor.stream.aws_setup import (
    NoStreamedMetricsError,
    StreamFilters,
    cloudformation,
    filters_for,
    terraform,
)
from tests.registries import REGISTRY

ALL_FILTERS = filters_for(REGISTRY.collectors)
P99_COLLECTOR = Collector(
    service="new",
    scans=(),
    metrics=(Metric("AWS/New", "Latency", "p99"), Metric("AWS/New", "Latency", "Sum")),
    iam_actions=(),
)


def template(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def properties(text: str, resource: str) -> dict[str, Any]:
    """Return the properties of a resource, with an ARN in place of each reference."""

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if set(value) & {"Ref", "Fn::GetAtt", "Fn::Sub"}:
            return "arn:aws:iam::123456789012:role/resolved"
        return {key: resolve(inner) for key, inner in value.items()}

    properties_with_arns: dict[str, Any] = resolve(template(text)["Resources"][resource]["Properties"])
    return properties_with_arns


def test_the_filters_are_exactly_the_one_minute_metrics_that_collectors_declare() -> None:
    streamed_metrics = {(namespace, name) for namespace, names in ALL_FILTERS.names.items() for name in names}
    declared_metrics = [metric for collector in REGISTRY.collectors for metric in collector.metrics]
    assert streamed_metrics == {
        (metric.namespace, metric.name) for metric in declared_metrics if metric.period_minutes == 1
    }
    # The maximum of names and namespaces in the filters of one metric stream is 1,000.
    assert sum(map(len, ALL_FILTERS.names.values())) + len(ALL_FILTERS.names) <= 1000


def test_a_metric_of_a_longer_period_is_not_streamed() -> None:
    """A streamed point does not say how many minutes it covers."""
    five_minute_metric = Metric("AWS/New", "Stored", "Sum", period=300)
    collector = replace(P99_COLLECTOR, metrics=(*P99_COLLECTOR.metrics, five_minute_metric))
    assert filters_for([collector]).names == {"AWS/New": ["Latency"]}


def test_a_stream_without_metrics_is_refused() -> None:
    collector = replace(P99_COLLECTOR, metrics=(Metric("AWS/New", "Stored", "Sum", period=300),))
    with pytest.raises(NoStreamedMetricsError):
        filters_for([collector])


def test_the_cloudformation_template_is_valid_for_the_apis() -> None:
    text = cloudformation(filters_for([P99_COLLECTOR]))
    stream = properties(text, "MetricStream")
    assert stream["IncludeFilters"] == [{"Namespace": "AWS/New", "MetricNames": ["Latency"]}]
    client = boto3.client("cloudwatch", "eu-west-1")
    validate_parameters(stream, client.meta.service_model.operation_model("PutMetricStream").input_shape)
    delivery = properties(text, "Firehose")
    client = boto3.client("firehose", "eu-west-1")
    validate_parameters(
        delivery, client.meta.service_model.operation_model("CreateDeliveryStream").input_shape
    )


def test_additional_statistics_are_configured_if_a_collector_reads_them() -> None:
    filters = filters_for([P99_COLLECTOR])
    (configuration,) = properties(cloudformation(filters), "MetricStream")["StatisticsConfigurations"]
    assert configuration["AdditionalStatistics"] == ["p99"]
    assert configuration["IncludeMetrics"] == [{"Namespace": "AWS/New", "MetricName": "Latency"}]
    assert 'additional_statistics = ["p99"]' in terraform(filters)
    only_sum = replace(P99_COLLECTOR, metrics=(replace(P99_COLLECTOR.metrics[0], stat="Sum"),))
    assert "statistics_configuration" not in terraform(filters_for([only_sum]))
    assert "StatisticsConfigurations" not in cloudformation(filters_for([only_sum]))


def test_terraform_has_a_filter_for_each_namespace_and_balanced_braces() -> None:
    text = terraform(ALL_FILTERS)
    assert text.count("include_filter {") == len(ALL_FILTERS.names)
    assert all(json.dumps(names) in text for names in ALL_FILTERS.names.values())
    assert text.count("{") == text.count("}")
    assert "FILTERS" not in text


@pytest.mark.parametrize("render", [terraform, cloudformation])
def test_a_template_is_valid_in_every_partition(render: Callable[[StreamFilters], str]) -> None:
    """It has no ARN, and the principals of services are under amazonaws.com in every partition."""
    hosts = {*re.findall(r"[a-z.]*amazonaws[a-z.-]*", render(ALL_FILTERS))}
    assert hosts == {"firehose.amazonaws.com", "streams.metrics.cloudwatch.amazonaws.com"}
    assert "arn:" not in render(ALL_FILTERS)


@pytest.mark.parametrize("form", ["terraform", "cloudformation"])
def test_the_command_prints_a_template_for_the_requested_services(form: str) -> None:
    result = CliRunner().invoke(app, ["setup", "--format", form, "--service", "sqs"])
    assert result.exit_code == 0
    assert "AWS/SQS" in result.stdout
    assert "AWS/Kinesis" not in result.stdout


def test_an_unknown_service_is_a_usage_error_that_names_it() -> None:
    result = CliRunner().invoke(app, ["setup", "--format", "terraform", "--service", "s4"])
    assert result.exit_code == 2
    assert "s4" in result.stderr
