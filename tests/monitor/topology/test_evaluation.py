"""The capacity of paths: Little's law, batches, shared limits, and what is unknown."""

from typing import Any

import numpy as np
import pytest

from rules.band import Zone
from tests.monitor.topology.placed import PathFleet, limit_of

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
    """An API with 100 requests/s, a function without a reservation that lasts 0.5 s, and a table."""
    some = PathFleet()
    some.put("apigateway.account_throttle_rate", (), 3000, 10_000)
    some.put("lambda.account_concurrency", (), 800, 1000)
    some.put("lambda.invoke_rate_sync", (), 2000, 10_000)
    some.put("lambda.concurrency_scaling_rate", ("checkout",), 1, 1000)
    some.put("dynamodb.table_write_capacity", ("orders",), 400, 1000)
    some.flow("Count", 100, "shop", "prod")
    some.flow("Invocations", 200, "checkout")
    some.flow("Duration", 500, "checkout")
    return some


async def test_the_weakest_limit_is_given_in_requests_at_the_entrance() -> None:
    status = await checkout().status(CHECKOUT)
    assert (status.flow, status.unit, status.is_upper_bound, status.reasons) == (100, "requests", False, [])
    # 200 executions are left; a request invokes twice for half a second each, so holds one execution.
    concurrency = limit_of(status, "account_concurrency")
    assert concurrency.per_request == pytest.approx(1)
    assert concurrency.capacity == pytest.approx(300)
    # All that the table uses, these requests use: 4 units each, of which 600 are left.
    writes = limit_of(status, "table_write_capacity")
    assert writes.per_request == pytest.approx(4)
    assert writes.capacity == pytest.approx(250)
    assert limit_of(status, "account_throttle_rate").capacity == pytest.approx(7100)
    assert limit_of(status, "invoke_rate_sync").capacity == pytest.approx(100 + 8000 / 2)
    assert status.weakest is writes
    assert status.next_weakest is concurrency
    assert status.capacity == pytest.approx(250)
    assert status.headroom == pytest.approx(150)
    assert status.share(writes) == pytest.approx(2.5)


async def test_raising_the_weakest_limit_changes_the_answer_to_the_next_one() -> None:
    some = checkout()
    before = await some.status(CHECKOUT)
    some.put("dynamodb.table_write_capacity", ("orders",), 400, 5000)
    after = await some.status(CHECKOUT)
    assert before.next_weakest and after.weakest
    assert after.weakest.series.key == before.next_weakest.series.key
    assert after.capacity == pytest.approx(300)


async def test_a_reservation_is_the_limit_of_a_function_that_has_one() -> None:
    some = checkout()
    some.put("lambda.function_reserved_concurrency", ("checkout",), 120, 160)
    status = await some.status(CHECKOUT)
    # The reservation is claimed anyway, so no request uses anything else of the account's executions.
    assert "account_concurrency" not in [one.series.key.signal for one in status.ranking]
    # 100 executions by Little's law, but 120 at the peaks of minutes.
    reserved = limit_of(status, "function_reserved_concurrency")
    assert reserved.per_request == pytest.approx(1.2)
    assert reserved.capacity == pytest.approx(100 + 40 / 1.2)


async def test_messages_become_invocations_by_the_measured_batch_or_the_declared_one() -> None:
    some = PathFleet()
    some.put("sqs.standard_in_flight", ("jobs",), 6000, 120_000)
    some.put("lambda.function_reserved_concurrency", ("worker",), 30, 100)
    some.flow("NumberOfMessagesSent", 600, "jobs")
    some.flow("Invocations", 100, "worker")
    some.flow("Duration", 300, "worker")
    text = """
paths:
  - name: jobs
    hops:
      - {service: sqs, resource: jobs}
      - {service: lambda, resource: worker}
"""
    measured = await some.status(text)
    assert measured.unit == "messages"
    assert measured.hops[1].visits.number == pytest.approx(1 / 6)
    assert limit_of(measured, "function_reserved_concurrency").per_request == pytest.approx(0.05)
    assert measured.capacity == pytest.approx(600 + 70 / 0.05)
    declared = await some.status(text.replace("worker}", "worker, batch: 10}"))
    assert declared.hops[1].visits.number == pytest.approx(0.1)
    assert declared.hops[1].visits.basis == "declared"
    assert limit_of(declared, "function_reserved_concurrency").per_request == pytest.approx(0.03)


async def test_reads_of_encrypted_objects_are_calls_to_kms() -> None:
    some = checkout()
    some.put("kms.symmetric", (), 9900, 10_000)
    text = CHECKOUT + "      - {service: kms, name: key, after: [checkout]}\n"
    status = await some.status(text)
    assert status.hops[3].visits == (2, "assumed")
    assert limit_of(status, "symmetric").capacity == pytest.approx(150)
    with_bucket_key = await some.status(
        text.replace("after: [checkout]", "after: [checkout], per_unit: 0.01")
    )
    assert limit_of(with_bucket_key, "symmetric").capacity == pytest.approx(100 + 100 / 0.02)


