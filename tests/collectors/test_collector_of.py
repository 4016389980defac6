"""The metrics, permissions, call rates and ARNs of a collector that is made from a declaration."""

from collectors.base import GLOBAL_REGION, Metric, ServiceScope
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from rules.units import UNITS

DECLARATION = b"""
service: demo
scope: global
delay: 7
namespace: AWS/Demo
metrics:
  Requests: {stat: Sum, absent: zero, period: 300}
  Size: {name: BucketSizeBytes, namespace: AWS/Other, stat: Average, unit: bytes}
resources:
  bucket:
    list: {call: s3.ListBuckets, items: Buckets, rate: 2}
    id: Name
    calls:
      - {call: s3.GetBucketLocation, params: {Bucket: "{bucket}"}, facts: {location: LocationConstraint}}
      - {call: apigatewayv2.GetApis, facts: {apis: Items}, rate: 5}
      - {call: efs.DescribeAccountPreferences, facts: {preference: ResourceIdPreference}}
    dimensions: {Bucket: "{bucket}"}
    arn: arn:{partition}:s3:::{bucket}
signals:
  requests: {resource: bucket, usage: rate(Requests)}
  size: {resource: bucket, usage: Size}
"""
COLLECTOR = collector_of(parse_declaration(DECLARATION, "demo.yaml"))


def test_a_metric_has_its_declared_name_and_namespace_and_unit_and_period_and_meaning_of_absence() -> None:
    requests, size = COLLECTOR.metrics
    assert requests == Metric("AWS/Demo", "Requests", "Sum", zero_when_absent=True, period=300)
    assert size == Metric("AWS/Other", "BucketSizeBytes", "Average", unit=UNITS["bytes"])


def test_an_action_has_the_name_that_iam_gives_to_the_operation() -> None:
    assert COLLECTOR.iam_actions == (
        "apigateway:GET",
        "elasticfilesystem:DescribeAccountPreferences",
        "s3:GetBucketLocation",
        "s3:ListAllMyBuckets",
    )


def test_the_declared_rate_of_a_call_is_the_rate_of_its_operation() -> None:
    assert COLLECTOR.call_rates == {"s3:ListBuckets": 2, "apigatewayv2:GetApis": 5}


def test_the_other_fields_of_a_collector_are_those_of_its_declaration() -> None:
    assert (COLLECTOR.service, COLLECTOR.scope, COLLECTOR.publication_delay) == ("demo", GLOBAL_REGION, 7)
    assert COLLECTOR.scope is ServiceScope.GLOBAL
    assert COLLECTOR.arns == {"bucket": "arn:{partition}:s3:::{bucket}"}
    assert COLLECTOR.signals == {"requests", "size"}
