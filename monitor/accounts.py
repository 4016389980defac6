"""Getting into the configured accounts: credentials, roles, the account's id and regions; a cell for each."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, NoCredentialsError

from collectors import COLLECTORS, quotas
from monitor.account import Account
from monitor.aws import CLIENT_CONFIG, Cell
from monitor.config_types import ALL
from monitor.telemetry import Telemetry

RATES: Mapping[str, float] = {"cloudwatch": 40, **quotas.RATES} | {
    key: rate for collector in COLLECTORS for key, rate in collector.rates.items()
}

SOMEWHERE = "us-east-1"  # where to ask what is the same everywhere, when no region is told


class NoRegion(BotoCoreError):
    """Neither the configuration nor the environment names a region."""

    fmt = "no region is set: name one in `regions` of the configuration, or in AWS_REGION"


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """Credentials of a role, renewed before they expire."""

    credentials: AioRefreshableCredentials

    async def load_credentials(self) -> AioRefreshableCredentials:
        return self.credentials


async def open_cells(account: Account, endpoint_url: str | None, telemetry: Telemetry) -> list[Cell]:
    """The cells of an account, one for each of its regions.

    Raises one of AWS_ERRORS when AWS does not let us in, NoRegion when no region is told.
    """
    base = AioSession()
    home = os.environ.get("AWS_REGION") or base.get_config_variable("region")  # botocore ignores the first
    named = [region for region in account.regions if region != ALL]
    first = named[0] if named else home or (SOMEWHERE if account.regions else "")
    if not first:
        raise NoRegion
    session = await _in_role(base, account, endpoint_url, home or first)
    create = partial(session.create_client, config=CLIENT_CONFIG, endpoint_url=endpoint_url)
    account_id = account.id or await _caller(create, first)
    regions = await _enabled(create, first) if ALL in account.regions else named or [first]
    return [Cell(session, account_id, region, telemetry, RATES, endpoint_url) for region in regions]


async def _in_role(base: AioSession, account: Account, endpoint_url: str | None, region: str) -> AioSession:
    """A session with the account's role, which is assumed at once: better refused here than by every call."""
    if not account.role_arn:
        return base
    own = await base.get_credentials()
    if own is None:
        raise NoCredentialsError
    sts: Any = partial(
        base.create_client, config=CLIENT_CONFIG, endpoint_url=endpoint_url, region_name=region
    )
    extra = {"RoleSessionName": "headroom"}
    if account.secret:
        extra["ExternalId"] = account.secret.get_secret_value()
    fetcher = AioAssumeRoleCredentialFetcher(sts, own, account.role_arn, extra)
    credentials = AioRefreshableCredentials.create_from_metadata(
        await fetcher.fetch_credentials(), fetcher.fetch_credentials, "assume-role"
    )
    session = AioSession()
    session.register_component("credential_provider", AssumedRole(credentials))
    return session


async def _caller(create: Any, region: str) -> str:
    async with create("sts", region_name=region) as sts:
        return str((await sts.get_caller_identity())["Account"])


async def _enabled(create: Any, region: str) -> Sequence[str]:
    """The regions enabled in the account: without `AllRegions`, DescribeRegions leaves the others out."""
    async with create("ec2", region_name=region) as ec2:
        return sorted(one["RegionName"] for one in (await ec2.describe_regions())["Regions"])
