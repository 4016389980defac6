"""A running watcher of an organization whose accounts appear, change and close."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.aws.known_accounts import KnownAccounts, known_accounts_path
from monitor.aws.organization import Organization
from monitor.aws.organization_listing import ListedAccount, OrganizationListing
from monitor.aws.status import OrganizationStatus
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.organization_watcher import OrganizationWatcher
from monitor.polling.timings import PollingTimings
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.background import background
from tests.fake_organization import OWN, FakeOrganization, account_item
from tests.global_services import global_registry
from tests.telemetries import Telemetries

ONE, TWO, THREE = ("111111111111", "222222222222", "333333333333")
REGISTRY = global_registry()
FAST = PollingTimings(
    open_retry_interval=0.05,
    organization_interval=0.05,
    min_listing_interval=0.01,
    confirmation_delay=0.05,
    first_polls_interval=0.05,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own credentials, of the account OWN."""
    set_aws_environment(monkeypatch, CREDENTIALS)


@pytest.fixture
async def aws() -> AsyncIterator[FakeOrganization]:
    async with FakeOrganization.serving(account_item(OWN, "home"), account_item(ONE, "one")) as served:
        yield served


def watcher_of(
    aws: FakeOrganization,
    known: KnownAccounts | None = None,
    timings: PollingTimings = FAST,
    accounts: list[dict[str, Any]] | None = None,
    **organization: Any,
) -> Watcher:
    """Return a watcher of an organization. accounts: further entries. organization: fields of its entry."""
    entries = [{"organization": True, **organization}, *(accounts or ())]
    settings = {"accounts": entries, "regions": ["eu-west-1"], "services": ["topics"]}
    config = Config.model_validate({**settings, "endpoint_url": aws.url})
    telemetry = Telemetries()
    return Watcher(
        config,
        REGISTRY,
        Fleet(),
        telemetry.process,
        telemetry.aws,
        timings=timings,
        known_accounts=known or KnownAccounts(),
    )


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(watch: Watcher) -> AsyncIterator[Watcher]:
    """A watcher whose first reads have ended."""
    async with background(watch.run()):
        async with asyncio.timeout(30):
            await watch.complete.wait()
        yield watch


def accounts(watch: Watcher) -> set[str]:
    """The accounts with series that were read."""
    return {key.account for key in watch.fleet.series}


def account_names(watch: Watcher) -> dict[str, str]:
    """Return the names of the accounts by id."""
    return {status.account: status.name for status in watch.accounts.values()}


def organization_of(watch: Watcher) -> OrganizationStatus:
    """Return the status of the only organization."""
    (status,) = watch.members.statuses()
    return status


async def next_lists(aws: FakeOrganization, number: int = 2) -> None:
    """Wait until the accounts were listed again; the list before the last one was certainly used."""
    wanted = aws.lists + number
    await until(lambda: aws.lists >= wanted)


# What is watched


async def test_all_active_accounts_are_watched_our_own_one_without_a_role(aws: FakeOrganization) -> None:
    aws.accounts.append(account_item(TWO, "two", "SUSPENDED"))
    async with running(watcher_of(aws, role_name="team/monitor")) as watch:
        assert accounts(watch) == {OWN, ONE}
        assert account_names(watch) == {OWN: "home", ONE: "one"}
        assert {cell.name for cell in watch.cell_statuses()} == {"home", "one"}
        assert organization_of(watch).accounts == 2
        assert watch.pending() == []
    assert set(aws.roles) == {(f"arn:aws:iam::{ONE}:role/team/monitor", "testing")}


async def test_our_own_account_may_be_excluded(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws, exclude=["home"])) as watch:
        assert accounts(watch) == {ONE}


async def test_an_account_with_an_entry_of_its_own_has_the_settings_of_that(aws: FakeOrganization) -> None:
    role = f"arn:aws:iam::{ONE}:role/other"
    entry = {"name": "apart", "role_arn": role, "regions": ["us-east-1"]}
    async with running(watcher_of(aws, accounts=[entry, {"name": "here"}])) as watch:
        assert account_names(watch) == {OWN: "here", ONE: "apart"}
        assert set(watch.cells) == {(OWN, "eu-west-1"), (ONE, "us-east-1")}
    assert {arn for arn, _ in aws.roles} == {role}


