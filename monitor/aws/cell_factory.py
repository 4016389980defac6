"""Opens the configured accounts: finds credentials, the account's id and its regions, creates the cells."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from collectors import quotas, tags
from collectors.base import Collector, ServiceScope
from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.clients import ClientCache
from monitor.aws.credentials import Credentials, EnvironmentCredentials, RoleCredentials
from monitor.aws.failure import error_code, with_role_position
from monitor.aws.failure_class import FailureClass, classify
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.region_check import RegionDisabledError
from monitor.aws.role import AssumedRole
from monitor.aws.telemetry import AwsTelemetry
from monitor.lib.errors import HeadroomError
from monitor.lib.partitions import Partition, partition_of, partition_of_arn
from monitor.schema.types import ALL_REGIONS

Result = TypeVar("Result")

# Headroom's own limits of calls per second, by `service` or `service:Operation`, whatever it monitors.
# STS allows 600 for an account and region; hundreds of roles are assumed at the start and every hour.
BASE_RATES: Mapping[str, float] = {
    "cloudwatch": 10,  # mostly ListMetrics; AWS allows 25 per second in an account and region
    "cloudwatch:GetMetricData": 40,  # AWS allows 500, and formerly allowed 50
    "sts": 40,
    "organizations": 4,  # shared with all tools of the organization; a page has 20 accounts
    **quotas.RATES,
    **tags.RATES,
}


class MissingRegionError(HeadroomError, BotoCoreError):
    """Neither the configuration nor the environment names a region."""

    fmt = "no region is set"


@dataclass(frozen=True, slots=True)
class SharedAws:
    """The clients, credentials, limiters and states that all accounts of a process share.

    clients: botocore's clients. credentials: the credentials with which roles are assumed. rates: Headroom's
    own limits of calls per second (see `call_rates`). account_limiters: by account id, the limiters of
    services whose limits hold for the whole account. limiters: the limiters of other services, by account id
    and the region that is called. account_states: by account id, the state that collectors share among all
    regions of the account. roles: the credentials of roles with which other roles are assumed, by the
    profile, the region of STS, and the chain that ends with the role. profiles: the credentials of profiles,
    by name.
    """

    clients: ClientCache = field(default_factory=ClientCache)
    credentials: EnvironmentCredentials = field(default_factory=EnvironmentCredentials)
    rates: Mapping[str, float] = field(default_factory=lambda: BASE_RATES)
    account_limiters: dict[str, dict[str, RateLimiter]] = field(default_factory=lambda: defaultdict(dict))
    account_states: dict[str, dict[type[Any], Any]] = field(default_factory=lambda: defaultdict(dict))
    limiters: dict[tuple[str, str], dict[str, RateLimiter]] = field(default_factory=lambda: defaultdict(dict))
    roles: dict[tuple[Any, ...], Credentials] = field(default_factory=dict)
    profiles: dict[str, EnvironmentCredentials] = field(default_factory=dict)

    def credentials_of(self, profile: str | None) -> EnvironmentCredentials:
        """Return the credentials of a profile, which its accounts share; None: Headroom's own."""
        if profile is None:
            return self.credentials
        return self.profiles.setdefault(profile, EnvironmentCredentials(profile=profile))


def call_rates(collectors: Iterable[Collector]) -> Mapping[str, float]:
    """Return Headroom's own limits of calls per second: BASE_RATES and the rates of the collectors."""
    return {**BASE_RATES} | {
        key: rate for collector in collectors for key, rate in collector.call_rates.items()
    }


async def open_cells(
    account: Account,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    shared: SharedAws | None = None,
    scopes: Set[ServiceScope] = frozenset({ServiceScope.REGION}),
) -> list[Cell]:
    """Create the cells of an account: one for each of its regions, and one for its global services.

    scopes: the scopes of the services to read. shared: what the account shares with other accounts;
    without it, closing any of the cells closes all of them.
    Raises one of AWS_ERRORS when the account cannot be accessed, MissingRegionError when no region is named.
    """
    if shared:
        return await _open(account, endpoint_url, telemetry, shared, scopes)
    shared = SharedAws()
    try:
        return await _open(account, endpoint_url, telemetry, shared, scopes)
    except BaseException:
        await shared.clients.aclose()
        raise


async def _open(
    account: Account,
    endpoint_url: str | None,
    telemetry: AwsTelemetry,
    shared: SharedAws,
    scopes: Set[ServiceScope],
) -> list[Cell]:
    environment_credentials = shared.credentials_of(account.profile)
    environment_region = _environment_region(await environment_credentials.region(), account)
    named_regions = tuple(region for region in account.regions if region != ALL_REGIONS)
    first_region = _first_region(account, named_regions, environment_region)
    opening = _Opening(
        account,
        endpoint_url,
        telemetry,
        shared,
        named_regions,
        first_region,
        environment_region or first_region,
    )
    credentials = await _call_where_enabled(
        (opening.sts_region, opening.home_region), opening.credentials_through
    )
    account_id, regions = await _call_where_enabled(
        (first_region, opening.home_region),
        partial(opening.id_and_regions, credentials, ServiceScope.REGION in scopes),
    )
    cells = [opening.cell(credentials, account_id, region) for region in regions]
    if ServiceScope.GLOBAL in scopes:
        cells.append(opening.cell(credentials, account_id, opening.home_region, ServiceScope.GLOBAL))
    return cells


