"""The capacity of paths: Little's law, batches, shared limits, and unknown limits."""

from typing import Any

import numpy as np
import pytest

from rules.band import Zone
from tests.monitor.topology.path_fleet import PathFleet, limit_of

CHECKOUT = """
paths:
  - name: checkout
    region: eu-west-1
    hops:
      - {service: apigateway, resource: shop/prod, name: api}
      - {service: lambda, resource: checkout}
      - {service: dynamodb, resource: orders}
"""


def checkout() -> PathFleet:
    """Return a fleet with an API with 100 requests/s, a function that runs for 0.5 s, and a table."""
    path_fleet = PathFleet()
    path_fleet.put("apigateway.account_throttle_rate", (), 3000, 10_000)
    path_fleet.put("lambda.account_concurrency", (), 800, 1000)
    path_fleet.put("lambda.invoke_rate_sync", (), 2000, 10_000)
    path_fleet.put("lambda.concurrency_scaling_rate", ("checkout",), 1, 1000)
    path_fleet.put("dynamodb.table_write_capacity", ("orders",), 400, 1000)
    path_fleet.set_flow("Count", 100, "shop", "prod")
    path_fleet.set_flow("Invocations", 200, "checkout")
    path_fleet.set_flow("Duration", 500, "checkout")
    return path_fleet


async def test_each_limit_has_the_share_of_its_usage_that_the_requests_of_the_path_make() -> None:
    shares = {key.signal: share for key, share in (await checkout().status(CHECKOUT)).shares.items()}
    # 100 requests cause 200 invocations of 0.5 s each, so that they hold 100 of 800 executions.
    assert shares["account_concurrency"] == pytest.approx(100 / 800)
    assert shares["invoke_rate_sync"] == pytest.approx(200 / 2000)
    assert shares["table_write_capacity"] == pytest.approx(1)


async def test_the_weakest_limit_is_given_in_requests_at_the_entrance() -> None:
    status = await checkout().status(CHECKOUT)
    assert (status.flow, status.unit, status.is_upper_bound, status.reasons) == (100, "requests", False, [])
    # 200 executions are left. A request causes two invocations of 0.5 s each, so it holds one execution.
    concurrency = limit_of(status, "account_concurrency")
    assert concurrency.per_request == pytest.approx(1)
    assert concurrency.capacity == pytest.approx(300)
    # Only these requests use the table: 4 write units each; 600 write units are left.
    writes = limit_of(status, "table_write_capacity")
    assert writes.per_request == pytest.approx(4)
    assert writes.capacity == pytest.approx(250)
    assert limit_of(status, "account_throttle_rate").capacity == pytest.approx(7100)
    assert limit_of(status, "invoke_rate_sync").capacity == pytest.approx(100 + 8000 / 2)
    assert status.weakest is writes
    assert status.next_weakest is concurrency
    assert status.capacity == pytest.approx(250)
    assert status.headroom == pytest.approx(150)
    assert status.growth_factor(writes) == pytest.approx(2.5)


async def test_when_the_weakest_limit_is_raised_the_next_weakest_becomes_the_weakest() -> None:
    path_fleet = checkout()
    status_before = await path_fleet.status(CHECKOUT)
    path_fleet.put("dynamodb.table_write_capacity", ("orders",), 400, 5000)
    status_after = await path_fleet.status(CHECKOUT)
    assert status_before.next_weakest and status_after.weakest
    assert status_after.weakest.series.key == status_before.next_weakest.series.key
    assert status_after.capacity == pytest.approx(300)


async def test_the_reserved_concurrency_of_a_function_replaces_the_limit_of_the_account() -> None:
    path_fleet = checkout()
    path_fleet.put("lambda.function_reserved_concurrency", ("checkout",), 120, 160)
    status = await path_fleet.status(CHECKOUT)
    # The account's executions are reduced by the whole reservation in advance, not by each request.
    assert "account_concurrency" not in [limit.series.key.signal for limit in status.ranking]
    # By Little's law the requests hold 100 executions, but 120 at the peaks within minutes.
    reserved = limit_of(status, "function_reserved_concurrency")
    assert reserved.per_request == pytest.approx(1.2)
    assert reserved.capacity == pytest.approx(100 + 40 / 1.2)


