"""Lists the accounts of an organization.

AWS documents the states of accounts:
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from collectors.base import ServiceScope
from monitor.aws.account import Account
from monitor.aws.account_tags import AccountTags
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import SharedAws, open_cells
from monitor.aws.organization import Organization
from monitor.aws.telemetry import AwsTelemetry
from monitor.lib.errors import HeadroomError
from monitor.lib.partitions import partition_of
from monitor.lib.text import short_line

MAX_ACCOUNTS = 50_000  # accounts; AWS grants up to 10,000
MAX_UNITS = 5_000  # organizational units that one listing visits
MAX_NAME_LENGTH = 128  # characters, as in the model of Organizations
# The states in which an account cannot be read, each with the end of a sentence about such an account.
# Accounts in any other state are watched, even in a state that AWS adds later: the first read shows whether
# they can be read.
INACTIVE_STATES: Mapping[str, str] = {
    "PENDING_ACTIVATION": "is not activated yet",
    "SUSPENDED": "was suspended or closed",
    "PENDING_CLOSURE": "is being closed",
    "CLOSED": "was closed",
}


class TooManyAccountsError(HeadroomError):
    """A list of accounts or units does not end within the bounds."""


class EmptyOrganizationError(HeadroomError):
    """AWS listed no account at all, though an organization has its management account at least."""


class ListedAccount(msgspec.Struct, frozen=True):
    """An account of an organization.

    name: on one line. state: AWS's word for the state; empty if AWS returns none. tags: None if they were not
    read. Tags are read only if the configuration selects accounts by tags, and only of accounts that its
    other settings select.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]
    name: str
    state: str = ""
    tags: dict[str, str] | None = None

    @property
    def inactive_reason(self) -> str:
        """The reason why the account cannot be read, as the end of a sentence; empty if it can be read."""
        return INACTIVE_STATES.get(self.state, "")


class OrganizationListing(msgspec.Struct, frozen=True):
    """The accounts of an organization, or of some of its units, sorted by id.

    own_account: the account of Headroom's own credentials, which may belong to another organization.
    partition: as in ARNs. units: the units that were listed; empty for the whole organization.
    """

    own_account: str
    partition: Annotated[str, msgspec.Meta(pattern=r"^aws[a-z-]{0,20}\Z")]
    units: tuple[str, ...]
    accounts: tuple[ListedAccount, ...]

    @property
    def active(self) -> list[ListedAccount]:
        """The accounts that can be read."""
        return [account for account in self.accounts if not account.inactive_reason]

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of each account whose tags were read."""
        return [account.tags for account in self.accounts if account.tags is not None]


async def list_organization(
    organization: Organization,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    shared: SharedAws,
    tags: AccountTags,
) -> OrganizationListing:
    """List the accounts of an organization, with the credentials that its settings name.

    tags: reads and caches the tags of accounts; used only if the organization's settings name tags.
    Raises one of AWS_ERRORS, TooManyAccountsError, EmptyOrganizationError.
    """

    async def cell_of(account: Account) -> Cell:
        (cell,) = await open_cells(account, endpoint_url, telemetry, shared, {ServiceScope.GLOBAL})
        return cell

    own_cell = await cell_of(
        Account.model_construct(regions=organization.regions, profile=organization.profile)
    )
    listing_cell = await cell_of(organization.lister) if organization.management_role else own_cell
    units = organization.organizational_units
    accounts = await (
        accounts_of_units(listing_cell, units) if units else accounts_of_organization(listing_cell)
    )
    listed = tuple(accounts[account_id] for account_id in sorted(accounts))
    if organization.tags:
        listed = await _with_tags(organization, listed, listing_cell, tags)
    return OrganizationListing(own_cell.account, partition_of(listing_cell.region).name, units, listed)


async def _with_tags(
    organization: Organization, accounts: Iterable[ListedAccount], cell: Cell, account_tags: AccountTags
) -> tuple[ListedAccount, ...]:
    """Return all of the accounts; active accounts that `include` and `exclude` select have their tags."""
    ids = [
        account.id
        for account in accounts
        if not account.inactive_reason and organization.includes(account.id, account.name)
    ]
    tags_by_id = await account_tags.read(cell, ids)
    return tuple(msgspec.structs.replace(account, tags=tags_by_id.get(account.id)) for account in accounts)


async def accounts_of_organization(cell: Cell, max_accounts: int = MAX_ACCOUNTS) -> dict[str, ListedAccount]:
    """Return all accounts by id. Raises one of AWS_ERRORS, TooManyAccountsError, EmptyOrganizationError."""
    accounts = await _accounts(cell, "ListAccounts", max_accounts)
    if not accounts:
        raise EmptyOrganizationError("AWS listed no account, not even the management account")
    return accounts


async def accounts_of_units(
    cell: Cell, units: Sequence[str], max_units: int = MAX_UNITS
) -> dict[str, ListedAccount]:
    """Return the accounts in these units and in all units below them, by id.

    Raises one of AWS_ERRORS and TooManyAccountsError.
    """
    accounts, unvisited, visited = dict[str, ListedAccount](), list(units), set[str]()
    while unvisited:
        unit = unvisited.pop()
        if unit in visited:
            continue
        visited.add(unit)
        if len(visited) > max_units:
            raise TooManyAccountsError(f"expected at most {max_units:,} organizational units, found more")
        accounts |= await _accounts(cell, "ListAccountsForParent", ParentId=unit)
        children = cell.list_items(
            "organizations", "ListOrganizationalUnitsForParent", "OrganizationalUnits", ParentId=unit
        )
        unvisited += [str(child["Id"]) async for child in children if _has_id(child)]
    return accounts


async def _accounts(
    cell: Cell, operation: str, max_accounts: int = MAX_ACCOUNTS, **params: Any
) -> dict[str, ListedAccount]:
    """Return the accounts of all pages, by id. Items without an account id are skipped."""
    accounts = dict[str, ListedAccount]()
    async for item in cell.list_items("organizations", operation, "Accounts", **params):
        if _has_id(item) and re.fullmatch("[0-9]{12}", str(item["Id"]), re.A):
            accounts[item["Id"]] = _account_from(item)
        if len(accounts) > max_accounts:
            raise TooManyAccountsError(f"expected at most {max_accounts:,} accounts, found more")
    return accounts


def _has_id(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("Id"), str)


def _account_from(item: Mapping[str, Any]) -> ListedAccount:
    """Return the account of an item. `State`, by which AWS replaces `Status`, is more precise."""
    name = short_line(str(item.get("Name") or ""), MAX_NAME_LENGTH)
    return ListedAccount(item["Id"], name, str(item.get("State") or item.get("Status") or ""))
