"""SQS: messages in flight, and the call rates of FIFO queues."""

from typing import Any

import pytest

from collectors.base import highest, total
from tests.fake_aws import FakeAws, denied
from tests.registries import REGISTRY

HIGH_THROUGHPUT = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
SIGNALS = REGISTRY.services["sqs"].signals
(COLLECTOR,) = REGISTRY.collectors_of(["sqs"])
(queues,) = COLLECTOR.scans
sent, received, deleted, not_visible = COLLECTOR.metrics


def queue_list(*names: str, **more: str) -> dict[str, Any]:
    """Return a response of ListQueues."""
    return {
        "QueueUrls": [f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name}" for name in names],
        **more,
    }


async def signals_and_queues(*names: str, **attributes: str) -> set[tuple[str, str]]:
    """Return the signal and the queue of each series if all queues have these attributes."""
    aws = FakeAws(list_queues=queue_list(*names), get_queue_attributes={"Attributes": attributes})
    return set(await aws.run_scan(queues))


async def test_a_standard_queue_is_observed_by_its_messages_in_flight_without_a_query() -> None:
    aws = FakeAws(list_queues=queue_list("jobs"))
    series = await aws.run_scan(queues)
    assert set(series) == {("standard_in_flight", "jobs")}
    assert series["standard_in_flight", "jobs"].usage == total(not_visible.of(QueueName="jobs"))
    assert series["standard_in_flight", "jobs"].limit is None  # Service Quotas tells the limit
    assert aws.calls == ["sqs:ListQueues"]


async def test_the_usage_of_a_fifo_queue_is_the_rate_of_its_busiest_action() -> None:
    aws = FakeAws(list_queues=queue_list("orders.fifo"), get_queue_attributes={})
    series = await aws.run_scan(queues)
    messages = series["fifo_message_rate_batched", "orders.fifo"]
    actions = [metric.of(QueueName="orders.fifo") for metric in (sent, received, deleted)]
    assert messages.usage == highest(*actions).scaled(1 / 60)
    assert messages.upper_bound is None
    assert messages.throttled is None
    assert series["fifo_in_flight", "orders.fifo"].usage == total(not_visible.of(QueueName="orders.fifo"))


async def test_the_number_of_calls_is_between_a_tenth_of_the_number_of_messages_and_that_number() -> None:
    aws = FakeAws(list_queues=queue_list("orders.fifo"), get_queue_attributes={})
    calls = (await aws.run_scan(queues))["fifo_api_rate", "orders.fifo"]
    assert calls.upper_bound is not None
    lower_bound = [weight for _, weight in calls.usage.terms]  # type: ignore[union-attr]
    assert lower_bound == pytest.approx([1 / 600] * 3)
    assert [weight for _, weight in calls.upper_bound.terms] == pytest.approx([1 / 60] * 3)
    assert calls.throttled is None


@pytest.mark.parametrize(
    ("attributes", "has_high_throughput"),
    [
        (HIGH_THROUGHPUT, True),
        ({"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}, False),
        ({"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perQueue"}, False),
        ({}, False),
    ],
)
async def test_the_attributes_of_a_fifo_queue_decide_its_signals(
    attributes: dict[str, str], has_high_throughput: bool
) -> None:
    standard_rates = {"fifo_message_rate_batched", "fifo_api_rate"}
    high_rates = {"fifo_high_throughput_message_rate", "fifo_high_throughput_api_rate"}
    found = {signal for signal, _ in await signals_and_queues("orders.fifo", **attributes)}
    assert found == {"fifo_in_flight"} | (high_rates if has_high_throughput else standard_rates)


@pytest.mark.parametrize(
    ("signal", "region", "limit"),
    [
        ("fifo_message_rate_batched", "us-east-1", 3000),
        ("fifo_api_rate", "us-east-1", 300),
        ("fifo_high_throughput_message_rate", "us-east-1", 700_000),
        ("fifo_high_throughput_message_rate", "us-east-2", 180_000),
        ("fifo_high_throughput_message_rate", "af-south-1", 24_000),
        ("fifo_high_throughput_api_rate", "eu-central-1", 18_000),
        ("fifo_high_throughput_api_rate", "sa-east-1", 4_500),
        ("fifo_high_throughput_api_rate", "af-south-1", 2_400),
        ("fifo_in_flight", "us-east-1", 120_000),
        ("standard_in_flight", "us-east-1", 120_000),
    ],
)
def test_the_default_limit_is_the_documented_limit(signal: str, region: str, limit: float) -> None:
    assert SIGNALS[signal].default_limit(region) == limit


def test_the_message_limit_is_ten_times_the_call_limit_in_every_region() -> None:
    messages, calls = (SIGNALS[f"fifo_high_throughput_{unit}_rate"].default for unit in ("message", "api"))
    assert messages is not None and calls is not None
    assert messages.value == 10 * calls.value
    assert messages.by_region == {region: 10 * limit for region, limit in calls.by_region.items()}


async def test_a_page_size_is_requested_because_sqs_returns_only_one_page_without_it() -> None:
    requested = []

    def page(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return queue_list(f"queue-{len(requested)}")

    aws = FakeAws(list_queues=[page, page])
    assert set(await aws.run_scan(queues)) == {
        ("standard_in_flight", "queue-1"),
        ("standard_in_flight", "queue-2"),
    }
    assert requested == [{"MaxResults": 1000}] * 2


async def test_a_response_without_queue_urls_has_no_queues() -> None:
    assert await FakeAws(list_queues={}).run_scan(queues) == {}


async def test_a_queue_that_cannot_be_queried_affects_only_its_rates() -> None:
    aws = FakeAws(
        list_queues=queue_list("jobs", "orders.fifo", "secret.fifo"),
        get_queue_attributes=lambda QueueUrl, AttributeNames: (
            denied("GetQueueAttributes") if "secret" in QueueUrl else {"Attributes": HIGH_THROUGHPUT}
        ),
    )
    assert set(await aws.run_scan(queues)) == {
        ("standard_in_flight", "jobs"),
        ("fifo_in_flight", "orders.fifo"),
        ("fifo_high_throughput_message_rate", "orders.fifo"),
        ("fifo_high_throughput_api_rate", "orders.fifo"),
        ("fifo_in_flight", "secret.fifo"),
    }
    failures = [(failure.operation, failure.resource) for failure in aws.scan.failures]
    assert failures == [("GetQueueAttributes", "secret.fifo")]


async def test_the_collector_declares_exactly_the_permissions_and_metrics_that_it_uses() -> None:
    aws = FakeAws(list_queues=queue_list("orders.fifo"), get_queue_attributes={})
    series = await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
    usages = [observed.usage for observed in series.values()]
    used_metrics = {metric.name for usage in usages for metric in usage.metrics}  # type: ignore[union-attr]
    assert used_metrics == {metric.name for metric in COLLECTOR.metrics}