async def test_messages_are_converted_to_invocations_by_the_measured_or_the_declared_batch() -> None:
    path_fleet = PathFleet()
    path_fleet.put("sqs.standard_in_flight", ("jobs",), 6000, 120_000)
    path_fleet.put("lambda.function_reserved_concurrency", ("worker",), 30, 100)
    path_fleet.set_flow("NumberOfMessagesSent", 600, "jobs")
    path_fleet.set_flow("Invocations", 100, "worker")
    path_fleet.set_flow("Duration", 300, "worker")
    text = """
paths:
  - name: jobs
    hops:
      - {service: sqs, resource: jobs}
      - {service: lambda, resource: worker}
"""
    measured = await path_fleet.status(text)
    assert measured.unit == "messages"
    assert measured.hops[1].visits.number == pytest.approx(1 / 6)
    assert limit_of(measured, "function_reserved_concurrency").per_request == pytest.approx(0.05)
    assert measured.capacity == pytest.approx(600 + 70 / 0.05)
    declared = await path_fleet.status(text.replace("worker}", "worker, batch: 10}"))
    assert declared.hops[1].visits.number == pytest.approx(0.1)
    assert declared.hops[1].visits.basis == "declared"
    assert limit_of(declared, "function_reserved_concurrency").per_request == pytest.approx(0.03)


async def test_requests_to_kms_are_assumed_or_declared_per_unit_of_the_hop_before() -> None:
    path_fleet = checkout()
    path_fleet.put("kms.symmetric", (), 9900, 10_000)
    text = CHECKOUT + "      - {service: kms, name: key, after: [checkout]}\n"
    status = await path_fleet.status(text)
    assert status.hops[3].visits == (2, "assumed")
    assert limit_of(status, "symmetric").capacity == pytest.approx(150)
    with_bucket_key = await path_fleet.status(
        text.replace("after: [checkout]", "after: [checkout], per_unit: 0.01")
    )
    assert limit_of(with_bucket_key, "symmetric").capacity == pytest.approx(100 + 100 / 0.02)


async def test_records_are_converted_to_bytes_by_measured_size_and_the_fullest_shard_is_weakest() -> None:
    path_fleet = PathFleet()
    path_fleet.put("kinesis.stream_write_records", ("clicks",), 500, 4000)
    path_fleet.put("kinesis.stream_write_bytes", ("clicks",), 1_000_000, 4_000_000)
    for number, usage in enumerate((200_000, 600_000, 100_000)):
        path_fleet.put("kinesis.shard_write_bytes", ("clicks", f"shardId-{number}"), usage, 1_000_000)
    status = await path_fleet.status("paths: [{name: clicks, hops: [{service: kinesis, resource: clicks}]}]")
    assert status.flow == 500
    assert limit_of(status, "stream_write_bytes").per_request == pytest.approx(2000)
    assert status.weakest and status.weakest.series.key.resource == "clicks/shardId-1"
    assert status.capacity == pytest.approx(500 + 400_000 / 1200)


async def test_a_hop_without_series_is_reported_and_the_other_hops_are_compared() -> None:
    path_fleet = checkout()
    path_fleet.fleet.drop(limit_of(await path_fleet.status(CHECKOUT), "table_write_capacity").series.key)
    status = await path_fleet.status(CHECKOUT)
    assert status.is_upper_bound
    assert status.capacity == pytest.approx(300)
    assert [hop.is_known for hop in status.hops] == [True, True, False]
    assert status.reasons == [
        "DynamoDB table orders: no series of the DynamoDB table orders is watched in 123456789012/eu-west-1"
    ]


