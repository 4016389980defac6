"""/api/v1/cost: the cost of monitoring, and what a metric stream would save."""

from dataclasses import replace

import httpx
import numpy as np
import pytest

from monitor.cost.prices import LIST_PRICES, SECONDS_PER_MONTH
from monitor.fleet.ring_columns import WINDOW
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from monitor.server.web_app import create_app
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key
from tests.monitor.fleet_server import Server, client_of, json_of

UPDATE_DOLLARS = LIST_PRICES.amount(updates=1) or 0.0  # the price of one streamed update with its delivery
METRICS_OF_STREAM = 2  # that Headroom reads: of the usage and of throttled demand


async def test_the_cost_is_reported_by_service_and_by_cell(server: Server, client: httpx.AsyncClient) -> None:
    add(server.fleet, key("orders"))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    server.telemetry.aws.count_metric_listing(ACCOUNT, REGION, "kinesis")
    costs = await json_of(client, "/api/v1/cost")
    (service,), (cell,) = costs["services"], costs["cells"]
    assert (service["service"], cell["account"], cell["region"]) == ("kinesis", ACCOUNT, REGION)
    monthly_dollars = METRICS_OF_STREAM * SECONDS_PER_MONTH / 300 * LIST_PRICES.metric  # every five minutes
    for bill in (service, cell):
        assert (bill["polled_metrics"], bill["metrics_requested"], bill["listings"]) == (2, 1000, 1)
        assert bill["monthly_dollars"] == pytest.approx(monthly_dollars)
        assert bill["dollars"] == pytest.approx(0.01 + 0.00001)  # 1000 requested metrics and a listing
    assert (costs["streams"], costs["budgets"]) == ([], [])
    assert costs["planned_delays"] == [{"account": ACCOUNT, "median": 300, "p99": 300, "longest": 300}]


async def test_a_metric_with_few_points_is_advised_to_be_streamed(
    server: Server, client: httpx.AsyncClient
) -> None:
    add(server.fleet, key("orders"))
    rings = server.fleet.rings
    rows = np.arange(rings.size, dtype=np.int32)
    rings.write(rows, np.full(rows.size, NOW, np.int32), np.ones(rows.size, np.float32))
    rings.mark_read(rows, NOW)
    (advice,) = (await json_of(client, "/api/v1/cost"))["streams"]
    assert (advice["account"], advice["region"], advice["namespace"]) == (ACCOUNT, REGION, "AWS/Kinesis")
    assert (advice["metrics"], len(advice["metric_names"])) == (2, 2)
    updates_per_minute = METRICS_OF_STREAM / WINDOW  # each metric has one point in the window
    streamed_dollars = updates_per_minute * SECONDS_PER_MONTH / 60 * UPDATE_DOLLARS
    assert advice["streamed_monthly_dollars"] == pytest.approx(streamed_dollars)
    saved_dollars = advice["polled_monthly_dollars"] - streamed_dollars
    assert advice["saved_monthly_dollars"] == pytest.approx(saved_dollars)
    page_text = " ".join((await client.get("/cost")).text.split())
    assert "Stream these, poll the rest" in page_text


@pytest.mark.parametrize(
    ("dollars", "page_part"), [(0.001, "Too small: to request"), (50, "spent ahead of it, of at most")]
)
async def test_the_api_and_the_page_show_the_budget(server: Server, dollars: float, page_part: str) -> None:
    add(server.fleet, key("orders"))
    budget = Budget(
        InMemorySpendingStore(), clock=lambda: 0.0, wall_clock=lambda: 0.0, billed=dict[str, BilledAmounts]
    )
    budget.configure(BudgetTerms(dollars))
    budget.allowance(ACCOUNT).set_polled_count(METRICS_OF_STREAM)
    server.app = create_app(replace(server.state, budget=budget))
    async with client_of(server) as client:
        (budget_item,) = (await json_of(client, "/api/v1/cost"))["budgets"]
        page_text = " ".join((await client.get("/cost")).text.split())
    assert (budget_item["account"], budget_item["dollars_per_month"]) == (None, dollars)
    dollars_of_hourly_requests = METRICS_OF_STREAM * SECONDS_PER_MONTH / 3600 * LIST_PRICES.metric
    assert budget_item["minimum_dollars_per_month"] == pytest.approx(dollars_of_hourly_requests)
    assert page_part in page_text and "half of the series are read within" in page_text


async def test_accounts_that_are_not_billed_in_dollars_have_their_currency_and_are_left_out_of_sums(
    server: Server, client: httpx.AsyncClient
) -> None:
    regions = {"1": "cn-north-1", "2": "us-gov-west-1", "3": REGION}
    server.telemetry.aws.partitions |= {"1": "aws-cn", "2": "aws-us-gov", "3": "aws"}
    for account, region in regions.items():
        add(server.fleet, key("orders")._replace(account=account, region=region))
        server.telemetry.aws.count_requested_metrics(account, region, "kinesis", 100_000)
    costs = await json_of(client, "/api/v1/cost")
    cells = {bill["account"]: bill for bill in costs["cells"]}
    assert {account: bill["currency"] for account, bill in cells.items()} == {
        "1": "CNY",
        "2": None,
        "3": "USD",
    }
    assert {account: bill["dollars"] for account, bill in cells.items()} == {"1": None, "2": None, "3": 1.0}
    assert cells["1"]["amount"] == pytest.approx(6.51)
    assert [bill["dollars"] for bill in costs["services"]] == [1.0]
    page_text = " ".join((await client.get("/cost")).text.split())
    for expected in (
        "CNY 6.51",
        "price not known",
        "In the partition aws-cn, CloudWatch charges CNY 0.0651 per",
    ):
        assert expected in page_text
    assert "without accounts that are not billed in dollars" in page_text
