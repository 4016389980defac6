"""Permissions to list an organization and to assume roles, beside the permissions to read an account."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from monitor.aws.account import Account
from monitor.aws.organization import AnyEntry, Organization
from monitor.lib.partitions import COMMERCIAL, partition_of, partition_of_arn
from monitor.schema.types import ALL_REGIONS

LISTING_ACTIONS = ("organizations:ListAccounts",)
UNIT_LISTING_ACTIONS = (
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
)
TAGS_ACTION = "organizations:ListTagsForResource"
ASSUME_ACTION = "sts:AssumeRole"

# The principal that a policy is attached to. caller: the owner of Headroom's own credentials. account: the
# role in each account. via: the roles of `via`, each of which assumes the next role. management:
# `management_role`.
PolicyPrincipal = Literal["caller", "account", "via", "management"]


def access_statements(entries: Sequence[AnyEntry], principal: PolicyPrincipal) -> list[dict[str, Any]]:
    """Return the statements that let a principal list organizations and assume roles."""
    role_arns = {*_assumed_by(entries, principal)}
    listing_actions = {action for entry in entries for action in _listing_actions(entry, principal)}
    statements = []
    if listing_actions:
        statements.append(_statement("HeadroomOrganization", listing_actions, ["*"]))
    if role_arns:
        statements.append(_statement("HeadroomRoles", [ASSUME_ACTION], role_arns))
    return statements


def _statement(name: str, actions: Iterable[str], resources: Iterable[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}


def _assumed_by(entries: Iterable[AnyEntry], principal: PolicyPrincipal) -> Iterator[str]:
    """Yield the ARNs of the roles that a principal assumes; one pattern for an organization's accounts."""
    for chain in (chain for entry in entries for chain in _chains(entry)):
        if principal == "caller":
            yield from chain[:1]
        elif principal == "via":
            yield from chain[1:]


def _chains(entry: AnyEntry) -> Iterator[Sequence[str]]:
    if isinstance(entry, Account):
        yield [role.role_arn for role in entry.roles]
    else:
        yield [role.role_arn for role in entry.management_role]
        member_role = f"arn:{_partition(entry)}:iam::*:role/{entry.role_name}"
        yield [*(role.role_arn for role in entry.via), member_role]


def _partition(organization: Organization) -> str:
    """Return the partition of an organization: the partition of its roles, or of its regions."""
    for role in (*organization.via, *organization.management_role):
        return partition_of_arn(role.role_arn).name
    regions = (region for region in organization.regions if region != ALL_REGIONS)
    return next((partition_of(region).name for region in regions), COMMERCIAL)


def _listing_actions(entry: AnyEntry, principal: PolicyPrincipal) -> Sequence[str]:
    """Return the actions that list an organization's accounts; none if another principal lists them."""
    if isinstance(entry, Account):
        return ()
    lister = "management" if entry.management_role else "caller"
    actions = UNIT_LISTING_ACTIONS if entry.organizational_units else LISTING_ACTIONS
    needed = (*actions, TAGS_ACTION) if entry.tags else actions
    return needed if principal == lister else ()
