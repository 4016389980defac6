"""The catalogue has the quota codes and documented defaults of the reference catalogue."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.signals import Signal
from tests.acceptance.conftest import REFERENCE
from tests.published_metrics import PUBLISHED_METRICS, metric_text
from tests.registries import REGISTRY

CLASSES_WITH_DEFAULT_0 = ("f", "g_vt", "inf", "p", "x", "trn", "dl", "hpc", "high_memory")
CLASSES_WITHOUT_SPOT = ("hpc", "high_memory")
NO_LIMIT = "a default of 0 is no limit that anything could reach"
# Signals whose default differs from the reference on purpose, and why.
OTHER_DEFAULTS = {
    **dict.fromkeys((f"{service}.reserved_lcus_in_region" for service in ("alb", "gwlb", "nlb")), NO_LIMIT),
    **{f"ec2.{kind}_on_demand_vcpus": NO_LIMIT for kind in CLASSES_WITH_DEFAULT_0},
    **{
        f"ec2.{kind}_spot_vcpus": NO_LIMIT
        for kind in CLASSES_WITH_DEFAULT_0
        if kind not in CLASSES_WITHOUT_SPOT
    },
    "efs.burst_credits": "the balance depends on the size of the file system",
    "kafka.connection_rate": "the reference names a rule by broker type: 100 is its smallest number",
    "lambda_edge.request_rate": "ten times the quota of concurrency, as the reference says in words",
    "route53resolver.endpoint_capacity": "the reference has states, we have bounds in percent",
    "ssm.parameter_reads": "40 holds only where the account's setting for higher throughput is off",
    "autoscaling.capacity_shortfall": "the reference names the field that is the limit: there is no default",
    "autoscaling.group_cpu_target": "a percentage always has the limit 100",
    "kinesis.stream_write_bytes": "the reference names a formula over shards: there is no default",
    "kinesis.stream_write_records": "the reference names a formula over shards: there is no default",
    "kinesis.efo_read_bytes": "the limit is per shard and the signal per consumer: there is no default",
}
OTHER_REGIONAL_DEFAULTS = {  # signals whose defaults by region differ from the reference on purpose, and why
    "sqs.fifo_high_throughput_api_rate": "two AWS pages differ for two regions: we have the lower number",
    "sqs.fifo_high_throughput_message_rate": "ten times the API rate, so it differs in the same way",
}

OTHER_CODES = {  # signals whose code the reference does not have in the file of the service
    "lambda.invoke_rate_sync": "a multiple of the quota of concurrency",
    "lambda_edge.request_rate": "a multiple of the quota of concurrency",
    "mq.brokers": "the list of counts names the code",
    "redshift.event_subscriptions": "the list of counts names the code",
    "redshift.subnet_groups": "the list of counts names the code",
}
# By unit of the reference: what one unit is in our unit.
UNIT_SCALES = {"bits/s": 1 / 8, "TiB": 2**40, "GiB": 2**30, "MB/s": 1e6, "ratio": 100}

SIGNALS_WITHOUT_REFERENCE = {  # signals that the reference does not have
    "cloudfront.edge_functions_per_distribution": "the reference has it at Lambda@Edge",
    "directconnect.lag_egress": "a group of connections has a bandwidth of its own",
    "directconnect.lag_ingress": "a group of connections has a bandwidth of its own",
    "directconnect.virtual_interfaces_per_lag": "the quota differs from that of a connection",
    **{
        f"directconnect_gateway.{name}": "gateways belong to no region, and are a service of their own here"
        for name in (
            "gateway_prefix_allocations",
            "gateways",
            "transit_gateways_per_gateway",
            "virtual_interfaces_per_gateway",
            "vpn_gateways_per_gateway",
        )
    },
    **{
        f"globalaccelerator.{name}": "the quota differs by the type of the endpoint"
        for name in ("elastic_ips_per_group", "instances_per_group", "network_load_balancers_per_group")
    },
    "kafka.brokers_per_kraft_cluster": "the limit differs from that of other clusters",
    "natgateway.zone_bandwidth": "a regional gateway has a limit in each zone",
    "natgateway.zone_connections": "a regional gateway has a limit in each zone",
    "natgateway.zone_packets": "a regional gateway has a limit in each zone",
    "sns.subscriptions_per_fifo_topic": "the limit differs from that of other topics",
    "kinesis.efo_consumer_lag": "AWS publishes no iterator age for streams that fan-out consumers read",
    "kinesis.stream_unread": "a stream without readers exceeds no limit of AWS",
    "s3.prefix_errors": "S3 does not report whether reads or writes of a prefix were throttled",
}

WEBSOCKETS = (
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html"
)
METRICS_WITHOUT_REFERENCE = {  # metrics with dimensions that the reference lacks, and where these are named
    "AWS/ApiGateway ConnectCount{ApiId, Stage}": WEBSOCKETS,
    "AWS/ApiGateway MessageCount{ApiId, Stage}": WEBSOCKETS,
    "AWS/AutoScaling GroupInServiceCapacity{AutoScalingGroupName}": "the reference names it in a caveat",
    "AWS/FSx FreeStorageCapacity{FileSystemId}": "the reference names it in a caveat",
}

CHARGED = "surplus credits are charged, and slow nothing down"
FAILED_DELIVERIES = "it tells why data is late; the age of the data tells how late"
THROTTLING_NOT_READ = {  # metrics by which the reference recognizes throttled demand, and why none is read
    **{
        f"AWS/Cognito {name}": "AWS/Usage counts the same calls of all user pools"
        for name in ("SignInThrottles", "SignUpThrottles", "TokenRefreshThrottles")
    },
    "AWS/DAX CPUSurplusCreditBalance": CHARGED,
    "AWS/DocDB CPUSurplusCreditsCharged": CHARGED,
    "AWS/EC2 CPUSurplusCreditsCharged": CHARGED,
    "AWS/RDS CPUSurplusCreditsCharged": CHARGED,
    **{
        f"AWS/Firehose DeliveryTo{place}.Success": FAILED_DELIVERIES
        for place in (
            "AmazonOpenSearchServerless",
            "AmazonOpenSearchService",
            "HttpEndpoint",
            "Redshift",
            "S3",
            "Snowflake",
            "Splunk",
        )
    },
    "AWS/RDS DatabaseConnectionsBorrowLatency": "waiting alone does not prove that a limit was reached",
    "AWS/RDS DiskQueueDepth": "a queue proves a limit only where usage is at the limit",
}


def load(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def entries() -> dict[str, dict[str, Any]]:
    """Return the entries of the reference catalogue by the ids of their signals."""
    entries_by_id = {entry["id"]: entry for entry in load(REFERENCE)["limits"]}
    for service in REGISTRY.service_names:
        path = REFERENCE.parent / "catalogue" / f"{service}.yaml"
        signals = load(path)["signals"] if path.exists() else ()
        entries_by_id |= {signal["id"]: entry_of(signal) for signal in signals}
    return entries_by_id


def entry_of(signal: dict[str, Any]) -> dict[str, Any]:
    """Return a signal of a file in `catalogue/` as an entry of REFERENCE, with its values in our unit."""
    limit, scale = signal["limit"], UNIT_SCALES.get(signal["unit"], 1)
    quota = limit.get("quota") or {}
    code = {"service_code": quota.get("service"), "quota_code": quota.get("code")}
    by_region = {name: value * scale for name, value in (limit.get("by_region") or {}).items()}
    documented = limit.get("documented")
    value = by_region.get("other") if documented is None else documented * scale
    return {"service_quotas": code, "default": {"value": value, "by_region": by_region}}


ENTRIES = entries()

COMMON_SIGNALS = [signal for signal in REGISTRY.signals if signal.id in ENTRIES]

each_signal = pytest.mark.parametrize("signal", COMMON_SIGNALS, ids=lambda signal: signal.id)


def test_the_signals_that_the_reference_lacks_are_listed() -> None:
    signals_of_quotas = {signal.id for signal in REGISTRY.services["quotas"].signals.values()}
    own_signals = {signal.id for signal in REGISTRY.signals} - signals_of_quotas
    assert own_signals - ENTRIES.keys() == SIGNALS_WITHOUT_REFERENCE.keys()


@each_signal
def test_a_quota_has_the_code_of_the_reference_unless_listed(signal: Signal) -> None:
    quota = ENTRIES[signal.id].get("service_quotas") or {}
    expected = (quota["service_code"], quota["quota_code"]) if quota.get("quota_code") else None
    own_code = signal.quota and (signal.quota.service, signal.quota.code)
    assert (own_code == expected) is (signal.id not in OTHER_CODES)


@each_signal
def test_the_documented_default_is_that_of_the_reference_unless_listed(signal: Signal) -> None:
    documented = signal.default and signal.default.value
    assert (documented == ENTRIES[signal.id]["default"]["value"]) is (signal.id not in OTHER_DEFAULTS)


@each_signal
def test_the_documented_defaults_of_regions_are_those_of_the_reference_unless_listed(signal: Signal) -> None:
    expected = {**(ENTRIES[signal.id]["default"].get("by_region") or {})}
    expected.pop("other", None)
    by_region = dict(signal.default.by_region) if signal.default else {}
    assert (by_region == expected) is (signal.id not in OTHER_REGIONAL_DEFAULTS)


def test_a_signal_that_the_reference_knows_from_memory_alone_is_unverified() -> None:
    files = (REFERENCE.parent / "catalogue").glob("*.yaml")
    entries_of_files = [
        entry for path in files if isinstance(data := load(path), dict) for entry in data["signals"]
    ]
    recalled = {entry["id"] for entry in entries_of_files if entry["confidence"] == "recalled"}
    assert [signal.id for signal in REGISTRY.signals if signal.id in recalled and not signal.unverified] == []


def metrics_within(value: Any) -> Iterator[str]:
    """Yield the metrics within an entry of the reference, each once for each set of its dimensions."""
    if isinstance(value, dict):
        name = value.get("name") or value.get("metric")
        if "namespace" in value and isinstance(name, str) and not name.startswith("("):
            for dimensions in (value["dimensions"], *value.get("alt_dimensions", ())):
                for names in product(*(text.split("|") for text in dimensions)):
                    yield metric_text(value["namespace"], name, names)
    members = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for member in members:
            yield from metrics_within(member)


def test_the_published_metrics_are_those_of_the_reference() -> None:
    files = [REFERENCE, *(REFERENCE.parent / "catalogue").glob("*.yaml")]
    in_reference = {text for path in files for text in metrics_within(load(path))}
    assert PUBLISHED_METRICS - in_reference == METRICS_WITHOUT_REFERENCE.keys()
    assert in_reference <= PUBLISHED_METRICS


def test_every_metric_of_throttled_demand_is_read_or_has_a_reason() -> None:
    files = [path for path in (REFERENCE.parent / "catalogue").glob("*.yaml") if path.stem != "counts"]
    texts = metrics_within([signal["saturation"] for path in files for signal in load(path)["signals"]])
    read = {
        f"{metric.namespace} {metric.name}"
        for collector in REGISTRY.collectors
        for metric in collector.metrics
    }
    assert {text.partition("{")[0] for text in texts} - read == THROTTLING_NOT_READ.keys()
