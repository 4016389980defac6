"""Links in alerts: the consoles of AWS, the templates of URLs, and invalid configurations."""

from typing import Any

import pytest
from pydantic import ValidationError

from collectors.base import Resource
from monitor.alerting.links import Links
from monitor.fleet.key import Key
from monitor.schema.problems import problem_lines, problems_from_pydantic
from rules.signals import Service
from tests.global_services import global_registry
from tests.monitor.alerting.notices import ACCOUNT, REGION
from tests.registries import REGISTRY, each_service
from tests.resources import resource as resource_named


def key(signal_id: str, resource: str, region: str = REGION) -> Key:
    """Return the key of the series of a signal and a resource."""
    service, signal = signal_id.split(".")
    return Key(ACCOUNT, region, service, signal, resource_named(resource))


CLICKS = key("kinesis.stream_write_bytes", "clicks")

CONSOLE_ADDRESSES = [
    (
        CLICKS,
        "eu-west-1.console.aws.amazon.com/kinesis/home?region=eu-west-1#/streams/details/clicks/monitoring",
    ),
    (
        key("kinesis.shard_write_bytes", "clicks/shardId-000000000001"),
        "eu-west-1.console.aws.amazon.com/kinesis/home?region=eu-west-1#/streams/details/clicks/monitoring",
    ),
    (
        key("lambda.function_reserved_concurrency", "pay", "us-gov-west-1"),
        "us-gov-west-1.console.amazonaws-us-gov.com/lambda/home?region=us-gov-west-1#/functions/pay?tab=monitoring",
    ),
    (
        key("sqs.fifo_in_flight", "orders.fifo"),
        "eu-west-1.console.aws.amazon.com/sqs/v3/home?region=eu-west-1#/queues/"
        f"https%3A%2F%2Fsqs.eu-west-1.amazonaws.com%2F{ACCOUNT}%2Forders.fifo",
    ),
    (
        key("sqs.fifo_in_flight", "orders.fifo", "cn-north-1"),
        "cn-north-1.console.amazonaws.cn/sqs/v3/home?region=cn-north-1#/queues/"
        f"https%3A%2F%2Fsqs.cn-north-1.amazonaws.com.cn%2F{ACCOUNT}%2Forders.fifo",
    ),
    (
        key("kinesis.stream_write_bytes", "clicks", "eusc-de-east-1"),
        "eusc-de-east-1.console.amazonaws-eusc.eu/kinesis/home?region=eusc-de-east-1"
        "#/streams/details/clicks/monitoring",
    ),
    (
        key("s3.prefix_read_rate", "logs/2026/"),
        "eu-west-1.console.aws.amazon.com/s3/buckets/logs?region=eu-west-1",
    ),
    (
        key("autoscaling.group_max_size", "web tier", "cn-north-1"),
        "cn-north-1.console.amazonaws.cn/ec2/home?region=cn-north-1"
        "#AutoScalingGroupDetails:id=web%20tier;view=monitoring",
    ),
    (
        key("lambda.account_concurrency", ""),
        "eu-west-1.console.aws.amazon.com/servicequotas/home/services/lambda/quotas/L-B99A9384",
    ),
]


@pytest.mark.parametrize(("series_key", "address"), CONSOLE_ADDRESSES)
def test_the_console_link_leads_to_the_resource_or_to_the_quota_of_an_account_limit(
    series_key: Key, address: str
) -> None:
    assert Links().for_series(series_key, REGISTRY) == {"console": f"https://{address}"}


def test_a_series_without_a_known_console_or_quota_has_no_console_link() -> None:
    assert Links().for_series(key("kinesis.stream_write_bytes", "clicks", "us-iso-east-1"), REGISTRY) == {}
    assert Links().for_series(key("lambda.unreserved_concurrency", ""), REGISTRY) == {}


