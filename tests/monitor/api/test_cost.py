"""/api/v1/cost: what monitoring costs, and what a stream would save."""

from dataclasses import replace

import httpx
import numpy as np
import pytest

from monitor.cost.prices import LIST_PRICES, SECONDS_PER_MONTH
from monitor.fleet.ring_columns import WINDOW
from monitor.planning.budget import Billed, Budget
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from monitor.server.web_app import create_app
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key
from tests.monitor.served import Server, answer, client_of

STREAMED = LIST_PRICES.amount(updates=1) or 0.0  # an update with its delivery


async def test_the_cost_is_reported_by_service_and_by_cell(server: Server, client: httpx.AsyncClient) -> None:
    add(server.fleet, key("orders"))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    server.telemetry.aws.count_metric_listing(ACCOUNT, REGION, "kinesis")
    found = await answer(client, "/api/v1/cost")
    (service,), (cell,) = found["services"], found["cells"]
    assert (service["service"], cell["account"], cell["region"]) == ("kinesis", ACCOUNT, REGION)
    monthly = 2 * SECONDS_PER_MONTH / 300 * LIST_PRICES.metric
    for one in (service, cell):
        assert (one["polled_metrics"], one["metrics_requested"], one["listings"]) == (2, 1000, 1)
        assert one["monthly_dollars"] == pytest.approx(monthly)
        assert one["dollars"] == pytest.approx(0.01001)
    assert (found["streams"], found["budgets"]) == ([], [])
    assert found["planned_delays"] == [{"account": ACCOUNT, "median": 300, "p99": 300, "longest": 300}]


async def test_a_metric_with_few_points_is_advised_to_be_streamed(
    server: Server, client: httpx.AsyncClient
) -> None:
    add(server.fleet, key("orders"))
    rings = server.fleet.rings
    rows = np.arange(rings.size, dtype=np.int32)
    rings.write(rows, np.full(rows.size, NOW, np.int32), np.ones(rows.size, np.float32))
    rings.mark_read(rows, NOW)
    (one,) = (await answer(client, "/api/v1/cost"))["streams"]
    assert (one["account"], one["region"], one["namespace"]) == (ACCOUNT, REGION, "AWS/Kinesis")
    assert (one["metrics"], len(one["metric_names"])) == (2, 2)
    streamed = 2 / WINDOW * SECONDS_PER_MONTH / 60 * STREAMED
    assert one["streamed_monthly_dollars"] == pytest.approx(streamed)
    polled = one["polled_monthly_dollars"]
    assert one["saved_monthly_dollars"] == pytest.approx(polled - streamed)
    words = " ".join((await client.get("/cost")).text.split())
    assert "Stream these, poll the rest" in words


@pytest.mark.parametrize(
    ("dollars", "expected"), [(0.001, "Too small: to request"), (50, "may be spent ahead")]
)
async def test_the_budget_is_reported(server: Server, dollars: float, expected: str) -> None:
    add(server.fleet, key("orders"))
    budget = Budget(InMemorySpendingStore(), lambda: 0.0, lambda: 0.0, dict[str, Billed])
    budget.configure(BudgetTerms(dollars))
    budget.allowance(ACCOUNT).polled = 2
    server.app = create_app(replace(server.state, budget=budget))
    async with client_of(server) as client:
        (one,) = (await answer(client, "/api/v1/cost"))["budgets"]
        page = " ".join((await client.get("/cost")).text.split())
    assert (one["account"], one["dollars_per_month"]) == (None, dollars)
    an_hour = 2 * SECONDS_PER_MONTH / 3600 * LIST_PRICES.metric
    assert one["minimum_dollars_per_month"] == pytest.approx(an_hour)
    assert expected in page and "half of the series are read within" in page


async def test_accounts_that_are_not_billed_in_dollars_are_shown_in_their_currency_and_in_no_sum(
    server: Server, client: httpx.AsyncClient
) -> None:
    places = {"1": "cn-north-1", "2": "us-gov-west-1", "3": REGION}
    server.telemetry.aws.partitions |= {"1": "aws-cn", "2": "aws-us-gov", "3": "aws"}
    for account, region in places.items():
        add(server.fleet, key("orders")._replace(account=account, region=region))
        server.telemetry.aws.count_requested_metrics(account, region, "kinesis", 100_000)
    found = await answer(client, "/api/v1/cost")
    cells = {one["account"]: one for one in found["cells"]}
    assert {name: one["currency"] for name, one in cells.items()} == {"1": "CNY", "2": None, "3": "USD"}
    assert {name: one["dollars"] for name, one in cells.items()} == {"1": None, "2": None, "3": 1.0}
    assert cells["1"]["amount"] == pytest.approx(6.51)
    assert [one["dollars"] for one in found["services"]] == [1.0]
    words = " ".join((await client.get("/cost")).text.split())
    for expected in (
        "CNY 6.51",
        "price not known",
        "In the partition aws-cn, CloudWatch charges CNY 0.0651 per",
    ):
        assert expected in words
    assert "without accounts that are not billed in dollars" in words
