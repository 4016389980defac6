"""Linked accounts, which a monitoring account reads by CloudWatch's cross-account observability."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.aws.account import MemberAccount
from monitor.aws.linked_cell import RoleNeededError, linked_cell
from monitor.cost.bills import MetricUse, bills
from monitor.fleet.key import CellKey
from monitor.polling.watcher import Watcher
from rules.limits import LimitSource
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.background import background
from tests.fake_aws import FakeAws, denied
from tests.monitor.polling.linked_aws import (
    FIRST,
    MONITORING,
    REGION,
    ROLE,
    SECOND,
    LinkedAws,
    file_system,
)
from tests.processes import PROCESS_TIMEOUT

FIRST_CELL, SECOND_CELL = (FIRST, REGION), (SECOND, REGION)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, and remove the user's own AWS settings."""
    set_aws_environment(monkeypatch, CREDENTIALS)


async def run_and_close(watcher: Watcher) -> None:
    """Run every inventory and poll once, and close the clients."""
    try:
        await watcher.run_once(lambda done, steps: None)
    finally:
        await watcher.close()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PROCESS_TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def run_in_background(watcher: Watcher) -> AsyncIterator[Watcher]:
    """Run a watcher in the background."""
    async with background(watcher.run()):
        yield watcher


def observable_series(watcher: Watcher, cell: CellKey = FIRST_CELL) -> set[tuple[str, str]]:
    """Return the signal and resource of each observable series of a cell."""
    return {
        (key.signal, key.resource)
        for key, series in watcher.fleet.series.items()
        if key.cell == cell and series.unobservable is None
    }


def newest_values(watcher: Watcher, cell: CellKey) -> list[float]:
    """Return the newest values of the metrics of a cell."""
    rows = [*watcher.fleet.metrics(cell).values()]
    return [float(value) for value in watcher.fleet.rings.latest_value[rows]]


def two_accounts() -> LinkedAws:
    """Return an AWS with two linked accounts whose file systems have the same name."""
    metrics = {account: [file_system("fs-1")] for account in (FIRST, SECOND)}
    return LinkedAws({FIRST: "shop", SECOND: "bank"}, metrics)


async def test_linked_accounts_are_read_without_a_role_each_with_its_own_values() -> None:
    aws = two_accounts()
    watcher = aws.watcher()
    await run_and_close(watcher)
    assert watcher.sentences() == []
    for cell in (FIRST_CELL, SECOND_CELL):
        assert observable_series(watcher, cell) == {("client_connections", "fs-1")}
    assert (newest_values(watcher, FIRST_CELL), newest_values(watcher, SECOND_CELL)) == ([1.0], [2.0])
    queries = [query for call in aws.queries for query in call]
    assert sorted(query["AccountId"] for query in queries) == [FIRST, SECOND]
    assert {status.account: status.name for status in watcher.account_statuses()} == {
        MONITORING: "monitoring",
        FIRST: "shop",
        SECOND: "bank",
    }


async def test_a_series_that_needs_a_role_is_unobservable_and_its_reason_says_so() -> None:
    watcher = two_accounts().watcher()
    await run_and_close(watcher)
    reasons = {
        key.signal: series.unobservable.reason
        for key, series in watcher.fleet.series.items()
        if key.cell == FIRST_CELL and series.unobservable
    }
    assert "a role is needed" in reasons["file_systems"]
    (key,) = [key for key in watcher.fleet.series if key.cell == FIRST_CELL and key.resource == "fs-1"]
    limit = watcher.fleet.series[key].settings.limit
    assert limit
    assert limit.source is LimitSource.DOCUMENTED


async def test_only_linked_accounts_in_the_configuration_are_read() -> None:
    watcher = two_accounts().watcher(accounts=[{"linked_accounts": [SECOND]}])
    await run_and_close(watcher)
    assert {account for account, _ in watcher.cells} == {MONITORING, SECOND}


async def test_an_account_that_shares_no_metrics_is_not_read() -> None:
    aws = two_accounts()
    aws.shared_types = ("AWS::Logs::LogGroup",)
    watcher = aws.watcher()
    await run_and_close(watcher)
    assert {account for account, _ in watcher.cells} == {MONITORING}


