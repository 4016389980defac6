"""The page about a user's own signals: its files are valid, and their series are judged as the page says."""

from pathlib import Path
from typing import Any

import pytest

from collectors.builtin import registry_with
from collectors.registry import Registry
from monitor.aws.cell import Cell
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.rows import Row, rows_of
from monitor.polling.inventory import Inventory
from monitor.polling.metric_services import MetricServices
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from rules.band import Zone
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import ACCOUNT_ID, FakeAws
from tests.fake_cloudwatch import Body, FakeCloudWatch, Response, fake_credentials, query_result
from tests.monitor.cli.invocation import headroom
from tests.monitor.polling.service_quotas import ServiceQuotas
from tests.telemetries import Telemetries
from tests.test_contributor_docs import blocks
from tests.test_readme import README

PAGE = "docs/own-signals.md"
NOW = 29_000_000  # epoch minutes
RATE_QUOTA, DAILY_QUOTA = (Quota(service="ses", code=code) for code in ("L-CDEF9B6B", "L-804C8AE8"))
# The value that CloudWatch has for each minute, by metric and dimensions.
POINTS = {
    ("Shop/Checkout", "ActiveSessions", "Stage=production"): 480.0,
    ("Shop/Checkout", "RejectedSessions", "Stage=production"): 0.0,
    ("Shop/Checkout", "BusyWorkers", "Pool=orders"): 12.0,
    ("Shop/Checkout", "Workers", "Pool=orders"): 20.0,
    ("AWS/SES", "Send", ""): 600.0,
}
ANSWERS = {
    "list_metrics": {
        "Metrics": [
            {"MetricName": "BusyWorkers", "Dimensions": [{"Name": "Pool", "Value": "orders"}]},
            {"MetricName": "BusyWorkers", "Dimensions": [{"Name": "Stage", "Value": "production"}]},
        ]
    },
    "get_send_quota": {"SentLast24Hours": 20_000.0, "Max24HourSend": 50_000.0, "MaxSendRate": 14.0},
    **ServiceQuotas(applied={RATE_QUOTA: 14.0, DAILY_QUOTA: 200.0}).answers,
}
NO_METRICS: dict[str, Any] = {"Metrics": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `catalogue.d` with the files of the page."""
    for path, _, text in blocks(PAGE):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return tmp_path / "catalogue.d"


def answer(body: Body) -> Response:
    """Return points of the requested metrics, all of which are in POINTS."""
    minutes, results = range(body["StartTime"] // 60, body["EndTime"] // 60), []
    for query in body["MetricDataQueries"]:
        metric = query["MetricStat"]["Metric"]
        dimensions = ",".join(
            f"{dimension['Name']}={dimension['Value']}" for dimension in metric.get("Dimensions", ())
        )
        value = POINTS[metric["Namespace"], metric["MetricName"], dimensions]
        results.append(query_result(query, dict.fromkeys(minutes, value)))
    return {"MetricDataResults": results}


async def judged_rows(registry: Registry, region: str = "eu-west-1", **changed_answers: object) -> list[Row]:
    """Return the series of the page's services after one inventory and one poll.

    changed_answers: answers of AWS that differ from ANSWERS.
    """
    aws, fleet = FakeAws(region=region, now=NOW * 60.0, **{**ANSWERS, **changed_answers}), Fleet()
    quotas = QuotaBook(aws.cell, registry.quotas(["checkout", "mail"]))
    inventory = Inventory(aws.cell, fleet, Config(), registry, quotas)
    await quotas.read()
    for collector in registry.collectors_of(["checkout", "mail"]):
        assert (await inventory.run(collector)).failures == ()
    async with FakeCloudWatch(answer, minute=NOW) as server:
        rates = {"cloudwatch": 1000.0}
        cell = Cell(fake_credentials(), ACCOUNT_ID, region, Telemetries().aws, rates, server.url)
        assert await MetricReader(cell, fleet, MetricServices(registry.collectors)).read(NOW) == []
        await cell.close()
    judge(fleet, NOW)
    return rows_of(fleet, lambda key: True)


def judgements(rows: list[Row]) -> dict[str, tuple[object, ...]]:
    """Return usage, limit, source and zone of each row, by signal and resource."""
    return {
        f"{row.signal.id} {row.key.resource}".strip(): (
            pytest.approx(row.usage),
            row.limit,
            row.source,
            row.zone,
        )
        for row in rows
    }


async def test_the_example_signals_have_limits_of_all_four_sources(folder: Path) -> None:
    rows = await judged_rows(registry_with(folder))
    assert judgements(rows) == {
        "checkout.sessions": (480.0, 500.0, LimitSource.DOCUMENTED, Zone.NEAR),
        "checkout.busy_workers orders": (12.0, 20.0, LimitSource.METRIC, Zone.WITHIN),
        "mail.sending_rate": (10.0, 14.0, LimitSource.APPLIED, Zone.ABOVE),
        "mail.emails_per_day": (20_000.0, 50_000.0, LimitSource.API, Zone.WITHIN),
    }


async def test_a_signal_without_resources_does_not_affect_other_signals(folder: Path) -> None:
    registry = registry_with(folder)
    assert "checkout.sessions" in judgements(await judged_rows(registry, list_metrics=NO_METRICS))
    # In us-east-1, `checkout.sessions` is not declared, and `checkout.busy_workers` has no resource.
    in_us_east_1 = judgements(await judged_rows(registry, region="us-east-1", list_metrics=NO_METRICS))
    assert in_us_east_1.keys() == {"mail.sending_rate", "mail.emails_per_day"}


def test_the_commands_of_the_page_know_the_example_signals(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    text = Path(__file__).parents[1].joinpath(PAGE).read_text("utf-8")
    assert f"headroom catalogue check                    # {headroom('catalogue', 'check').output}" in text
    assert "checkout.busy_workers" in headroom("catalogue", "--service", "checkout").output
    assert "ses:GetSendQuota" in headroom("iam-policy").output
    assert f"]({PAGE})" in README