async def test_an_account_of_two_organizations_is_watched_once(aws: FakeOrganization) -> None:
    other = {"organization": True, "name": "twin"}
    async with running(watcher_of(aws, accounts=[other])) as watch:
        assert accounts(watch) == {OWN, ONE}
        assert sum(one.accounts for one in watch.members.statuses()) == 2


async def test_top_level_exclusions_hold_for_members(aws: FakeOrganization) -> None:
    watch = watcher_of(aws)
    watch.config = watch.config.model_validate(
        {**watch.config.model_dump(exclude_unset=True), "exclude": [{"account": "one"}]}
    )
    async with running(watch):
        assert accounts(watch) == {OWN}


async def test_names_that_are_not_unique_are_shown_with_the_id(aws: FakeOrganization) -> None:
    aws.accounts += [account_item(TWO, "one"), account_item(THREE, " ")]
    async with running(watcher_of(aws)) as watch:
        assert account_names(watch) == {OWN: "home", ONE: f"one ({ONE})", TWO: f"one ({TWO})", THREE: THREE}
        aws.change(TWO, Name="other")
        await until(lambda: account_names(watch)[TWO] == "other")
        assert account_names(watch)[ONE] == "one"
        assert watch.cells[ONE, "eu-west-1"].status().name == "one"


async def test_names_that_are_exchanged_stay_with_their_accounts(aws: FakeOrganization) -> None:
    aws.closed = {ONE}
    async with running(watcher_of(aws)) as watch:
        assert set(watch.inaccessible_accounts) == {"one"}
        aws.change(ONE, Name="home")
        aws.change(OWN, Name="one")
        await until(lambda: account_names(watch) == {OWN: "one", ONE: "home"})
        assert set(watch.inaccessible_accounts) == {"home"}
        aws.closed.clear()
        await until(lambda: not watch.inaccessible_accounts and accounts(watch) == {OWN, ONE})


@pytest.mark.parametrize("name", [f"one ({TWO})", TWO, "organization", "default", "a'b\"<b>&;%s{}", "日本"])
async def test_a_name_that_looks_like_another_accounts_is_distinguished(
    aws: FakeOrganization, name: str
) -> None:
    aws.change(ONE, Name=name)
    aws.accounts += [account_item(TWO, " "), account_item(THREE, "one")]
    async with running(watcher_of(aws)) as watch:
        assert accounts(watch) == {OWN, ONE, TWO, THREE}
        assert len({*account_names(watch).values()}) == 4


# What changes


async def test_an_account_appears_is_suspended_and_comes_back(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws)) as watch:
        aws.accounts.append(account_item(TWO, "two"))
        await until(lambda: TWO in accounts(watch))
        aws.change(TWO, State="SUSPENDED")
        await until(lambda: TWO not in accounts(watch))
        assert watch.members.departed == {TWO: "was suspended or closed"}
        assert (TWO, "eu-west-1") not in watch.cells
        assert TWO not in account_names(watch)
        aws.change(TWO, State="ACTIVE")
        await until(lambda: TWO in accounts(watch))
        assert watch.members.departed == {}


async def test_a_closed_account_leaves_nothing_behind(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws)) as watch:
        assert exported_accounts(watch) == {OWN, ONE}
        aws.change(ONE, State="CLOSED")
        aws.closed = {ONE}
        await until(lambda: accounts(watch) == {OWN})
        assert exported_accounts(watch) == {OWN}
        assert set(watch.inaccessible_accounts) == set()
        aws.read.clear()
        await next_lists(aws)
        assert ONE not in aws.read
        assert ONE not in {account for account, _ in watch.discovered()}


def exported_accounts(watch: Watcher) -> set[str]:
    """Return the accounts that poll and inventory times are exported of."""
    samples = [
        sample
        for family in (watch.aws_telemetry.poll_time, watch.aws_telemetry.inventory_time)
        for metric in family.collect()
        for sample in metric.samples
    ]
    return {sample.labels["aws_account"] for sample in samples}