async def test_a_hop_without_its_metric_is_reported_and_the_other_hops_are_compared() -> None:
    path_fleet = checkout()
    del path_fleet.flows["Invocations", ("checkout",)]
    status = await path_fleet.status(CHECKOUT)
    assert status.is_upper_bound
    assert status.weakest is limit_of(status, "table_write_capacity")
    assert limit_of(status, "account_concurrency").capacity is None
    assert any(
        "what a request uses of it is not known; declare per_request or uses" in reason
        for reason in status.reasons
    )
    declared = await path_fleet.status(CHECKOUT.replace("checkout}", "checkout, per_request: 2}"))
    assert not declared.is_upper_bound
    assert limit_of(declared, "account_concurrency").capacity == pytest.approx(300)
    with_uses = CHECKOUT.replace("checkout}", "checkout, per_request: 1, uses: {account_concurrency: 0.8}}")
    assert limit_of(await path_fleet.status(with_uses), "account_concurrency").capacity == pytest.approx(350)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unobservable": "it is off"}, "it is off"),
        ({"limit": None}, "no limit"),
        ({}, "it has no recent sample"),
    ],
    ids=["unobservable usage", "unknown limit", "no sample"],
)
async def test_a_limit_of_unknown_capacity_makes_the_path_capacity_an_upper_bound(
    change: dict[str, Any], reason: str
) -> None:
    path_fleet = checkout()
    series = limit_of(await path_fleet.status(CHECKOUT), "table_write_capacity").series
    path_fleet.fleet.drop(series.key)
    path_fleet.fleet.reclaim()
    path_fleet.put("dynamodb.table_write_capacity", ("orders",), **change)
    status = await path_fleet.status(CHECKOUT)
    assert status.is_upper_bound and status.capacity == pytest.approx(300)
    (sentence,) = status.reasons
    assert sentence.startswith(
        "DynamoDB table orders: Write units of a table with provisioned capacity (orders): "
    )
    assert reason in sentence


async def test_a_shard_without_samples_is_reported_beside_the_weakest_known_shard() -> None:
    path_fleet = PathFleet()
    path_fleet.put("kinesis.stream_write_records", ("clicks",), 500, 4000)
    path_fleet.put("kinesis.shard_write_bytes", ("clicks", "shardId-0"), 500_000, 1_000_000)
    path_fleet.put("kinesis.shard_write_bytes", ("clicks", "shardId-1"), np.nan, 1_000_000)
    status = await path_fleet.status("paths: [{name: clicks, hops: [{service: kinesis, resource: clicks}]}]")
    assert status.is_upper_bound and status.capacity == pytest.approx(1000)
    assert status.reasons == [
        "Kinesis stream clicks: Bytes written to one shard (clicks/shardId-1): it has no recent sample"
    ]


async def test_without_requests_at_the_entrance_limits_of_later_hops_have_no_capacity() -> None:
    path_fleet = checkout()
    path_fleet.set_flow("Count", 0, "shop", "prod")
    silent = await path_fleet.status(CHECKOUT)
    assert silent.is_upper_bound and silent.flow == 0
    assert [limit.series.key.signal for limit in silent.ranking] == ["account_throttle_rate"]
    assert any("no requests came in the last 3 hours" in reason for reason in silent.reasons)
    path_fleet.set_flow("Count", np.nan, "shop", "prod")
    uncounted = await path_fleet.status(CHECKOUT)
    assert uncounted.is_upper_bound and uncounted.capacity is None and uncounted.flow is None
    assert any("no requests are counted" in reason for reason in uncounted.reasons)


async def test_the_effective_ceiling_replaces_a_limit_below_which_demand_was_throttled() -> None:
    path_fleet = checkout()
    writes = limit_of(await path_fleet.status(CHECKOUT), "table_write_capacity")
    path_fleet.fleet.ceiling[writes.series.slot] = 500
    lower = limit_of(await path_fleet.status(CHECKOUT), "table_write_capacity")
    assert (lower.limit, lower.is_inferred) == (500, True)
    assert lower.capacity == pytest.approx(125)


async def test_the_zone_of_a_path_is_the_worst_of_its_limits() -> None:
    path_fleet = checkout()
    series = limit_of(await path_fleet.status(CHECKOUT), "account_concurrency").series
    path_fleet.set_usage(series, 1000, Zone.SATURATED)
    status = await path_fleet.status(CHECKOUT)
    assert status.zone is Zone.SATURATED
    assert status.capacity == pytest.approx(100)
    assert status.headroom == pytest.approx(0)


async def test_the_payload_of_a_path_is_the_smallest_payload_limit_of_its_hops() -> None:
    status = await checkout().status(CHECKOUT)
    assert status.payload and status.payload[0] == 2 and status.payload[1].bytes == 400 * 1024
