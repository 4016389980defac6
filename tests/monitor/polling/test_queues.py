"""Ten thousand queues in one account, and queues whose names differ only in case."""

from collections import Counter
from functools import partial
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse_families

from monitor.aws.cell import Cell
from monitor.config.config import Config
from monitor.exposition.exposition import Exposition
from monitor.fleet.judge import judge
from monitor.fleet.rows import rows_of
from monitor.polling.metric_services import MetricServices
from monitor.polling.reader import MetricReader
from tests.fake_aws import ACCOUNT_ID
from tests.fake_cloudwatch import Body, FakeCloudWatch, Response, fake_credentials, query_result
from tests.monitor.fleet.fleets import text
from tests.monitor.polling.inventories import NO_QUOTAS, SQS, FakeAccount, queues, quota
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

NOW = 29_000_000  # epoch minutes
IN_FLIGHT = {"Jobs": 60_000.0, "jobs": 12_000.0, "JOBS": 96_000.0}  # the messages in flight, by queue
PAGE_SIZE = 1000  # the maximum of ListQueues
STANDARD_QUEUES, FIFO_QUEUES = 8_000, 2_000


async def poll_and_judge(account: FakeAccount) -> FakeCloudWatch:
    """Poll and judge an account once; return the fake CloudWatch, whose names are case-sensitive."""

    def answer(body: Body) -> Response:
        minutes, results = range(body["StartTime"] // 60, body["EndTime"] // 60), []
        for query in body["MetricDataQueries"]:
            (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
            results.append(
                query_result(query, dict.fromkeys(minutes, IN_FLIGHT.get(dimension["Value"], 1.0)))
            )
        return {"MetricDataResults": results}

    async with FakeCloudWatch(answer, minute=NOW) as server:
        rates = {"cloudwatch": 1000.0}
        cell = Cell(fake_credentials(), ACCOUNT_ID, "eu-west-1", Telemetries().aws, rates, server.url)
        assert await MetricReader(cell, account.fleet, MetricServices(REGISTRY.collectors)).read(NOW) == []
        await cell.close()
    judge(account.fleet, NOW)
    return server


async def test_queues_whose_names_differ_only_in_case_are_distinguished() -> None:
    limits = [{"signal": "sqs.standard_in_flight", "resource": "JOBS", "limit": 200_000}]
    account = FakeAccount(Config.model_validate({"limits": limits}), **queues(*IN_FLIGHT), **NO_QUOTAS)
    await account.run_inventory(SQS)
    await poll_and_judge(account)
    rows = rows_of(account.fleet, lambda key: True)
    assert {row.key.resource: row.usage for row in rows} == IN_FLIGHT
    assert {row.key.resource: row.limit for row in rows} == {
        "Jobs": 120_000,
        "jobs": 120_000,
        "JOBS": 200_000,
    }
    exposition = Exposition(account.fleet)
    await exposition.publish({})
    exported = {
        sample.labels["resource"]: sample.value
        for family in parse_families(text(exposition))
        for sample in family.samples
        if sample.name == "headroom_usage"
    }
    assert exported == IN_FLIGHT


async def test_a_deleted_queue_is_dropped_and_queues_that_differ_only_in_case_stay() -> None:
    account = FakeAccount(**queues(*IN_FLIGHT), **NO_QUOTAS)
    await account.run_inventory(SQS)
    await account.run_inventory(SQS, **queues("jobs", "JOBS"))
    assert {resource for _, resource in account.names} == {"jobs", "JOBS"}


def page_of(names: list[str], **_: Any) -> dict[str, Any]:
    """Return a page of ListQueues with these queues."""
    response: dict[str, Any] = queues(*names)["list_queues"]
    return response


async def test_ten_thousand_queues_are_listed_at_once_and_described_by_turns() -> None:
    names = [f"q{number}" for number in range(STANDARD_QUEUES)] + [
        f"q{number}.fifo" for number in range(FIFO_QUEUES)
    ]
    pages = [partial(page_of, names[first : first + PAGE_SIZE]) for first in range(0, len(names), PAGE_SIZE)]
    attributes = {"Attributes": {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}}
    account = FakeAccount(
        list_queues=pages, get_queue_attributes=attributes, get_service_quota=quota(120_000.0)
    )
    status = await account.inventory.run(SQS, by_turns=True)
    calls = Counter(account.aws.calls)
    assert status.failures == ()
    assert calls["sqs:ListQueues"] == len(pages)
    assert calls["sqs:GetQueueAttributes"] == FIFO_QUEUES // 10  # queues whose turn it is
    assert {resource for _, resource in account.names} == {*names}
    series_counts = Counter(signal for signal, _ in account.names)
    assert (series_counts["standard_in_flight"], series_counts["fifo_in_flight"]) == (
        STANDARD_QUEUES,
        FIFO_QUEUES,
    )
    # The other queues wait for their turn.
    assert series_counts["fifo_message_rate_batched"] == FIFO_QUEUES // 10
    assert status.waiting == FIFO_QUEUES - FIFO_QUEUES // 10
    server = await poll_and_judge(account)
    requested = [query for body in server.bodies for query in body["MetricDataQueries"]]
    assert max(len(body["MetricDataQueries"]) for body in server.bodies) <= 500
    assert len(requested) >= STANDARD_QUEUES
