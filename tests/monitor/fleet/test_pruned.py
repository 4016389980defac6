"""The reasons why metrics are not read, and the number of metrics that are not read."""

import numpy as np

from collectors.base import Metric, per_second
from monitor.fleet.fleet import Fleet
from monitor.fleet.pruned import proof_of_safety, pruned_counts, pruned_reason
from rules.units import BYTES
from tests.monitor.fleet.fleets import add, key
from tests.registries import REGISTRY

throttles = Metric("AWS/Lambda", "Throttles", "Sum", zero_when_absent=True)
shard_writes = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def test_the_reason_for_a_pruned_metric_names_the_aggregate_that_is_0() -> None:
    fleet = Fleet()
    fleet.set_bounds(REGISTRY.bounds)
    series = [
        add(
            fleet,
            key(name, "lambda.function_reserved_concurrency"),
            throttled=per_second(throttles.of(FunctionName=name)),
        )
        for name in ("resize", "mail")
    ]
    shard_series = add(
        fleet,
        key("orders/1", "kinesis.shard_write_bytes"),
        throttled=per_second(shard_writes.of(StreamName="orders", ShardId="1")),
    )
    unbounded_series = add(fleet, key("clicks"))
    assert pruned_counts(fleet) == {}
    assert {pruned_reason(fleet, entry) for entry in (*series, shard_series, unbounded_series)} == {""}
    rings = fleet.rings
    rings.pruned[: rings.size] = np.array(rings.bound[: rings.size] >= 0)
    assert pruned_counts(fleet) == {
        "Throttles of the account": 2,
        "WriteProvisionedThroughputExceeded of their StreamName": 1,
    }
    assert pruned_reason(fleet, series[0]) == "Throttles of the account is 0"
    reason = "WriteProvisionedThroughputExceeded of StreamName orders is 0"
    assert pruned_reason(fleet, shard_series) == reason
    assert pruned_reason(fleet, unbounded_series) == ""


def test_the_reason_names_the_aggregate_that_proves_a_shard_to_be_safe() -> None:
    fleet = Fleet()
    fleet.set_bounds(REGISTRY.bounds)
    incoming_bytes = Metric("AWS/Kinesis", "IncomingBytes", "Sum", unit=BYTES)
    shard_series = add(
        fleet,
        key("orders/1", "kinesis.shard_write_bytes"),
        usage=per_second(incoming_bytes.of(StreamName="orders", ShardId="1")),
    )
    assert proof_of_safety(fleet, shard_series) == ""
    fleet.rings.safe_below[: fleet.rings.size] = 100.0
    assert proof_of_safety(fleet, shard_series) == "IncomingBytes of StreamName orders"
