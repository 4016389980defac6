"""Headroom counts all that AWS bills, whichever part of Headroom calls: its counters equal AWS's bill."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from aiohttp import web

from collectors.errors import NotReadYetError
from monitor.aws.cell import Cell
from monitor.aws.scan import Scan
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.fake_aws import FakeAws, FakeClientCache
from tests.fake_cloudwatch import fake_credentials
from tests.http_endpoint import serve_http
from tests.monitor.polling.linked_aws import FIRST, MONITORING, SECOND, LinkedAws, file_system
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

# Every second call of GetMetricData is throttled; every third gets a broken response, unless it is throttled.
THROTTLED_EVERY, BROKEN_EVERY = 2, 3
THROTTLED_BODY = orjson.dumps({"__type": "com.amazonaws#ThrottlingException", "message": "Rate exceeded"})
SERVICES = ["apigateway", "kinesis", "lambda", "quotas"]  # services that read metrics for limits, too
# The counters of GetMetricData and of ListMetrics.
COUNTER_FAMILIES = ("headroom_metrics_requested", "headroom_list_metrics_requests")


@dataclass
class Meter:
    """A proxy in front of AWS, which counts what AWS bills.

    has_faults: throttle calls and break responses. data_calls: the number of calls of GetMetricData.
    """

    upstream: str
    has_faults: bool
    billed: Counter[str] = field(default_factory=Counter)
    data_calls: int = 0
    session: aiohttp.ClientSession = field(init=False)

    async def answer(self, request: web.Request) -> web.Response:
        body, operation = await request.read(), request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        is_data = operation == "GetMetricData"
        self.data_calls += is_data
        if is_data and self.has_faults and self.data_calls % THROTTLED_EVERY == 0:
            return web.Response(status=400, body=THROTTLED_BODY)
        response = await self._forward(request, body)
        if response.status == 200 and operation == "ListMetrics":
            self.billed[operation] += 1
        if response.status == 200 and is_data:
            self.billed[operation] += len(orjson.loads(body)["MetricDataQueries"])
            if self.has_faults and self.data_calls % BROKEN_EVERY == 0:
                return web.Response(body=b"<html>")
        return response

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        url = f"{self.upstream}{request.raw_path}"
        async with self.session.request(request.method, url, data=body, headers=headers) as response:
            content = await response.read()
            content_type = response.headers.get("Content-Type", "text/plain")
            return web.Response(status=response.status, body=content, headers={"Content-Type": content_type})

    @classmethod
    @asynccontextmanager
    async def serving(cls, upstream: str, *, has_faults: bool) -> AsyncIterator[tuple["Meter", str]]:
        meter = cls(upstream, has_faults)
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as meter.session,
            serve_http(meter.answer) as port,
        ):
            yield meter, f"http://127.0.0.1:{port}"


def counted_by_headroom(telemetry: Telemetries) -> dict[str, float]:
    """Return what Headroom counts, by operation."""
    sums = dict.fromkeys(COUNTER_FAMILIES, 0.0)
    for family in telemetry.registry.collect():
        if family.name in sums:
            sums[family.name] += sum(
                sample.value for sample in family.samples if sample.name.endswith("_total")
            )
    return dict(zip(("GetMetricData", "ListMetrics"), sums.values(), strict=True))


@pytest.mark.parametrize("has_faults", [False, True])
async def test_requests_of_all_services_are_counted_as_aws_bills_them(
    aws_url: str, has_faults: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    async with Meter.serving(aws_url, has_faults=has_faults) as (meter, url):
        telemetry = Telemetries()
        config = Config.model_validate({"regions": ["eu-west-1"], "endpoint_url": url, "services": SERVICES})
        watcher = Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws)
        try:
            await watcher.run_once(lambda done, steps: None)
            for cell in watcher.cells.values():
                await cell.run_poll()
        finally:
            await watcher.close()
    assert meter.billed["GetMetricData"] > 50
    assert counted_by_headroom(telemetry) == {"ListMetrics": 0.0} | {
        operation: float(number) for operation, number in meter.billed.items()
    }
    assert sum(telemetry.aws.metrics_by_account.values()) == meter.billed["GetMetricData"]
    assert sum(telemetry.aws.listings_by_account.values()) == meter.billed["ListMetrics"]


async def test_the_listings_of_linked_accounts_are_counted_for_the_account_that_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    listed = {account: [file_system("fs-1")] for account in (FIRST, SECOND)}
    aws = LinkedAws({FIRST: "shop", SECOND: "bank"}, listed)
    watcher = aws.watcher()
    try:
        await watcher.run_once(lambda done, steps: None)
    finally:
        await watcher.close()
    assert watcher.aws_telemetry.listings_by_account == {MONITORING: len(aws.listings)}
    assert len(aws.listings) >= 2


async def test_a_collector_requests_no_metric_beyond_the_budget() -> None:
    aws = FakeAws(get_metric_data={"MetricDataResults": []})
    telemetry = Telemetries()
    config = Config.model_validate({"budget": {"dollars_per_month": 0.002}})  # pays for 2 metrics in advance
    watcher = Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws)
    cell = Cell(
        fake_credentials(),
        "1",
        "eu-west-1",
        telemetry.aws,
        {"cloudwatch": 1000.0},
        None,
        FakeClientCache(aws),
    )
    assert watcher.planner.budget
    budget = watcher.planner.budget
    cell.set_grant(lambda metrics: budget.grant("1", metrics))
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}
    query = {"Id": "one", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    scan = Scan(cell, "sqs")

    async def request_metric() -> None:
        await scan.call("cloudwatch", "GetMetricData", MetricDataQueries=[query], StartTime=0, EndTime=60)

    await request_metric()
    await request_metric()
    with pytest.raises(NotReadYetError, match="budget"):
        await request_metric()
    assert aws.calls == ["cloudwatch:GetMetricData"] * 2
    await watcher.close()
