"""The catalogue has the quota codes and documented defaults of the reference catalogue."""

from typing import Any

import pytest
import yaml

from rules.limits import Signal
from tests.acceptance.conftest import REFERENCE
from tests.registries import REGISTRY

# Signals whose value differs from the reference on purpose, and why.
DEFAULTS = {
    "autoscaling.capacity_shortfall": "the reference names the field that is the limit: there is no default",
    "autoscaling.group_cpu_target": "a percentage always has the limit 100",
    "kinesis.stream_write_bytes": "the reference names a formula over shards: there is no default",
    "kinesis.stream_write_records": "the reference names a formula over shards: there is no default",
    "kinesis.efo_read_bytes": "the limit is per shard and the signal per consumer: there is no default",
}
REGIONS = {
    "sqs.fifo_high_throughput_api_rate": "two AWS pages differ for two regions: we have the lower number",
    "sqs.fifo_high_throughput_message_rate": "ten times the API rate, so it differs in the same way",
}

OURS = {  # signals that the reference does not have
    "kinesis.efo_consumer_lag": "AWS publishes no iterator age for streams that fan-out consumers read",
    "kinesis.stream_unread": "a stream without readers exceeds no limit of AWS",
    "s3.prefix_errors": "S3 does not report whether reads or writes of a prefix were throttled",
}


def entries() -> dict[str, dict[str, Any]]:
    listed = yaml.load(REFERENCE.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {entry["id"]: entry for entry in listed["limits"]}


ENTRIES = entries()

COMMON = [signal for signal in REGISTRY.signals if signal.id in ENTRIES]

each_signal = pytest.mark.parametrize("signal", COMMON, ids=lambda signal: signal.id)


def test_the_signals_that_the_reference_lacks_are_listed() -> None:
    assert {signal.id for signal in REGISTRY.signals} - ENTRIES.keys() == OURS.keys()


@each_signal
def test_a_quota_has_the_same_code(signal: Signal) -> None:
    quota = ENTRIES[signal.id].get("service_quotas") or {}
    known = (quota["service_code"], quota["quota_code"]) if quota.get("quota_code") else None
    assert (signal.quota and (signal.quota.service, signal.quota.code)) == known


@each_signal
def test_the_documented_default_is_the_same(signal: Signal) -> None:
    documented = signal.default and signal.default.value
    assert (documented == ENTRIES[signal.id]["default"]["value"]) is (signal.id not in DEFAULTS)


@each_signal
def test_the_documented_defaults_of_regions_are_the_same(signal: Signal) -> None:
    known = {**(ENTRIES[signal.id]["default"].get("by_region") or {})}
    known.pop("other", None)
    by_region = dict(signal.default.by_region) if signal.default else {}
    assert (by_region == known) is (signal.id not in REGIONS)