@dataclass(frozen=True)
class _Opening:
    """An account that is being opened.

    named_regions: the regions that the configuration names. first_region: the region to call first.
    sts_region: the region in which the role is assumed.
    """

    account: Account
    endpoint_url: str | None
    telemetry: AwsTelemetry
    shared: SharedAws
    named_regions: Sequence[str]
    first_region: str
    sts_region: str

    @property
    def home_region(self) -> str:
        """The home region of the partition, which no account can disable."""
        return partition_of(self.first_region).home_region

    def cell(
        self,
        credentials: Credentials,
        account_id: str,
        region: str,
        scope: ServiceScope = ServiceScope.REGION,
    ) -> Cell:
        """Return a cell of the account, or of an account whose role is assumed on the way to it."""
        shared = self.shared
        return Cell(
            credentials,
            account_id,
            region,
            self.telemetry,
            shared.rates,
            self.endpoint_url,
            shared.clients,
            shared.account_limiters[account_id],
            shared.limiters[account_id, region],
            scope,
            limiters_of=lambda other_region: shared.limiters[account_id, other_region],
            account_states=shared.account_states[account_id],
            other_regions=(self.sts_region, self.home_region, *self.named_regions),
        )

    async def credentials_through(self, region: str) -> Credentials:
        """Return the credentials of the account, assumed through STS in this region."""
        credentials = assumed_credentials(
            self.account.roles,
            self.shared,
            lambda signer, id_: self.cell(signer, id_, region),
            self.account.profile,
        )
        await credentials.frozen()  # raise an error here, not at every later call
        return credentials

    async def id_and_regions(
        self, credentials: Credentials, is_regional: bool, region: str
    ) -> tuple[str, Sequence[str]]:
        """Return the account's id and the regions to read; AWS is called in this region."""
        cell = self.cell(credentials, self.account.id or "", region)
        account_id = self.account.id or str((await cell.call("sts", "GetCallerIdentity"))["Account"])
        if not is_regional:
            return account_id, ()
        if ALL_REGIONS in self.account.regions:
            return account_id, await _enabled_regions(cell)
        return account_id, self.named_regions or [self.first_region]


async def _call_where_enabled(regions: Iterable[str], call: Callable[[str], Awaitable[Result]]) -> Result:
    """Return the result of a call in the first of these regions that the account has enabled.

    Raises the error of the call in the last region. STS may be off in a region that is otherwise enabled.
    """
    *other_regions, last = dict.fromkeys(regions)
    for region in other_regions:
        try:
            return await call(region)
        except (RegionDisabledError, ClientError) as error:
            if classify(error_code(error)) != FailureClass.DISABLED:
                raise
    return await call(last)


def assumed_credentials(
    roles: Sequence[AssumedRole],
    shared: SharedAws,
    cell_of: Callable[[Credentials, str], Cell],
    profile: str | None = None,
) -> Credentials:
    """Return the credentials of the last role of a chain; without roles, the credentials of the profile.

    The first role is assumed with the credentials of the profile (None: Headroom's own), each other role with
    the credentials of the role before it. A role on the way is assumed once for all accounts. An error names
    the role that could not be assumed and its position in the chain. cell_of: returns the cell that calls STS
    with these credentials, for the account with this id.
    """
    credentials: Credentials = shared.credentials_of(profile)
    caller = cell_of(credentials, "")
    for number, role in enumerate(roles, 1):
        position = f"role {number} of {len(roles)}, {role.role_arn}" if len(roles) > 1 else ""
        assumed_before = shared.roles.get((profile, caller.region, *roles[:number]))
        credentials = assumed_before or RoleCredentials(partial(_assume, role, caller, position))
        if number < len(roles):
            shared.roles[profile, caller.region, *roles[:number]] = credentials
        caller = cell_of(credentials, role.account)
    return credentials


async def _assume(role: AssumedRole, caller: Cell, position: str) -> Mapping[str, Any]:
    """Assume a role for AWS's default duration, as a session of a chained role lasts an hour at most."""
    params = {"RoleArn": role.role_arn, "RoleSessionName": role.session_name}
    if role.external_id_secret:
        params["ExternalId"] = role.external_id_secret.get_secret_value()
    # Outside of `with_role_position`, as an error of the previous role must not get this role's position.
    await caller.credentials.frozen()
    with with_role_position(position):
        response = await caller.call("sts", "AssumeRole", **params)
    credentials: Mapping[str, Any] = response["Credentials"]
    return credentials


async def _enabled_regions(cell: Cell) -> Sequence[str]:
    """Return the account's enabled regions: without `AllRegions`, DescribeRegions lists these alone."""
    return sorted(region["RegionName"] for region in (await cell.call("ec2", "DescribeRegions"))["Regions"])


def _partition(account: Account) -> Partition:
    """Return the partition of the account's role; without a role, the commercial partition."""
    return partition_of_arn(account.role_arn or "")


def _first_region(account: Account, named_regions: Sequence[str], environment_region: str) -> str:
    """Return the region to call first. Raises MissingRegionError if no region is named.

    An account with all regions has no named region; without a region in the environment, the home region of
    its partition is called first.
    """
    home_region = _partition(account).home_region if account.regions else ""
    first_region = next(iter(named_regions), environment_region) or home_region
    if not first_region:
        raise MissingRegionError
    return first_region


def _environment_region(region: str | None, account: Account) -> str:
    """Return the region that the environment names, or an empty text if the role is of another partition.

    STS of one partition does not know the credentials of another partition. region: the region in the
    environment; None without one.
    """
    is_foreign = account.role_arn and partition_of(region or "") != _partition(account)
    return "" if is_foreign else region or ""
