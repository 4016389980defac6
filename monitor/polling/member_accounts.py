"""The accounts of organizations, which are watched beside the accounts in the configuration."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from collectors.registry import Registry
from monitor.aws.account import Account, MemberAccount, account_name
from monitor.aws.cell_factory import SharedAws
from monitor.aws.failure import Failure
from monitor.aws.known_accounts import KnownAccounts
from monitor.aws.organization import Organization
from monitor.aws.organization_listing import OrganizationListing, list_organization
from monitor.aws.status import AccountStatus, OrganizationStatus, describe_unlisted
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.config.exclude import remove_excluded
from monitor.fleet.key import CellKey, Key
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.organization_watcher import OrganizationWatcher
from monitor.polling.timings import PollingTimings

Value = TypeVar("Value")


class OpenedAccounts(Protocol):
    """The watcher that opens accounts. Its mappings are by account name, except `cells`: see `Watcher`."""

    config: Config
    registry: Registry
    aws_telemetry: AwsTelemetry
    shared_aws: SharedAws
    known_accounts: KnownAccounts
    timings: PollingTimings
    cells: dict[CellKey, CellWatcher]
    accounts: dict[str, AccountStatus]
    inaccessible_accounts: dict[str, Failure]
    open_attempted: dict[str, asyncio.Event]

    def register(self, account: Account) -> None:
        """Add an account to the accounts to open."""

    async def run_account(self, account: Account) -> None:
        """Watch an account until cancelled."""

    async def drop(self, is_dropped: Callable[[Key], bool]) -> None:
        """Drop the series whose keys meet a condition."""


class MemberAccounts:
    """The organizations of a configuration, and their watched accounts.

    departed: by account id, why the account is no longer watched; the text follows the account's name.
    """

    def __init__(self, watcher: OpenedAccounts) -> None:
        self._watcher = watcher
        self.departed: dict[str, str] = {}
        self._accounts: dict[str, MemberAccount] = {}  # by id, without their excluded regions and services
        self._tasks: asyncio.TaskGroup | None = None
        self._account_tasks: dict[str, asyncio.Task[None]] = {}
        self.organizations = [
            OrganizationWatcher(organization, self._list, self, watcher.known_accounts, watcher.timings)
            for organization in watcher.config.monitored_organizations(watcher.registry)
        ]

    async def _list(self, organization: Organization) -> OrganizationListing:
        watcher = self._watcher
        url, tags = watcher.config.endpoint_url, watcher.known_accounts.tags_of(organization)
        return await list_organization(organization, url, watcher.aws_telemetry, watcher.shared_aws, tags)

    @property
    def accounts(self) -> Sequence[MemberAccount]:
        """The watched accounts."""
        return [*self._accounts.values()]

    @property
    def are_known(self) -> bool:
        """True if the accounts of all organizations are known."""
        return all(organization.is_known for organization in self.organizations)

    def with_present_name(self, account: Account) -> Account:
        """Return the watched account with the same id, under its present name; or else the account itself."""
        return self._accounts.get(account.id or "", account)

    def start(self, tasks: asyncio.TaskGroup, telemetry: ProcessTelemetry) -> None:
        """Run the loops of the organizations, and of their accounts as soon as they are found."""
        self._tasks = tasks
        for organization in self.organizations:
            tasks.create_task(organization.run(telemetry))

    async def read(self) -> None:
        """List the accounts of all organizations once."""
        await asyncio.gather(*(organization.read() for organization in self.organizations))

    async def wait_until_attempted(self) -> None:
        """Wait until the accounts of all organizations were listed, or could not be listed."""
        for organization in self.organizations:
            await organization.attempted.wait()

    def request_listings(self) -> None:
        """List the accounts of all organizations soon, as an account now denies calls that it allowed."""
        for organization in self.organizations:
            organization.request_list()

    def statuses(self) -> list[OrganizationStatus]:
        """Return copies of the present statuses of all organizations."""
        return [organization.status() for organization in self.organizations]

    def pending(self) -> list[str]:
        """Return a text for each organization whose accounts were not listed yet."""
        unlisted = (item for item in self.organizations if not item.attempted.is_set())
        return [f"accounts of the {organization.title}" for organization in unlisted]

    def list_failures(self) -> list[str]:
        """Return a sentence for each failure to list accounts."""
        statuses = self.statuses()
        failures = ((status.title, failure) for status in statuses for failure in status.listing.failures)
        return [describe_unlisted(title, failure) for title, failure in failures]

    # The methods of `WatchedAccounts`, which the organization watchers call

    def is_already_watched(self, account: MemberAccount) -> bool:
        """Return whether a configuration entry or an organization watches the account already."""
        entries = [entry for entry in self._watcher.config.accounts if isinstance(entry, Account)]
        is_member = any(account.id in organization.members for organization in self.organizations)
        profiles = {entry.profile for entry in entries if not entry.role_arn}
        is_same_profile = account.role_arn is None and account.profile in profiles
        return is_member or is_same_profile or any(entry.id == account.id for entry in entries)

    def configured_names(self) -> Sequence[str]:
        """Return the names of the accounts in the configuration."""
        accounts = self._watcher.config.monitored_accounts(self._watcher.registry)
        return [account_name(account) for account in accounts]

    def add(self, account: MemberAccount) -> None:
        """Watch an account of an organization, unless the whole account is excluded."""
        watcher = self._watcher
        self.departed.pop(account.id, None)
        if included := remove_excluded(watcher.config.exclude, account, watcher.registry):
            self._accounts[account.id] = included
            watcher.register(included)
            if self._tasks:
                self._account_tasks[account.id] = self._tasks.create_task(watcher.run_account(included))

    def rename(self, accounts: Sequence[MemberAccount]) -> None:
        """Change the names of accounts of an organization. accounts: under their new names."""
        watcher = self._watcher
        names = {account.id: account_name(account) for account in accounts if account.id in self._accounts}
        new_names = {account_name(self._accounts[account_id]): name for account_id, name in names.items()}
        _rename_keys(watcher.open_attempted, new_names)
        _rename_keys(watcher.accounts, new_names)
        _rename_keys(watcher.inaccessible_accounts, new_names)
        for account_id, name in names.items():
            self._accounts[account_id] = self._accounts[account_id].model_copy(update={"name": name})
            watcher.accounts[name] = replace(watcher.accounts[name], name=name)
            for cell_watcher in self._cell_watchers_of(account_id):
                cell_watcher.inventory.account_name = name

    async def remove(self, account_id: str, reason: str) -> None:
        """Stop watching an account of an organization, and drop its series."""
        self.departed[account_id] = reason
        if account := self._accounts.pop(account_id, None):
            await self._stop(account_id)
            name = account_name(account)
            self._watcher.open_attempted.pop(name).set()
            self._watcher.accounts.pop(name, None)
            self._watcher.inaccessible_accounts.pop(name, None)
            await self._watcher.drop(lambda key: key.account == account_id)

    async def _stop(self, account_id: str) -> None:
        """Stop the loops of an account, forget its cells, and end all waits for their first polls."""
        watcher = self._watcher
        if task := self._account_tasks.pop(account_id, None):
            task.cancel()
            await asyncio.wait({task}, timeout=watcher.timings.stop_timeout)
        for cell_watcher in self._cell_watchers_of(account_id):
            cell = cell_watcher.cell
            del watcher.cells[cell.key]
            cell_watcher.polled_once.set()
            watcher.aws_telemetry.forget(*cell.key, cell_watcher.services)
            watcher.shared_aws.limiters.pop((account_id, cell.region), None)
        watcher.shared_aws.account_limiters.pop(account_id, None)
        watcher.shared_aws.account_states.pop(account_id, None)

    def _cell_watchers_of(self, account_id: str) -> list[CellWatcher]:
        return [
            cell_watcher
            for (account, _), cell_watcher in self._watcher.cells.items()
            if account == account_id
        ]


def _rename_keys(value_by_name: dict[str, Value], new_names: Mapping[str, str]) -> None:
    """Rename all keys at once, as a new name may be the former name of another key."""
    value_by_new_name = {new_names.get(name, name): value for name, value in value_by_name.items()}
    value_by_name.clear()
    value_by_name.update(value_by_new_name)
