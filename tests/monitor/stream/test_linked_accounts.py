"""A metric stream of a monitoring account that includes the accounts linked to it."""

import json

import pytest
from typer.testing import CliRunner

from collectors.base import Metric
from monitor.cli.stream import app
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from tests.monitor.stream.bodies import ACCOUNT, REGION, Update, delivery, lines, message
from tests.monitor.stream.fleets import add_series, incoming_bytes, ingest_of, mark_polled, outcome_count

FIRST, SECOND, FOREIGN = "1" * 12, "2" * 12, "3" * 12
ORDERS = incoming_bytes.of(StreamName="orders")


def fleet_of_accounts() -> Fleet:
    """Return a fleet with one Kinesis stream in the monitoring account and in each of two linked accounts."""
    fleet = Fleet()
    for account in (ACCOUNT, FIRST, SECOND):
        add_series(fleet, ORDERS, account=account)
    fleet.set_payers({(account, REGION): (ACCOUNT, REGION) for account in (FIRST, SECOND)})
    mark_polled(fleet)
    return fleet


def newest_value(fleet: Fleet, account: str, metric: Metric = ORDERS) -> float:
    """Return the newest value of a metric of an account."""
    return float(fleet.rings.latest_value[fleet.metrics((account, REGION))[metric_query(metric)]])


@pytest.mark.parametrize("form", ["json", "otlp 1.0", "otlp 0.7"])
async def test_each_point_is_written_to_the_account_that_it_names(form: str) -> None:
    fleet = fleet_of_accounts()
    amounts = {ACCOUNT: 100.0, FIRST: 200.0, SECOND: 300.0, FOREIGN: 400.0}
    updates = [Update(account=account, sum=amount) for account, amount in amounts.items()]
    ingest = ingest_of(fleet)
    records = (
        [lines(updates)] if form == "json" else [message([update], old="7" in form) for update in updates]
    )
    await ingest.ingest(delivery(*records))
    ingest.close()
    assert [newest_value(fleet, account) for account in (ACCOUNT, FIRST, SECOND)] == [100.0, 200.0, 300.0]
    assert (outcome_count(ingest, "written"), outcome_count(ingest, "unknown")) == (3, 1)


async def test_the_monitoring_account_pays_for_the_updates_of_linked_accounts() -> None:
    fleet = fleet_of_accounts()
    ingest = ingest_of(fleet)
    updates = [Update(account=account) for account in (ACCOUNT, FIRST, SECOND)]
    await ingest.ingest(delivery(lines(updates)))
    ingest.close()
    counted = {
        sample.labels["aws_account"]: sample.value
        for family in ingest.telemetry.updates.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert counted == {ACCOUNT: 3}


@pytest.mark.parametrize(
    ("form", "option"),
    [
        ("terraform", "include_linked_accounts_metrics = true"),
        ("cloudformation", '"IncludeLinkedAccountsMetrics": true'),
    ],
)
def test_the_template_includes_linked_accounts_only_on_request(form: str, option: str) -> None:
    command = ["setup", "--format", form, "--service", "sqs"]
    assert option in CliRunner().invoke(app, [*command, "--linked-accounts"]).stdout
    assert option not in CliRunner().invoke(app, command).stdout
    if form == "cloudformation":
        json.loads(CliRunner().invoke(app, [*command, "--linked-accounts"]).stdout)
