"""Ten thousand queues in one account, and queues whose names differ only in case."""

from collections import Counter
from functools import partial
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as samples_of

from monitor.aws.cell import Cell
from monitor.config.config import Config
from monitor.exposition.exposition import Exposition
from monitor.fleet.judge import judge
from monitor.fleet.rows import rows_of
from monitor.polling.metric_owners import MetricOwners
from monitor.polling.reader import MetricReader
from tests.fake_aws import ACCOUNT_ID
from tests.fake_cloudwatch import Body, FakeCloudWatch, Response, fake_credentials, result
from tests.monitor.fleet.fleets import text
from tests.monitor.polling.inventories import NO_QUOTAS, SQS, FakeAccount, queues, quota
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

NOW = 29_000_000  # epoch minutes
ALIKE = {"Jobs": 60_000.0, "jobs": 12_000.0, "JOBS": 96_000.0}  # with the messages in flight
PAGE_SIZE = 1000  # the most queues that ListQueues returns
STANDARD, FIFO = 8_000, 2_000


async def polled(account: FakeAccount) -> FakeCloudWatch:
    """Read and judge the metrics of an account in a CloudWatch whose names are case-sensitive."""

    def answer(body: Body) -> Response:
        minutes, results = range(body["StartTime"] // 60, body["EndTime"] // 60), []
        for query in body["MetricDataQueries"]:
            (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
            results.append(result(query, dict.fromkeys(minutes, ALIKE.get(dimension["Value"], 1.0))))
        return {"MetricDataResults": results}

    async with FakeCloudWatch(answer, minute=NOW) as server:
        rates = {"cloudwatch": 1000.0}
        cell = Cell(fake_credentials(), ACCOUNT_ID, "eu-west-1", Telemetries().aws, rates, server.url)
        assert await MetricReader(cell, account.fleet, MetricOwners(REGISTRY.collectors)).read(NOW) == []
        await cell.close()
    judge(account.fleet, NOW)
    return server


async def test_queues_whose_names_differ_only_in_case_are_distinguished() -> None:
    limits = [{"signal": "sqs.standard_in_flight", "resource": "JOBS", "limit": 200_000}]
    account = FakeAccount(Config.model_validate({"limits": limits}), **queues(*ALIKE), **NO_QUOTAS)
    await account.run_inventory(SQS)
    await polled(account)
    rows = rows_of(account.fleet, lambda key: True)
    assert {row.key.resource: row.usage for row in rows} == ALIKE
    assert {row.key.resource: row.limit for row in rows} == {
        "Jobs": 120_000,
        "jobs": 120_000,
        "JOBS": 200_000,
    }
    exposition = Exposition(account.fleet)
    await exposition.publish({})
    exported = {
        sample.labels["resource"]: sample.value
        for family in samples_of(text(exposition))
        for sample in family.samples
        if sample.name == "headroom_usage"
    }
    assert exported == ALIKE


async def test_a_deleted_queue_is_dropped_without_one_that_differs_only_in_case() -> None:
    account = FakeAccount(**queues(*ALIKE), **NO_QUOTAS)
    await account.run_inventory(SQS)
    await account.run_inventory(SQS, **queues("jobs", "JOBS"))
    assert {resource for _, resource in account.names} == {"jobs", "JOBS"}


def page_of(names: list[str], **_: Any) -> dict[str, Any]:
    """Return the page of ListQueues with some names."""
    response: dict[str, Any] = queues(*names)["list_queues"]
    return response


async def test_ten_thousand_queues_are_found_by_their_list_and_described_by_turns() -> None:
    names = [f"q{number}" for number in range(STANDARD)] + [f"q{number}.fifo" for number in range(FIFO)]
    pages = [partial(page_of, names[first : first + PAGE_SIZE]) for first in range(0, len(names), PAGE_SIZE)]
    attributes = {"Attributes": {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}}
    account = FakeAccount(
        list_queues=pages, get_queue_attributes=attributes, get_service_quota=quota(120_000.0)
    )
    status = await account.inventory.run(SQS, by_turns=True)
    calls = Counter(account.aws.calls)
    assert status.failures == ()
    assert calls["sqs:ListQueues"] == len(pages)
    assert calls["sqs:GetQueueAttributes"] == FIFO // 10
    assert {resource for _, resource in account.names} == {*names}
    series = Counter(signal for signal, _ in account.names)
    assert (series["standard_in_flight"], series["fifo_in_flight"]) == (STANDARD, FIFO)
    assert series["fifo_message_rate_batched"] == FIFO // 10  # whether others have it, is not known yet
    assert status.waiting == FIFO - FIFO // 10
    server = await polled(account)
    requested = [query for body in server.bodies for query in body["MetricDataQueries"]]
    assert max(len(body["MetricDataQueries"]) for body in server.bodies) <= 500
    assert len(requested) >= STANDARD