async def test_records_become_bytes_by_their_measured_size_and_the_fullest_shard_counts() -> None:
    some = PathFleet()
    some.put("kinesis.stream_write_records", ("clicks",), 500, 4000)
    some.put("kinesis.stream_write_bytes", ("clicks",), 1_000_000, 4_000_000)
    for number, usage in enumerate((200_000, 600_000, 100_000)):
        some.put("kinesis.shard_write_bytes", ("clicks", f"shardId-{number}"), usage, 1_000_000)
    status = await some.status("paths: [{name: clicks, hops: [{service: kinesis, resource: clicks}]}]")
    assert status.flow == 500
    assert limit_of(status, "stream_write_bytes").per_request == pytest.approx(2000)
    assert status.weakest and status.weakest.series.key.resource == "clicks/shardId-1"
    assert status.capacity == pytest.approx(500 + 400_000 / 1200)


async def test_a_hop_without_series_is_named_and_the_others_count() -> None:
    some = checkout()
    some.fleet.drop(limit_of(await some.status(CHECKOUT), "table_write_capacity").series.key)
    status = await some.status(CHECKOUT)
    assert status.is_upper_bound
    assert status.capacity == pytest.approx(300)
    assert [hop.is_known for hop in status.hops] == [True, True, False]
    assert status.reasons == [
        "DynamoDB table orders: no series of the DynamoDB table orders is watched in 123456789012/eu-west-1"
    ]


async def test_a_hop_without_its_metric_is_named_and_the_others_count() -> None:
    some = checkout()
    del some.flows["Invocations", ("checkout",)]
    status = await some.status(CHECKOUT)
    assert status.is_upper_bound
    assert status.weakest is limit_of(status, "table_write_capacity")
    assert limit_of(status, "account_concurrency").capacity is None
    assert any(
        "what a request uses of it is not known; declare per_request or uses" in one for one in status.reasons
    )
    declared = await some.status(CHECKOUT.replace("checkout}", "checkout, per_request: 2}"))
    assert not declared.is_upper_bound
    assert limit_of(declared, "account_concurrency").capacity == pytest.approx(300)
    used = CHECKOUT.replace("checkout}", "checkout, per_request: 1, uses: {account_concurrency: 0.8}}")
    assert limit_of(await some.status(used), "account_concurrency").capacity == pytest.approx(350)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unobservable": "it is off"}, "it is off"),
        ({"limit": None}, "no limit"),
        ({}, "it has no recent sample"),
    ],
)
async def test_an_unknown_limit_makes_the_capacity_an_upper_bound(
    change: dict[str, Any], reason: str
) -> None:
    some = checkout()
    series = limit_of(await some.status(CHECKOUT), "table_write_capacity").series
    some.fleet.drop(series.key)
    some.fleet.reclaim()
    some.put("dynamodb.table_write_capacity", ("orders",), **change)
    status = await some.status(CHECKOUT)
    assert status.is_upper_bound and status.capacity == pytest.approx(300)
    (told,) = status.reasons
    assert told.startswith(
        "DynamoDB table orders: Write units of a table with provisioned capacity (orders): "
    )
    assert reason in told


async def test_an_unknown_shard_is_named_beside_the_weakest_known_one() -> None:
    some = PathFleet()
    some.put("kinesis.stream_write_records", ("clicks",), 500, 4000)
    some.put("kinesis.shard_write_bytes", ("clicks", "shardId-0"), 500_000, 1_000_000)
    some.put("kinesis.shard_write_bytes", ("clicks", "shardId-1"), np.nan, 1_000_000)
    status = await some.status("paths: [{name: clicks, hops: [{service: kinesis, resource: clicks}]}]")
    assert status.is_upper_bound and status.capacity == pytest.approx(1000)
    assert status.reasons == [
        "Kinesis stream clicks: Bytes written to one shard (clicks/shardId-1): it has no recent sample"
    ]


async def test_without_requests_nothing_can_be_compared() -> None:
    some = checkout()
    some.flow("Count", 0, "shop", "prod")
    silent = await some.status(CHECKOUT)
    assert silent.is_upper_bound and silent.flow == 0
    assert [one.series.key.signal for one in silent.ranking] == ["account_throttle_rate"]
    assert any("no requests came in the last 3 hours" in one for one in silent.reasons)
    some.flow("Count", np.nan, "shop", "prod")
    uncounted = await some.status(CHECKOUT)
    assert uncounted.is_upper_bound and uncounted.capacity is None and uncounted.flow is None
    assert any("no requests are counted" in one for one in uncounted.reasons)


async def test_the_effective_ceiling_replaces_a_limit_below_which_demand_was_throttled() -> None:
    some = checkout()
    writes = limit_of(await some.status(CHECKOUT), "table_write_capacity")
    some.fleet.ceiling[writes.series.slot] = 500
    lower = limit_of(await some.status(CHECKOUT), "table_write_capacity")
    assert (lower.limit, lower.is_inferred) == (500, True)
    assert lower.capacity == pytest.approx(125)


async def test_the_zone_of_a_path_is_the_worst_of_its_limits() -> None:
    some = checkout()
    series = limit_of(await some.status(CHECKOUT), "account_concurrency").series
    some.judge(series, 1000, Zone.SATURATED)
    status = await some.status(CHECKOUT)
    assert status.zone is Zone.SATURATED
    assert status.capacity == pytest.approx(100)
    assert status.headroom == pytest.approx(0)


async def test_the_smallest_payload_limit_of_a_path_is_given() -> None:
    status = await checkout().status(CHECKOUT)
    assert status.payload and status.payload[0] == 2 and status.payload[1].bytes == 400 * 1024