async def test_an_account_that_one_list_lacks_stays(aws: FakeOrganization) -> None:
    """A list may be incomplete; what two lists in a row lack has left."""
    timings = PollingTimings(open_retry_interval=0.05, organization_interval=3600, confirmation_delay=3600)
    watch = watcher_of(aws, timings=timings)
    (organization,) = watch.members.organizations
    await organization.read()
    missing = aws.accounts.pop()
    await organization.read()
    assert set(organization.members) == {OWN, ONE}
    aws.accounts.append(missing)
    await organization.read()
    aws.accounts.pop()
    await organization.read()
    assert set(organization.members) == {OWN, ONE}
    await organization.read()
    assert set(organization.members) == {OWN}
    assert watch.members.departed == {ONE: "is not in the organization any more"}
    await watch.close()


async def test_an_account_that_leaves_the_organization_is_watched_no_longer(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws)) as watch:
        aws.accounts.pop()
        await until(lambda: accounts(watch) == {OWN})
        assert watch.members.departed == {ONE: "is not in the organization any more"}


async def test_an_account_that_is_renamed_to_an_excluded_name_is_watched_no_longer(
    aws: FakeOrganization,
) -> None:
    async with running(watcher_of(aws, exclude=["sandbox-*"])) as watch:
        aws.change(ONE, Name="sandbox-1")
        await until(lambda: accounts(watch) == {OWN})
        assert watch.members.departed == {ONE: "is excluded"}


async def test_a_denial_has_the_accounts_listed_at_once(aws: FakeOrganization) -> None:
    """A closed account is known to be closed before its denials raise an alert."""
    timings = PollingTimings(open_retry_interval=0.05, min_listing_interval=0.01, first_polls_interval=0.05)
    watch = watcher_of(aws, timings=timings)
    async with running(watch):
        aws.change(ONE, State="PENDING_CLOSURE")
        aws.closed = {ONE}
        await watch.cells[ONE, "eu-west-1"].run_inventory()
        await until(lambda: ONE in watch.members.departed)
        assert watch.members.departed[ONE] == "is being closed"


# Lists that fail


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "AWSOrganizationsNotInUseException", "TooManyRequestsException"]
)
async def test_a_list_that_fails_keeps_the_known_accounts(aws: FakeOrganization, code: str) -> None:
    async with running(watcher_of(aws)) as watch:
        aws.failure = code
        await until(lambda: organization_of(watch).listing.failures)
        (failure,) = organization_of(watch).listing.failures
        assert (failure.operation, failure.code) == ("ListAccounts", code)
        assert accounts(watch) == {OWN, ONE}
        assert watch.inaccessible_accounts == {}
        aws.accounts.append(account_item(TWO, "two"))
        aws.failure = ""
        await until(lambda: TWO in accounts(watch))
        assert organization_of(watch).listing.failures == ()


async def test_without_a_list_at_the_start_nothing_is_watched_until_there_is_one(
    aws: FakeOrganization,
) -> None:
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws)) as watch:
        assert (watch.cells, organization_of(watch).is_known) == ({}, False)
        (sentence,) = watch.sentences()
        assert sentence.startswith(
            f"organization: ListAccounts: AccessDeniedException of ListAccounts in {OWN}"
        )
        assert "Allow `organizations:ListAccounts`" in sentence
        aws.failure = ""
        await until(lambda: accounts(watch) == {OWN, ONE})
        assert watch.sentences() == []