async def test_excluded_linked_accounts_are_not_read() -> None:
    aws = two_accounts()
    watcher = aws.watcher(exclude=[{"account": "shop"}])
    await run_and_close(watcher)
    assert {account for account, _ in watcher.cells} == {MONITORING, SECOND}
    assert FIRST not in {account for account, _ in aws.listings}


async def test_the_metrics_of_linked_accounts_are_charged_to_the_monitoring_account() -> None:
    watcher = two_accounts().watcher()
    await run_and_close(watcher)
    requested_metrics = {
        sample.labels["aws_account"]: sample.value
        for family in watcher.aws_telemetry.metrics_requested.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert requested_metrics == {MONITORING: 2}
    _, cells = bills(MetricUse.of(watcher.fleet, 29_000_000), {}, 300)
    assert [(bill.labels, bill.projected.polled_metrics) for bill in cells] == [((MONITORING, REGION), 2)]


async def test_the_metrics_of_linked_accounts_use_the_budget_of_the_monitoring_account() -> None:
    watcher = two_accounts().watcher(budget={"dollars_per_month": 100, "each_account": True})
    await run_and_close(watcher)
    watcher.planner.plan(29_000_000)
    budget = watcher.planner.budget
    assert budget
    assert [budget.allowance(account).polled_metric_count for account in (MONITORING, FIRST)] == [2, 0]


async def test_a_running_watcher_adds_newly_linked_accounts_and_removes_unlinked_ones() -> None:
    aws = two_accounts()
    del aws.links[SECOND]
    async with run_in_background(aws.watcher()) as watcher:
        await until(lambda: observable_series(watcher, FIRST_CELL))
        assert SECOND_CELL not in watcher.cells
        aws.links[SECOND] = "bank"
        await until(lambda: newest_values(watcher, SECOND_CELL) == [2.0])
        del aws.links[FIRST]
        await until(lambda: FIRST_CELL not in watcher.cells)
        await until(lambda: not watcher.fleet.metrics(FIRST_CELL))
        assert observable_series(watcher, FIRST_CELL) == set()
        assert observable_series(watcher, SECOND_CELL) == {("client_connections", "fs-1")}
        assert FIRST not in {status.account for status in watcher.account_statuses()}


async def test_an_account_is_dropped_only_after_two_lists_without_it() -> None:
    aws = two_accounts()
    watcher = aws.watcher()
    await run_and_close(watcher)
    (link_watcher,) = watcher.linked.links.values()
    label = aws.links.pop(FIRST)
    await link_watcher.read()
    assert FIRST_CELL in watcher.cells
    aws.links[FIRST] = label
    await link_watcher.read()
    del aws.links[FIRST]
    await link_watcher.read()
    assert FIRST_CELL in watcher.cells
    await link_watcher.read()
    assert FIRST_CELL not in watcher.cells


async def test_a_denied_list_of_links_is_reported_in_one_sentence_and_drops_no_account() -> None:
    aws = two_accounts()
    watcher = aws.watcher()
    await run_and_close(watcher)
    aws.links_error = denied("ListSinks")
    (link_watcher,) = watcher.linked.links.values()
    await link_watcher.read()
    assert watcher.sentences() == [
        f"{MONITORING}/{REGION} links: ListSinks: not authorized to perform ListSinks (AccessDeniedException)"
    ]
    assert {FIRST_CELL, SECOND_CELL} <= watcher.cells.keys()


async def test_linked_accounts_are_pending_until_the_links_were_read() -> None:
    aws = two_accounts()
    aws.links_error = denied("ListSinks")
    watcher = aws.watcher()
    await run_and_close(watcher)
    assert watcher.pending() == [f"accounts linked to {MONITORING}/{REGION}"]
    assert watcher.may_discover(FIRST_CELL, "efs")


def watcher_with_role(aws: LinkedAws) -> Watcher:
    """Return a watcher of the monitoring account, and of the first account with its role."""
    aws.aws.answers |= {
        "describe_file_systems": {
            "FileSystems": [
                {
                    "FileSystemId": "fs-1",
                    "OwnerId": FIRST,
                    "CreationToken": "t",
                    "CreationTime": 0,
                    "LifeCycleState": "available",
                    "NumberOfMountTargets": 0,
                    "SizeInBytes": {"Value": 0},
                    "PerformanceMode": "generalPurpose",
                    "Tags": [],
                }
            ]
        }
    }
    accounts = [
        {"name": "monitoring", "linked_accounts": "all", "services": ["sts"]},
        {"name": "shop", "role_arn": ROLE.format(FIRST), "services": ["efs"]},
    ]
    return aws.watcher(accounts=accounts, services=["efs", "sts"])


async def test_an_account_with_a_role_has_its_inventory_by_the_role_and_its_metrics_in_shared_calls() -> None:
    aws = two_accounts()
    watcher = watcher_with_role(aws)
    await run_and_close(watcher)
    assert watcher.sentences() == []
    assert ("access_points", "fs-1") in observable_series(watcher, FIRST_CELL)  # observable only with a role
    queries = [query for call in aws.queries for query in call]
    assert {query.get("AccountId") for query in queries} == {FIRST}
    assert FIRST not in {account for account, _ in aws.listings}
    assert watcher.fleet.payers[FIRST_CELL] == (MONITORING, REGION)


async def test_an_account_that_gets_a_role_is_read_with_the_role_from_then_on() -> None:
    """An organization may list a linked account later, and give it a role."""
    aws = two_accounts()
    watcher = aws.watcher()
    await run_and_close(watcher)
    (link_watcher,) = watcher.linked.links.values()
    account = MemberAccount(
        account_id=FIRST, name="shop", role_arn=ROLE.format(FIRST), regions=(REGION,), services=("efs",)
    )
    watcher.register(account)
    (role_watcher,) = await watcher.open_account(account)
    await role_watcher.run_inventory()
    await link_watcher.read()
    assert watcher.cells[FIRST_CELL] is role_watcher
    assert link_watcher.accounts[FIRST].has_role
    fleet = watcher.fleet
    unobservables = [series.unobservable for key, series in fleet.series.items() if key.cell == FIRST_CELL]
    assert not any(item and "observability" in item.reason for item in unobservables)
    assert SECOND_CELL in watcher.cells


@pytest.mark.parametrize("metric_filter", ["Namespace = 'AWS/EC2'", "Namespace NOT LIKE 'AWS/%'"])
async def test_an_account_that_shares_some_namespaces_is_read_with_its_own_role(
    metric_filter: str,
) -> None:
    aws = two_accounts()
    aws.filter = metric_filter
    watcher = watcher_with_role(aws)
    await run_and_close(watcher)
    account_ids = [query.get("AccountId") for call in aws.queries for query in call]
    assert account_ids == [None] * 4  # queries of the role, which need no account id
    assert FIRST_CELL not in watcher.fleet.payers


async def test_an_account_whose_role_may_not_list_links_requests_its_own_metrics() -> None:
    aws = two_accounts()
    aws.aws.answers |= {"list_links": denied("ListLinks")}
    watcher = watcher_with_role(aws)
    await run_and_close(watcher)
    assert watcher.sentences() == []
    assert {query.get("AccountId") for call in aws.queries for query in call} == {None}


async def test_a_call_that_cannot_name_a_linked_account_raises_an_error_and_is_not_sent() -> None:
    aws = FakeAws(list_queues={"QueueUrls": ["https://sqs.eu-west-1.amazonaws.com/1/orders"]})
    cell = linked_cell(aws.cell, FIRST)
    with pytest.raises(RoleNeededError, match=f"sqs:ListQueues in {FIRST}"):
        await cell.call("sqs", "ListQueues", MaxResults=1000)
    assert aws.calls == []


async def test_each_namespace_is_listed_once_for_each_linked_account() -> None:
    aws = two_accounts()
    watcher = aws.watcher()
    await run_and_close(watcher)
    assert sorted(aws.listings) == [(FIRST, "AWS/EFS"), (SECOND, "AWS/EFS")]
