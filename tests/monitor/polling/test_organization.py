"""A watcher of an organization whose accounts are added, renamed, suspended and closed."""

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
from tests.fake_organization import OWN_ACCOUNT, FakeOrganization, account_item
from tests.global_services import global_registry
from tests.telemetries import Telemetries

ONE, TWO, THREE = ("111111111111", "222222222222", "333333333333")
REGISTRY = global_registry()
FAST_TIMINGS = PollingTimings(
    open_retry_interval=0.05,
    organization_interval=0.05,
    min_listing_interval=0.01,
    confirmation_delay=0.05,
    first_polls_interval=0.05,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, which belong to OWN_ACCOUNT."""
    set_aws_environment(monkeypatch, CREDENTIALS)


@pytest.fixture
async def aws() -> AsyncIterator[FakeOrganization]:
    async with FakeOrganization.serving(
        account_item(OWN_ACCOUNT, "home"), account_item(ONE, "one")
    ) as organization:
        yield organization


def watcher_of(
    aws: FakeOrganization,
    known_accounts: KnownAccounts | None = None,
    timings: PollingTimings = FAST_TIMINGS,
    accounts: list[dict[str, Any]] | None = None,
    **organization: Any,
) -> Watcher:
    """Return a watcher of an organization. accounts: more entries. organization: fields of its entry."""
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
        known_accounts=known_accounts or KnownAccounts(),
    )


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(watcher: Watcher) -> AsyncIterator[Watcher]:
    """Run a watcher in the background; yield it once its first reads have ended."""
    async with background(watcher.run()):
        async with asyncio.timeout(30):
            await watcher.complete.wait()
        yield watcher


def accounts_with_series(watcher: Watcher) -> set[str]:
    """Return the ids of the accounts with series."""
    return {key.account for key in watcher.fleet.series}


def account_names(watcher: Watcher) -> dict[str, str]:
    """Return the name of each account, by id."""
    return {status.account: status.name for status in watcher.accounts.values()}


def organization_status(watcher: Watcher) -> OrganizationStatus:
    """Return the status of the only organization."""
    (status,) = watcher.members.statuses()
    return status


async def wait_for_lists(aws: FakeOrganization, number: int = 2) -> None:
    """Wait until this number of further lists were requested. The last one may not have been applied yet."""
    lists_before = aws.list_count
    await until(lambda: aws.list_count >= lists_before + number)


# Which accounts are watched


async def test_all_active_accounts_are_watched_and_the_callers_own_account_without_a_role(
    aws: FakeOrganization,
) -> None:
    aws.accounts.append(account_item(TWO, "two", "SUSPENDED"))
    async with running(watcher_of(aws, role_name="team/monitor")) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
        assert account_names(watcher) == {OWN_ACCOUNT: "home", ONE: "one"}
        assert {cell.name for cell in watcher.cell_statuses()} == {"home", "one"}
        assert organization_status(watcher).accounts == 2
        assert watcher.pending() == []
    assert set(aws.roles) == {(f"arn:aws:iam::{ONE}:role/team/monitor", "testing")}


async def test_the_callers_own_account_may_be_excluded(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws, exclude=["home"])) as watcher:
        assert accounts_with_series(watcher) == {ONE}


async def test_an_account_with_a_configuration_entry_has_the_settings_of_the_entry(
    aws: FakeOrganization,
) -> None:
    role = f"arn:aws:iam::{ONE}:role/other"
    entry = {"name": "configured", "role_arn": role, "regions": ["us-east-1"]}
    async with running(watcher_of(aws, accounts=[entry, {"name": "own"}])) as watcher:
        assert account_names(watcher) == {OWN_ACCOUNT: "own", ONE: "configured"}
        assert set(watcher.cells) == {(OWN_ACCOUNT, "eu-west-1"), (ONE, "us-east-1")}
    assert {arn for arn, _ in aws.roles} == {role}


async def test_an_account_of_two_organizations_is_watched_once(aws: FakeOrganization) -> None:
    second = {"organization": True, "name": "second"}
    async with running(watcher_of(aws, accounts=[second])) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
        assert sum(status.accounts for status in watcher.members.statuses()) == 2


async def test_top_level_exclusions_apply_to_accounts_of_organizations(aws: FakeOrganization) -> None:
    watcher = watcher_of(aws)
    watcher.config = watcher.config.model_validate(
        {**watcher.config.model_dump(exclude_unset=True), "exclude": [{"account": "one"}]}
    )
    async with running(watcher):
        assert account_names(watcher).keys() == accounts_with_series(watcher) == {OWN_ACCOUNT}


async def test_names_that_are_not_unique_are_followed_by_the_id(aws: FakeOrganization) -> None:
    aws.accounts += [account_item(TWO, "one"), account_item(THREE, " ")]
    async with running(watcher_of(aws)) as watcher:
        assert account_names(watcher) == {
            OWN_ACCOUNT: "home",
            ONE: f"one ({ONE})",
            TWO: f"one ({TWO})",
            THREE: THREE,
        }
        aws.change(TWO, Name="other")
        await until(lambda: account_names(watcher)[TWO] == "other")
        assert account_names(watcher)[ONE] == "one"
        assert watcher.cells[ONE, "eu-west-1"].status().name == "one"


async def test_two_accounts_that_exchange_their_names_keep_their_own_state(aws: FakeOrganization) -> None:
    aws.closed_accounts = {ONE}
    async with running(watcher_of(aws)) as watcher:
        assert set(watcher.inaccessible_accounts) == {"one"}
        aws.change(ONE, Name="home")
        aws.change(OWN_ACCOUNT, Name="one")
        await until(lambda: account_names(watcher) == {OWN_ACCOUNT: "one", ONE: "home"})
        assert set(watcher.inaccessible_accounts) == {"home"}
        aws.closed_accounts.clear()
        await until(
            lambda: not watcher.inaccessible_accounts and accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
        )


@pytest.mark.parametrize("name", [f"one ({TWO})", TWO, "organization", "default", "a'b\"<b>&;%s{}", "日本"])
async def test_all_names_differ_though_one_looks_like_the_name_of_another_account(
    aws: FakeOrganization, name: str
) -> None:
    aws.change(ONE, Name=name)
    aws.accounts += [account_item(TWO, " "), account_item(THREE, "one")]
    async with running(watcher_of(aws)) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE, TWO, THREE}
        assert len({*account_names(watcher).values()}) == 4


# Accounts that change


async def test_an_account_is_added_suspended_and_activated_again(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws)) as watcher:
        aws.accounts.append(account_item(TWO, "two"))
        await until(lambda: TWO in accounts_with_series(watcher))
        aws.change(TWO, State="SUSPENDED")
        await until(lambda: TWO not in accounts_with_series(watcher))
        assert watcher.members.departed == {TWO: "was suspended or closed"}
        assert (TWO, "eu-west-1") not in watcher.cells
        assert TWO not in account_names(watcher)
        aws.change(TWO, State="ACTIVE")
        await until(lambda: TWO in accounts_with_series(watcher))
        assert watcher.members.departed == {}


async def test_a_closed_account_has_neither_series_nor_calls_nor_exported_times_any_more(
    aws: FakeOrganization,
) -> None:
    async with running(watcher_of(aws)) as watcher:
        assert exported_accounts(watcher) == {OWN_ACCOUNT, ONE}
        aws.change(ONE, State="CLOSED")
        aws.closed_accounts = {ONE}
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT})
        assert exported_accounts(watcher) == {OWN_ACCOUNT}
        assert set(watcher.inaccessible_accounts) == set()
        aws.read_accounts.clear()
        await wait_for_lists(aws)
        assert ONE not in aws.read_accounts
        assert ONE not in {account for account, _ in watcher.discovered()}


def exported_accounts(watcher: Watcher) -> set[str]:
    """Return the accounts for which poll and inventory times are exported."""
    samples = [
        sample
        for family in (watcher.aws_telemetry.poll_time, watcher.aws_telemetry.inventory_time)
        for metric in family.collect()
        for sample in metric.samples
    ]
    return {sample.labels["aws_account"] for sample in samples}


async def test_an_account_is_removed_only_after_two_lists_without_it(aws: FakeOrganization) -> None:
    """A single list of AWS may be incomplete."""
    timings = PollingTimings(open_retry_interval=0.05, organization_interval=3600, confirmation_delay=3600)
    watcher = watcher_of(aws, timings=timings)
    (organization,) = watcher.members.organizations
    await organization.read()
    removed_item = aws.accounts.pop()
    await organization.read()
    assert set(organization.members) == {OWN_ACCOUNT, ONE}
    aws.accounts.append(removed_item)
    await organization.read()
    aws.accounts.pop()
    await organization.read()
    assert set(organization.members) == {OWN_ACCOUNT, ONE}
    await organization.read()
    assert set(organization.members) == {OWN_ACCOUNT}
    assert watcher.members.departed == {ONE: "is not in the organization any more"}
    await watcher.close()


async def test_an_account_that_leaves_the_organization_is_no_longer_watched(aws: FakeOrganization) -> None:
    async with running(watcher_of(aws)) as watcher:
        aws.accounts.pop()
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT})
        assert watcher.members.departed == {ONE: "is not in the organization any more"}


async def test_an_account_that_is_renamed_to_an_excluded_name_is_no_longer_watched(
    aws: FakeOrganization,
) -> None:
    async with running(watcher_of(aws, exclude=["sandbox-*"])) as watcher:
        aws.change(ONE, Name="sandbox-1")
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT})
        assert watcher.members.departed == {ONE: "is excluded"}


async def test_after_a_denial_the_accounts_are_listed_at_once(aws: FakeOrganization) -> None:
    """So Headroom learns that an account was closed before its denials raise an alert."""
    timings = PollingTimings(open_retry_interval=0.05, min_listing_interval=0.01, first_polls_interval=0.05)
    watcher = watcher_of(aws, timings=timings)
    async with running(watcher):
        aws.change(ONE, State="PENDING_CLOSURE")
        aws.closed_accounts = {ONE}
        await watcher.cells[ONE, "eu-west-1"].run_inventory()
        await until(lambda: ONE in watcher.members.departed)
        assert watcher.members.departed[ONE] == "is being closed"


# Lists that fail, and the file of known accounts


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "AWSOrganizationsNotInUseException", "TooManyRequestsException"]
)
async def test_after_a_failed_list_the_known_accounts_stay_watched(aws: FakeOrganization, code: str) -> None:
    async with running(watcher_of(aws)) as watcher:
        aws.failure = code
        await until(lambda: organization_status(watcher).listing.failures)
        (failure,) = organization_status(watcher).listing.failures
        assert (failure.operation, failure.code) == ("ListAccounts", code)
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
        assert watcher.inaccessible_accounts == {}
        aws.accounts.append(account_item(TWO, "two"))
        aws.failure = ""
        await until(lambda: TWO in accounts_with_series(watcher))
        assert organization_status(watcher).listing.failures == ()


async def test_if_the_first_list_fails_no_account_is_watched_until_a_list_succeeds(
    aws: FakeOrganization,
) -> None:
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws)) as watcher:
        assert (watcher.cells, organization_status(watcher).is_known) == ({}, False)
        (sentence,) = watcher.sentences()
        assert sentence.startswith(
            f"organization: ListAccounts: AccessDeniedException of ListAccounts in {OWN_ACCOUNT}"
        )
        assert "Allow `organizations:ListAccounts`" in sentence
        aws.failure = ""
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT, ONE})
        assert watcher.sentences() == []


async def test_if_the_first_list_fails_the_accounts_in_the_file_are_watched(
    aws: FakeOrganization, tmp_path: Path
) -> None:
    file = known_accounts_path(tmp_path / "headroom.db")
    async with running(watcher_of(aws, KnownAccounts.read(file))):
        pass
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws, KnownAccounts.read(file))) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
        assert organization_status(watcher).is_known
        await until(lambda: organization_status(watcher).listing.failures)
    assert file.stat().st_mode & 0o077 == 0
    assert "example.org" not in file.read_text()  # the file contains no addresses of owners


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"organization": 1}', b"\xff", b'{"organization": {"own_account": "x"}}', None],
    ids=["empty", "cut", "array", "number", "not UTF-8", "fields missing", "no file"],
)
async def test_a_missing_or_invalid_file_of_known_accounts_is_replaced(
    aws: FakeOrganization, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "accounts.json"
    if content is not None:
        file.write_bytes(content)
    async with running(watcher_of(aws, KnownAccounts.read(file))) as watcher:
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT, ONE})
    written_accounts = json.loads(file.read_text())["organization"]["accounts"]
    assert [account["id"] for account in written_accounts] == [OWN_ACCOUNT, ONE]


async def test_accounts_are_watched_though_the_file_of_known_accounts_cannot_be_written(
    aws: FakeOrganization, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known_accounts = KnownAccounts.read(tmp_path / "absent" / "accounts.json")
    async with running(watcher_of(aws, known_accounts)) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
    assert "cannot be written" in caplog.text


async def test_known_accounts_of_other_organizational_units_are_not_watched(aws: FakeOrganization) -> None:
    known_accounts = KnownAccounts()
    async with running(watcher_of(aws, known_accounts)):
        pass
    aws.failure = "AccessDeniedException"
    async with running(watcher_of(aws, known_accounts, organizational_units=["ou-ab12-34cd56ef"])) as watcher:
        assert watcher.cells == {}


async def test_an_account_whose_role_cannot_be_assumed_affects_only_itself(aws: FakeOrganization) -> None:
    aws.closed_accounts = {ONE}
    async with running(watcher_of(aws)) as watcher:
        assert accounts_with_series(watcher) == {OWN_ACCOUNT}
        assert set(watcher.inaccessible_accounts) == {"one"}
        aws.closed_accounts.clear()
        await until(lambda: accounts_with_series(watcher) == {OWN_ACCOUNT, ONE})


async def test_patterns_that_match_nothing_are_logged_once(
    aws: FakeOrganization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running(watcher_of(aws, exclude=["sandbox-*"])):
        await wait_for_lists(aws)
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("exclude[0] of organization matches no account: 'sandbox-*'.") == 1


# Single scans, and the maximum number of accounts


async def test_a_single_scan_lists_the_accounts_and_reads_them(aws: FakeOrganization) -> None:
    watcher = watcher_of(aws)
    await watcher.run_once(lambda done, steps: None)
    await watcher.close()
    assert accounts_with_series(watcher) == {OWN_ACCOUNT, ONE}
    assert aws.list_count == 1


async def test_a_single_scan_reports_why_the_accounts_could_not_be_listed(aws: FakeOrganization) -> None:
    aws.failure = "AccessDeniedException"
    watcher = watcher_of(aws)
    await watcher.run_once(lambda done, steps: None)
    await watcher.close()
    assert accounts_with_series(watcher) == set()
    assert len(watcher.sentences()) == 1


async def test_five_hundred_accounts_are_added_and_half_of_them_removed(aws: FakeOrganization) -> None:
    watcher = watcher_of(aws)
    listed_accounts = [ListedAccount(f"{number:012}", f"a {number}") for number in range(500)]

    async def list_accounts(_: Organization) -> OrganizationListing:
        return OrganizationListing(OWN_ACCOUNT, "aws", (), tuple(listed_accounts))

    (entry,) = watcher.config.monitored_organizations(REGISTRY)
    organization = OrganizationWatcher(entry, list_accounts, watcher.members, KnownAccounts(), FAST_TIMINGS)
    await organization.read()
    assert (
        set(organization.members)
        == set(account_names(watcher))
        == {account.id for account in listed_accounts}
    )
    del listed_accounts[250:]
    await organization.read()
    await organization.read()
    assert len(organization.members) == len(watcher.accounts) == len(watcher.members.departed) == 250
    await watcher.close()


async def test_accounts_beyond_the_maximum_are_reported_and_watched_accounts_stay(
    aws: FakeOrganization,
) -> None:
    watcher = watcher_of(aws, max_accounts=2)
    (organization,) = watcher.members.organizations
    await organization.read()
    aws.accounts = [account_item("000000000001", "new"), *aws.accounts]
    await organization.read()
    assert set(organization.members) == {OWN_ACCOUNT, ONE}
    (failure,) = organization.status().listing.failures
    assert (failure.code, failure.message) == (
        "TooManyAccounts",
        "3 accounts are to be watched, and max_accounts is 2",
    )
    await watcher.close()
