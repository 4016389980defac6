"""Chooses the configured account, the region and the resource whose quota is increased."""

from collections.abc import Sequence

from collectors.base import ServiceScope
from collectors.registry import Registry
from collectors.resource import Resource
from monitor.aws.account import Account, account_name
from monitor.aws.cell import Cell
from monitor.aws.organization import Organization
from monitor.aws.scan import Scan
from monitor.lib.account_ids import ACCOUNT_ID
from monitor.lib.partitions import partition_of, partition_of_arn
from monitor.quotas.wanted import UnknownQuotaError, WantedQuota
from monitor.schema.types import ALL_REGIONS
from rules.command_template import PLACEHOLDER
from rules.problem_text import suggestion

CELL_PLACEHOLDERS = frozenset({"partition", "region", "account_id"})  # every cell has their values


def choose_account(
    accounts: Sequence[Account], name: str, organizations: Sequence[Organization] = ()
) -> Account:
    """Return the account with this name or id; without a name, the only account. Raises UnknownQuotaError.

    An account of an organization is found only by its id, as its name is not requested from AWS. The id of
    an account without a role is not known before AWS is called, so that any id matches it.
    """
    if not name and len(accounts) == 1 and not organizations:
        return accounts[0]
    candidates = [account for account in accounts if name in (account.name, account.id)]
    is_id = bool(ACCOUNT_ID.fullmatch(name))
    organization = next((each for each in organizations if is_id and each.includes(name, name)), None)
    if organization:
        regions = [region for region in organization.regions if region != ALL_REGIONS]
        partition = partition_of((regions or [""])[0]).name
        candidates.append(organization.member(name, name, partition, is_own=False))
    candidates += [account for account in accounts if is_id and not account.id]
    if name and candidates:
        return candidates[0]
    names = [*map(account_name, accounts)]
    choices = [*names, *(["the id of an account of the organization"] if organizations else ())]
    hint = suggestion(name, names) if name else ""
    raise UnknownQuotaError(f"expected --account, one of {', '.join(choices)}; found {name or 'none'}{hint}")


def in_one_region(account: Account, region: str, wanted: WantedQuota, registry: Registry) -> Account:
    """Return the account with one region only: the given region, or the account's only region.

    Without a given region, the quotas of a global service are in the home region of the partition. Raises
    UnknownQuotaError.
    """
    regions = account.regions
    is_global = wanted.signal and registry.scope_of(wanted.signal.service) is ServiceScope.GLOBAL
    if not region and is_global:
        named_region = next((name for name in regions if name != ALL_REGIONS), "")
        partition = partition_of(named_region) if named_region else partition_of_arn(account.role_arn or "")
        region = partition.home_region
    if not region and (len(regions) > 1 or ALL_REGIONS in regions):
        raise UnknownQuotaError(
            f"expected --region, as each region has a quota of its own; found {', '.join(regions)}"
        )
    return account.model_copy(update={"regions": (region,)}) if region else account


def resource_arn(cell: Cell, resource: str, wanted: WantedQuota, registry: Registry) -> str:
    """Return the ARN of a resource that is given by its ARN or id; empty without a resource.

    Raises UnknownQuotaError if the id does not determine the ARN.
    """
    if not resource or resource.startswith("arn:"):
        return resource
    service = wanted.signal.service if wanted.signal else ""
    template_by_kind = {
        kind: template
        for collector in registry.collectors_of({service})
        for kind, template in collector.arns.items()
        if {*PLACEHOLDER.findall(template)} - CELL_PLACEHOLDERS == {kind}
    }
    if len(template_by_kind) != 1:
        raise UnknownQuotaError(
            f"expected the ARN of the resource, as its id alone does not tell it: {resource}"
        )
    ((kind, template),) = template_by_kind.items()
    aws = Scan(cell)
    names = {"partition": aws.partition, "region": aws.region, "account_id": aws.account}
    return template.format(**names, **Resource(kind, (resource,)).ids)
