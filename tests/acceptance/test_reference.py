"""The catalogue has the quota codes and documented defaults of the reference catalogue."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.limits import Signal
from tests.acceptance.conftest import REFERENCE
from tests.registries import REGISTRY

# Signals whose value differs from the reference on purpose, and why.
DEFAULTS = {
    "alb.reserved_lcus_in_region": "a default of 0 is no limit that anything could reach",
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


def load(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def entries() -> dict[str, dict[str, Any]]:
    listed = {entry["id"]: entry for entry in load(REFERENCE)["limits"]}
    for service in REGISTRY.service_names:
        path = REFERENCE.parent / "catalogue" / f"{service}.yaml"
        signals = load(path)["signals"] if path.exists() else ()
        listed |= {signal["id"]: entry_of(signal["limit"]) for signal in signals}
    return listed


def entry_of(limit: dict[str, Any]) -> dict[str, Any]:
    """A limit of the files in `catalogue/` in the form of the older file."""
    quota = limit.get("quota") or {}
    code = {"service_code": quota.get("service"), "quota_code": quota.get("code")}
    return {"service_quotas": code, "default": {"value": limit.get("documented")}}


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
