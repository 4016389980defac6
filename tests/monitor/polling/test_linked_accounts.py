"""Accounts that a monitoring account reads, by CloudWatch's cross-account observability."""

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
    """Credentials, and nothing else of the user's."""
    set_aws_environment(monkeypatch, CREDENTIALS)


async def once(watch: Watcher) -> None:
    """Run every inventory and poll once, and close the clients."""
    try:
        await watch.run_once(lambda done, steps: None)
    finally:
        await watch.close()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PROCESS_TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(watch: Watcher) -> AsyncIterator[Watcher]:
    """Run a watcher in the background."""
    async with background(watch.run()):
        yield watch


def series(watch: Watcher, cell: CellKey = FIRST_CELL) -> set[tuple[str, str]]:
    """The signals and resources of a cell whose usage is read."""
    return {
        (key.signal, key.resource)
        for key, one in watch.fleet.series.items()
        if key.cell == cell and one.unobservable is None
    }


def newest(watch: Watcher, cell: CellKey) -> list[float]:
    """Return the newest values of the metrics of a cell."""
    rows = [*watch.fleet.metrics(cell).values()]
    return [float(value) for value in watch.fleet.rings.latest_value[rows]]


def two_accounts() -> LinkedAws:
    """Two linked accounts whose file systems have the same name."""
    listed = {account: [file_system("fs-1")] for account in (FIRST, SECOND)}
    return LinkedAws({FIRST: "shop", SECOND: "bank"}, listed)


async def test_linked_accounts_are_read_without_a_role_and_not_mixed_up() -> None:
    aws = two_accounts()
    watch = aws.watcher()
    await once(watch)
    assert watch.sentences() == []
    assert series(watch, FIRST_CELL) == series(watch, SECOND_CELL) == {("client_connections", "fs-1")}
    assert (newest(watch, FIRST_CELL), newest(watch, SECOND_CELL)) == ([1.0], [2.0])
    queries = [query for some in aws.queries for query in some]
    assert sorted(query["AccountId"] for query in queries) == [FIRST, SECOND]
    assert {status.account: status.name for status in watch.account_statuses()} == {
        MONITORING: "monitoring",
        FIRST: "shop",
        SECOND: "bank",
    }


async def test_a_series_that_needs_a_role_is_unobservable_with_that_reason() -> None:
    watch = two_accounts().watcher()
    await once(watch)
    reasons = {
        key.signal: one.unobservable.reason
        for key, one in watch.fleet.series.items()
        if key.cell == FIRST_CELL and one.unobservable
    }
    assert "a role is needed" in reasons["file_systems"]
    (key,) = [one for one in watch.fleet.series if one.cell == FIRST_CELL and one.resource == "fs-1"]
    limit = watch.fleet.series[key].settings.limit
    assert limit
    assert limit.source is LimitSource.DOCUMENTED


async def test_only_accounts_that_are_named_are_read() -> None:
    watch = two_accounts().watcher(accounts=[{"linked_accounts": [SECOND]}])
    await once(watch)
    assert {account for account, _ in watch.cells} == {MONITORING, SECOND}


async def test_an_account_that_shares_no_metrics_is_not_read() -> None:
    aws = two_accounts()
    aws.shared_types = ("AWS::Logs::LogGroup",)
    watch = aws.watcher()
    await once(watch)
    assert {account for account, _ in watch.cells} == {MONITORING}


async def test_excluded_linked_accounts_are_not_read() -> None:
    aws = two_accounts()
    watch = aws.watcher(exclude=[{"account": "shop"}])
    await once(watch)
    assert {account for account, _ in watch.cells} == {MONITORING, SECOND}
    assert FIRST not in {account for account, _ in aws.listings}


