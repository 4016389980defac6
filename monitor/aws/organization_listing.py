"""Lists the accounts of an organization.

States, and what they mean:
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
from monitor.aws.cell_factory import AwsEnvironment, open_cells
from monitor.aws.organization import Organization
from monitor.aws.telemetry import AwsTelemetry
from monitor.lib.errors import HeadroomError
from monitor.lib.partitions import partition_of
from monitor.lib.text import short_line

MAX_LISTED = 50_000  # accounts; AWS grants up to 10,000
MAX_UNITS = 5_000  # organizational units that are visited
MAX_NAME_LENGTH = 128  # characters, as in the model of Organizations
# States in which nothing can be read, each with the end of a sentence about the account. Accounts in other
# states, and in those that AWS may add, are watched: the first read shows whether they can be.
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

    name: on one line. state: as AWS names it; empty when it does not. tags: read only where they decide which
    accounts are watched, and of accounts that may be; None where they were not.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]
    name: str
    state: str = ""
    tags: dict[str, str] | None = None

    @property
    def inactive_reason(self) -> str:
        """The reason why nothing can be read, as the end of a sentence; empty for an active account."""
        return INACTIVE_STATES.get(self.state, "")


class OrganizationListing(msgspec.Struct, frozen=True):
    """The accounts of an organization, or those of some of its units, sorted by id.

    own_account: that of Headroom's own credentials, which may be of another organization. partition: as in
    ARNs. units: the units that were listed; empty for the whole organization.
    """

    own_account: str
    partition: Annotated[str, msgspec.Meta(pattern=r"^aws[a-z-]{0,20}\Z")]
    units: tuple[str, ...]
    accounts: tuple[ListedAccount, ...]

    @property
    def active(self) -> list[ListedAccount]:
        """The accounts that can be read."""
        return [one for one in self.accounts if not one.inactive_reason]

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of the accounts of which they were read."""
        return [one.tags for one in self.accounts if one.tags is not None]


async def list_organization(
    organization: Organization,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    environment: AwsEnvironment,
    tags: AccountTags,
) -> OrganizationListing:
    """List the accounts of an organization, with the credentials that its settings name.

    tags: those of its accounts that were read already, for an organization whose settings name tags.
    Raises one of AWS_ERRORS, TooManyAccountsError, EmptyOrganizationError.
    """

    async def cell_of(account: Account) -> Cell:
        (cell,) = await open_cells(account, endpoint_url, telemetry, environment, {ServiceScope.GLOBAL})
        return cell

    own = await cell_of(Account.model_construct(regions=organization.regions, profile=organization.profile))
    lister = await cell_of(organization.lister) if organization.management_role else own
    units = organization.organizational_units
    accounts = await (accounts_of_units(lister, units) if units else accounts_of_organization(lister))
    listed = tuple(accounts[one] for one in sorted(accounts))
    if organization.tags:
        listed = await _with_tags(organization, listed, lister, tags)
    return OrganizationListing(own.account, partition_of(lister.region).name, units, listed)


async def _with_tags(
    organization: Organization, accounts: Iterable[ListedAccount], cell: Cell, tags: AccountTags
) -> tuple[ListedAccount, ...]:
    """Return accounts, those that may be watched with their tags."""
    wanted = [one for one in accounts if not one.inactive_reason and organization.includes(one.id, one.name)]
    found = await tags.read(cell, [one.id for one in wanted])
    return tuple(msgspec.structs.replace(one, tags=found.get(one.id)) for one in accounts)


async def accounts_of_organization(cell: Cell, max_accounts: int = MAX_LISTED) -> dict[str, ListedAccount]:
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
    accounts, waiting, visited = dict[str, ListedAccount](), list(units), set[str]()
    while waiting:
        unit = waiting.pop()
        if unit in visited:
            continue
        visited.add(unit)
        if len(visited) > max_units:
            raise TooManyAccountsError(f"expected at most {max_units:,} organizational units, found more")
        accounts |= await _accounts(cell, "ListAccountsForParent", ParentId=unit)
        children = cell.list_items(
            "organizations", "ListOrganizationalUnitsForParent", "OrganizationalUnits", ParentId=unit
        )
        waiting += [str(child["Id"]) async for child in children if _has_id(child)]
    return accounts


async def _accounts(
    cell: Cell, operation: str, max_accounts: int = MAX_LISTED, **params: Any
) -> dict[str, ListedAccount]:
    """Return the accounts of all pages, by id; what has no id of an account is left out."""
    accounts = dict[str, ListedAccount]()
    async for item in cell.list_items("organizations", operation, "Accounts", **params):
        if _has_id(item) and re.fullmatch("[0-9]{12}", str(item["Id"]), re.A):
            accounts[item["Id"]] = _listed(item)
        if len(accounts) > max_accounts:
            raise TooManyAccountsError(f"expected at most {max_accounts:,} accounts, found more")
    return accounts


def _has_id(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("Id"), str)


def _listed(item: Mapping[str, Any]) -> ListedAccount:
    """Return an account. AWS replaces its `Status` by `State`, which says more while both are there."""
    name = short_line(str(item.get("Name") or ""), MAX_NAME_LENGTH)
    return ListedAccount(item["Id"], name, str(item.get("State") or item.get("Status") or ""))
