"""The catalogue's quota codes and documented defaults are those of the reference catalogue."""

from typing import Any

import pytest
import yaml

from rules.limits import Signal, signals
from tests.acceptance.conftest import REFERENCE

# Where we differ on purpose, and why.
DEFAULTS = {
    "autoscaling.capacity_shortfall": "the reference names the field that is the limit: there is no default",
    "autoscaling.group_cpu_target": "a percentage of the whole has a limit by nature: 100",
    "kinesis.stream_write_bytes": "the reference names a formula over shards: there is no default",
    "kinesis.stream_write_records": "the reference names a formula over shards: there is no default",
    "kinesis.efo_read_bytes": "the limit is per shard and the signal per consumer: there is no default",
}
REGIONS = {
    "sqs.fifo_high_throughput_api_rate": "two AWS pages differ for two regions: the lower number is taken",
    "sqs.fifo_high_throughput_message_rate": "ten times the api rate, so that it differs likewise",
}


def entries() -> dict[str, dict[str, Any]]:
    listed = yaml.load(REFERENCE.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {entry["id"]: entry for entry in listed["limits"]}


ENTRIES = entries()

each_signal = pytest.mark.parametrize("signal", list(signals()), ids=lambda signal: signal.id)


@each_signal
def test_a_quota_is_known_by_the_same_code(signal: Signal) -> None:
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
