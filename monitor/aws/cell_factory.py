"""Opens the configured accounts: finds credentials, the account's id and its regions, creates the cells."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError

from collectors import quotas, tags
from collectors.base import Collector, ServiceScope
from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.clients import ClientCache
from monitor.aws.credentials import Credentials, EnvironmentCredentials, RoleCredentials
from monitor.aws.failure import with_role_place
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.role import AssumedRole
from monitor.aws.telemetry import AwsTelemetry
from monitor.lib.errors import HeadroomError
from monitor.lib.partitions import Partition, partition_of, partition_of_arn
from monitor.schema.types import ALL_REGIONS

# Calls per second, by `service` or `service:Operation`, that Headroom allows itself whatever it monitors.
# Of STS's 600 for an account and region, as hundreds of accounts are entered at the start and every hour.
BASE_RATES: Mapping[str, float] = {
    "cloudwatch": 40,
    "sts": 40,
    "organizations": 4,  # shared with all tools of the organization; a page has 20 accounts
    **quotas.RATES,
    **tags.RATES,
}


class MissingRegionError(HeadroomError, BotoCoreError):
    """Neither the configuration nor the environment names a region."""

    fmt = "no region is set"


@dataclass(frozen=True, slots=True)
class AwsEnvironment:
    """What all accounts of a process share.

    clients: botocore's. credentials: those that roles are assumed with. rates: calls per second that Headroom
    allows itself (see `call_rates`). account_limiters: by account id, the limiters of services whose limits
    hold for the whole account. limiters: those of the others, by account id and the region that is called.
    roles: the credentials of roles that others are assumed with, by the region of STS and the roles up to it.
    """

    clients: ClientCache = field(default_factory=ClientCache)
    credentials: EnvironmentCredentials = field(default_factory=EnvironmentCredentials)
    rates: Mapping[str, float] = field(default_factory=lambda: BASE_RATES)
    account_limiters: dict[str, dict[str, RateLimiter]] = field(default_factory=lambda: defaultdict(dict))
    limiters: dict[tuple[str, str], dict[str, RateLimiter]] = field(default_factory=lambda: defaultdict(dict))
    roles: dict[tuple[Any, ...], Credentials] = field(default_factory=dict)


def call_rates(collectors: Iterable[Collector]) -> Mapping[str, float]:
    """Return the calls per second that Headroom allows itself, with those that collectors declare."""
    return {**BASE_RATES} | {key: rate for one in collectors for key, rate in one.call_rates.items()}


async def open_cells(
    account: Account,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    environment: AwsEnvironment | None = None,
    scopes: Set[ServiceScope] = frozenset({ServiceScope.REGION}),
) -> list[Cell]:
    """Create the cells of an account: one for each of its regions, and one for its global services.

    scopes: of the services to read. environment: shared with other accounts; without it, closing any of the
    cells closes all of them.
    Raises one of AWS_ERRORS when the account cannot be accessed, MissingRegionError when no region is named.
    """
    if environment:
        return await _open(account, endpoint_url, telemetry, environment, scopes)
    environment = AwsEnvironment()
    try:
        return await _open(account, endpoint_url, telemetry, environment, scopes)
    except BaseException:
        await environment.clients.aclose()
        raise


async def _open(
    account: Account,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    environment: AwsEnvironment,
    scopes: Set[ServiceScope],
) -> list[Cell]:
    def cell(
        credentials: Credentials, account_id: str, region: str, scope: ServiceScope = ServiceScope.REGION
    ) -> Cell:
        return Cell(
            credentials,
            account_id,
            region,
            telemetry,
            environment.rates,
            endpoint_url,
            environment.clients,
            environment.account_limiters[account_id],
            environment.limiters[account_id, region],
            scope,
        )

    home = _home_region(await environment.credentials.region(), account)
    named = [region for region in account.regions if region != ALL_REGIONS]
    first = named[0] if named else home or (_partition(account).home_region if account.regions else "")
    if not first:
        raise MissingRegionError
    credentials = assumed_credentials(
        account.roles, environment, lambda signer, id_: cell(signer, id_, home or first)
    )
    await credentials.frozen()  # one error here instead of one for every call
    first_cell = cell(credentials, account.id or "", first)
    account_id = account.id or str((await first_cell.call("sts", "GetCallerIdentity"))["Account"])
    cells = []
    if ServiceScope.REGION in scopes:
        regions = await _enabled_regions(first_cell) if ALL_REGIONS in account.regions else named or [first]
        cells += [cell(credentials, account_id, region) for region in regions]
    if ServiceScope.GLOBAL in scopes:
        cells.append(cell(credentials, account_id, partition_of(first).home_region, ServiceScope.GLOBAL))
    return cells


def assumed_credentials(
    roles: Sequence[AssumedRole], environment: AwsEnvironment, cell_of: Callable[[Credentials, str], Cell]
) -> Credentials:
    """The credentials of the last of these roles, each assumed with those before it; without any, our own.

    Roles on the way are assumed once for all accounts. An error says at which role it happened.

    cell_of: returns the cell that calls STS with these credentials, of the account with this id.
    """
    credentials: Credentials = environment.credentials
    caller = cell_of(credentials, "")
    for number, role in enumerate(roles, 1):
        place = f"role {number} of {len(roles)}, {role.role_arn}" if len(roles) > 1 else ""
        before = environment.roles.get((caller.region, *roles[:number]))
        credentials = before or RoleCredentials(partial(_assume, role, caller, place))
        if number < len(roles):
            environment.roles[caller.region, *roles[:number]] = credentials
        caller = cell_of(credentials, role.account)
    return credentials


async def _assume(role: AssumedRole, caller: Cell, place: str) -> Mapping[str, Any]:
    """Assume a role, for as long as AWS does by default: the sessions of chained roles end after an hour."""
    params = {"RoleArn": role.role_arn, "RoleSessionName": role.session_name}
    if role.external_id_secret:
        params["ExternalId"] = role.external_id_secret.get_secret_value()
    await caller.credentials.frozen()  # an error of a role before this one is not of this one
    with with_role_place(place):
        response = await caller.call("sts", "AssumeRole", **params)
    credentials: Mapping[str, Any] = response["Credentials"]
    return credentials


async def _enabled_regions(cell: Cell) -> Sequence[str]:
    """The enabled regions of the account: without `AllRegions`, DescribeRegions leaves the others out."""
    return sorted(region["RegionName"] for region in (await cell.call("ec2", "DescribeRegions"))["Regions"])


def _partition(account: Account) -> Partition:
    """The partition of the account's role; the commercial one without a role."""
    return partition_of_arn(account.role_arn or "")


def _home_region(region: str | None, account: Account) -> str:
    """The region that the environment names; empty where it is of another partition than the role.

    STS of one partition does not know the credentials of another.
    """
    is_foreign = account.role_arn and partition_of(region or "") != _partition(account)
    return "" if is_foreign else region or ""