async def test_without_a_list_at_the_start_the_accounts_of_the_last_time_are_watched(
    aws: FakeOrganization, tmp_path: Path
) -> None:
    file = known_accounts_path(tmp_path / "headroom.db")
    async with running(watcher_of(aws, KnownAccounts.read(file))):
        pass
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws, KnownAccounts.read(file))) as watch:
        assert accounts(watch) == {OWN, ONE}
        assert organization_of(watch).is_known
        await until(lambda: organization_of(watch).listing.failures)
    assert file.stat().st_mode & 0o077 == 0
    assert "example.org" not in file.read_text()  # addresses of owners are nobody's business


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"organization": 1}', b"\xff", b'{"organization": {"own_account": "x"}}', None],
)
async def test_a_file_that_cannot_be_used_is_written_again(
    aws: FakeOrganization, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "accounts.json"
    if content is not None:
        file.write_bytes(content)
    async with running(watcher_of(aws, KnownAccounts.read(file))) as watch:
        await until(lambda: accounts(watch) == {OWN, ONE})
    assert [one["id"] for one in json.loads(file.read_text())["organization"]["accounts"]] == [OWN, ONE]


async def test_a_file_that_cannot_be_written_stops_nothing(
    aws: FakeOrganization, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = KnownAccounts.read(tmp_path / "absent" / "accounts.json")
    async with running(watcher_of(aws, known)) as watch:
        assert accounts(watch) == {OWN, ONE}
    assert "cannot be written" in caplog.text


async def test_accounts_listed_for_other_organizational_units_are_not_used(aws: FakeOrganization) -> None:
    known = KnownAccounts()
    async with running(watcher_of(aws, known)):
        pass
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws, known, organizational_units=["ou-ab12-34cd56ef"])) as watch:
        assert watch.cells == {}


async def test_an_account_whose_role_cannot_be_assumed_affects_only_itself(aws: FakeOrganization) -> None:
    aws.closed = {ONE}
    async with running(watcher_of(aws)) as watch:
        assert accounts(watch) == {OWN}
        assert set(watch.inaccessible_accounts) == {"one"}
        aws.closed.clear()
        await until(lambda: accounts(watch) == {OWN, ONE})


async def test_patterns_that_match_nothing_are_logged_once(
    aws: FakeOrganization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running(watcher_of(aws, exclude=["sandbox-*"])):
        await next_lists(aws)
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("exclude[0] of organization matches no account: 'sandbox-*'.") == 1


# Once


async def test_a_single_scan_lists_the_accounts_and_reads_them(aws: FakeOrganization) -> None:
    watch = watcher_of(aws)
    await watch.run_once(lambda done, steps: None)
    await watch.close()
    assert accounts(watch) == {OWN, ONE}
    assert aws.lists == 1


async def test_a_single_scan_says_why_the_accounts_are_not_known(aws: FakeOrganization) -> None:
    aws.failure = "AccessDeniedException"
    watch = watcher_of(aws)
    await watch.run_once(lambda done, steps: None)
    await watch.close()
    assert accounts(watch) == set()
    assert len(watch.sentences()) == 1


async def test_five_hundred_accounts_come_and_go(aws: FakeOrganization) -> None:
    watch, listed = watcher_of(aws), [ListedAccount(f"{number:012}", f"a {number}") for number in range(500)]

    async def list_accounts(_: Organization) -> OrganizationListing:
        return OrganizationListing(OWN, "aws", (), tuple(listed))

    (entry,) = watch.config.monitored_organizations(REGISTRY)
    organization = OrganizationWatcher(entry, list_accounts, watch.members, KnownAccounts(), FAST)
    await organization.read()
    assert set(organization.members) == set(account_names(watch)) == {one.id for one in listed}
    del listed[250:]
    await organization.read()
    await organization.read()
    assert len(organization.members) == len(watch.accounts) == len(watch.members.departed) == 250
    await watch.close()


async def test_accounts_beyond_the_bound_are_reported_and_those_that_are_watched_stay(
    aws: FakeOrganization,
) -> None:
    watch = watcher_of(aws, max_accounts=2)
    (organization,) = watch.members.organizations
    await organization.read()
    aws.accounts = [account_item("000000000001", "new"), *aws.accounts]
    await organization.read()
    assert set(organization.members) == {OWN, ONE}
    (failure,) = organization.status().listing.failures
    assert (failure.code, failure.message) == (
        "TooManyAccounts",
        "3 accounts are to be watched, and max_accounts is 2",
    )
    await watch.close()