async def test_the_monitoring_account_pays() -> None:
    watch = two_accounts().watcher()
    await once(watch)
    requested = {
        sample.labels["aws_account"]: sample.value
        for family in watch.aws_telemetry.metrics_requested.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert requested == {MONITORING: 2}
    _, cells = bills(MetricUse.of(watch.fleet, 29_000_000), {}, 300)
    assert [(bill.labels, bill.projected.polled_metrics) for bill in cells] == [((MONITORING, REGION), 2)]


async def test_the_budget_is_that_of_the_monitoring_account() -> None:
    watch = two_accounts().watcher(budget={"dollars_per_month": 100, "each_account": True})
    await once(watch)
    watch.planner.plan(29_000_000)
    budget = watch.planner.budget
    assert budget
    assert [budget.allowance(account).polled for account in (MONITORING, FIRST)] == [2, 0]


async def test_an_account_that_is_linked_while_running_appears_and_one_that_is_not_any_more_leaves() -> None:
    aws = two_accounts()
    del aws.links[SECOND]
    async with running(aws.watcher()) as watch:
        await until(lambda: series(watch, FIRST_CELL))
        assert SECOND_CELL not in watch.cells
        aws.links[SECOND] = "bank"
        await until(lambda: newest(watch, SECOND_CELL) == [2.0])
        del aws.links[FIRST]
        await until(lambda: FIRST_CELL not in watch.cells)
        await until(lambda: not watch.fleet.metrics(FIRST_CELL))
        assert series(watch, FIRST_CELL) == set()
        assert series(watch, SECOND_CELL) == {("client_connections", "fs-1")}
        assert FIRST not in {status.account for status in watch.account_statuses()}


async def test_an_account_that_one_list_lacks_is_not_dropped() -> None:
    aws = two_accounts()
    watch = aws.watcher()
    await once(watch)
    (link,) = watch.linked.links.values()
    label = aws.links.pop(FIRST)
    await link.read()
    assert FIRST_CELL in watch.cells
    aws.links[FIRST] = label
    await link.read()
    del aws.links[FIRST]
    await link.read()
    assert FIRST_CELL in watch.cells
    await link.read()
    assert FIRST_CELL not in watch.cells


async def test_links_that_may_not_be_listed_are_one_sentence_and_drop_nothing() -> None:
    aws = two_accounts()
    watch = aws.watcher()
    await once(watch)
    aws.links_error = denied("ListSinks")
    (link,) = watch.linked.links.values()
    await link.read()
    assert watch.sentences() == [
        f"{MONITORING}/{REGION} links: ListSinks: not authorized to perform ListSinks (AccessDeniedException)"
    ]
    assert {FIRST_CELL, SECOND_CELL} <= watch.cells.keys()


async def test_accounts_are_pending_until_the_links_were_read() -> None:
    aws = two_accounts()
    aws.links_error = denied("ListSinks")
    watch = aws.watcher()
    await once(watch)
    assert watch.pending() == [f"accounts linked to {MONITORING}/{REGION}"]
    assert watch.may_discover(FIRST_CELL, "efs")


def with_role(aws: LinkedAws) -> Watcher:
    """A watcher of the monitoring account, and of the first account by its role."""
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


async def test_an_account_with_a_role_is_inventoried_by_it_and_read_in_shared_calls() -> None:
    aws = two_accounts()
    watch = with_role(aws)
    await once(watch)
    assert watch.sentences() == []
    assert ("access_points", "fs-1") in series(watch, FIRST_CELL)  # which metrics do not tell
    queries = [query for some in aws.queries for query in some]
    assert {query.get("AccountId") for query in queries} == {FIRST}
    assert FIRST not in {account for account, _ in aws.listings}
    assert watch.fleet.payers[FIRST_CELL] == (MONITORING, REGION)


async def test_a_role_that_appears_takes_over_from_observability() -> None:
    """An account that an organization lists later has such a role."""
    aws = two_accounts()
    watch = aws.watcher()
    await once(watch)
    (link,) = watch.linked.links.values()
    account = MemberAccount(
        account_id=FIRST, name="shop", role_arn=ROLE.format(FIRST), regions=(REGION,), services=("efs",)
    )
    watch.register(account)
    (taken,) = await watch.open_account(account)
    await taken.run_inventory()
    await link.read()
    assert watch.cells[FIRST_CELL] is taken
    assert link.accounts[FIRST].has_role
    reasons = [one.unobservable for key, one in watch.fleet.series.items() if key.cell == FIRST_CELL]
    assert not any(reason and "observability" in reason.reason for reason in reasons)
    assert SECOND_CELL in watch.cells


@pytest.mark.parametrize("filter_", ["Namespace = 'AWS/EC2'", "Namespace NOT LIKE 'AWS/%'"])
async def test_an_account_that_shares_some_namespaces_is_read_with_its_own_role(filter_: str) -> None:
    aws = two_accounts()
    aws.filter = filter_
    watch = with_role(aws)
    await once(watch)
    assert [query.get("AccountId") for some in aws.queries for query in some] == [None] * 4
    assert FIRST_CELL not in watch.fleet.payers


async def test_a_role_that_may_not_list_links_reads_its_metrics_itself() -> None:
    aws = two_accounts()
    aws.aws.answers |= {"list_links": denied("ListLinks")}
    watch = with_role(aws)
    await once(watch)
    assert watch.sentences() == []
    assert {query.get("AccountId") for some in aws.queries for query in some} == {None}


async def test_no_call_is_made_for_a_linked_account_that_cannot_name_it() -> None:
    aws = FakeAws(list_queues={"QueueUrls": ["https://sqs.eu-west-1.amazonaws.com/1/orders"]})
    cell = linked_cell(aws.cell, FIRST)
    with pytest.raises(RoleNeededError, match=f"sqs:ListQueues in {FIRST}"):
        await cell.call("sqs", "ListQueues", MaxResults=1000)
    assert aws.calls == []


async def test_namespaces_are_listed_once_for_each_account() -> None:
    aws = two_accounts()
    watch = aws.watcher()
    await once(watch)
    assert sorted(aws.listings) == [(FIRST, "AWS/EFS"), (SECOND, "AWS/EFS")]