def test_templates_are_filled_with_percent_encoded_fields() -> None:
    links = Links(
        headroom="https://headroom.example.org/",
        runbook="https://wiki.example.org/{service}.{signal}",
        grafana="https://grafana.example.org/d/x?var-resource={resource}&p={parent}&a={account}&r={region}&i={id}",
    )
    series_key = key("s3.prefix_read_rate", "logs/a&b={x}")
    assert links.for_series(series_key, REGISTRY) | {"console": ""} == {
        "page": f"https://headroom.example.org/series/{series_key.id}",
        "runbook": "https://wiki.example.org/s3.prefix_read_rate",
        "console": "",
        "grafana": "https://grafana.example.org/d/x?var-resource=logs%2Fa%26b%3D%7Bx%7D&p=logs"
        f"&a={ACCOUNT}&r=eu-west-1&i={series_key.id}",
    }


INVALID_LINKS = [
    (
        {"grafana": "https://g/{acount}"},
        "grafana: expected a URL with {account}, {region}, {service}, {signal}",
    ),
    ({"grafana": "https://g/{account"}, "grafana: expected a URL with both braces around"),
    (
        {"runbook": "https://g/{{account}}"},
        "runbook: expected a URL with both braces around",
    ),
    ({"grafana": "grafana/{account}"}, "grafana: expected a URL such as http://127.0.0.1:4566"),
    ({"runbook": 5}, "runbook: expected a URL such as"),
    ({"headroom": "ftp://x"}, "headroom: expected a URL such as"),
]


@pytest.mark.parametrize(("links", "problem"), INVALID_LINKS)
def test_an_invalid_link_is_reported(links: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Links.model_validate(links)
    assert problem_lines("", problems_from_pydantic(caught.value, Links))[0].startswith(problem)


@each_service
def test_every_signal_of_a_resource_has_a_console_link(service: Service) -> None:
    assert service.console, f"rules/catalogue/{service.service}.yaml has no `console`"
    for signal in service.signals.values():
        (address,) = Links().for_series(key(signal.id, "a/b"), REGISTRY).values()
        assert "{" not in address


def test_the_console_link_of_a_stream_named_account_leads_to_the_stream() -> None:
    series_key = Key(ACCOUNT, REGION, "kinesis", "stream_write_bytes", Resource("stream", ("account",)))
    assert "#/streams/details/account/" in Links().for_series(series_key, REGISTRY)["console"]


def test_templates_are_filled_with_the_resource_its_id_and_its_parent() -> None:
    links = Links(grafana="https://g/?n={resource}&i={resource_id}&p={parent}")
    stage = Resource("stage", ("a1", "prod"), ("web/shop", "prod"))
    series_key = Key(ACCOUNT, REGION, "apigateway", "rest_stage_method_throttle", stage)
    assert (
        links.for_series(series_key, REGISTRY)["grafana"] == "https://g/?n=web%2Fshop%2Fprod&i=a1%2Fprod&p=a1"
    )
    group_key = Key(ACCOUNT, REGION, "autoscaling", "group_max_size", Resource("group", ("web/blue",)))
    assert "AutoScalingGroupDetails:id=web%2Fblue;" in links.for_series(group_key, REGISTRY)["console"]
    assert links.for_series(group_key, REGISTRY)["grafana"].endswith("&p=web%2Fblue")


def test_a_global_service_has_the_console_link_of_its_home_region() -> None:
    links = Links(grafana="https://g/?r={region}&s={suffix}")
    zone_key = Key(ACCOUNT, "global", "dns", "zone_records", Resource("hosted_zone", ("Z1",)))
    registry = global_registry()
    assert links.for_series(zone_key, registry, "us-east-1") == {
        "console": "https://us-east-1.console.aws.amazon.com/route53/v2/hostedzones?region=us-east-1"
        "#ListRecordSets/Z1",
        "grafana": "https://g/?r=global&s=amazonaws.com",
    }
    links_in_china = links.for_series(zone_key, registry, "cn-northwest-1")
    assert links_in_china["console"].startswith("https://cn-northwest-1.console.amazonaws.cn/")
    assert links_in_china["grafana"] == "https://g/?r=global&s=amazonaws.com.cn"
