"""Opening accounts against an HTTP server that responds as STS and EC2 do."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from botocore.exceptions import ClientError, NoCredentialsError
from pydantic import SecretStr

from collectors import quotas
from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import MissingRegionError, SharedAws, call_rates, open_cells
from monitor.aws.failure import AWS_ERRORS
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.http_endpoint import serve_http
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

ROLE = "arn:aws:iam::210987654321:role/headroom"
SECRET = "the-external-id"

ASSUME_ROLE_RESPONSE = """<AssumeRoleResponse><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
IDENTITY_RESPONSE = """<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
REGIONS_RESPONSE = """<DescribeRegionsResponse><regionInfo><item><regionName>us-east-1</regionName></item>
<item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>"""


def error_body(code: str) -> str:
    """Return the body of an error response of STS."""
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>no, said AWS</Message></Error></ErrorResponse>"


class FakeSts:
    """STS and EC2 on loopback.

    answers: the body of the response, by action. requests: the parameters of each request; `key` is the
    access key that signed it, `region` the region for which it was signed.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers = {
            "AssumeRole": ASSUME_ROLE_RESPONSE,
            "GetCallerIdentity": IDENTITY_RESPONSE,
            "DescribeRegions": REGIONS_RESPONSE,
        }
        self.requests: list[dict[str, str]] = []
        self.shared = SharedAws()

    async def handle(self, request: web.Request) -> web.Response:
        parameters = dict(parse_qsl((await request.read()).decode()))
        key, _, region, *_ = request.headers["Authorization"].split("Credential=")[1].split("/")
        self.requests.append({**parameters, "key": key, "region": region})
        answer = self.answers[parameters["Action"]]
        return web.Response(text=answer, status=400 if "<Error>" in answer else 200, content_type="text/xml")

    @property
    def actions(self) -> list[str]:
        return [request["Action"] for request in self.requests]


@pytest.fixture
async def sts(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSts]:
    """An AWS on loopback, and an environment with credentials for it, but without a region."""
    set_aws_environment(monkeypatch, CREDENTIALS | {"AWS_ACCESS_KEY_ID": "AKIABASE"})
    fake = FakeSts()
    async with serve_http(fake.handle) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
        await fake.shared.clients.aclose()


async def open_account(sts: FakeSts, **account: Any) -> list[Cell]:
    """Open an account, and return its cells."""
    return await open_cells(Account(**account), sts.url, Telemetries().aws, sts.shared)


async def keys_of_cells(sts: FakeSts, **account: Any) -> list[tuple[str, str]]:
    """Open an account, and return the account id and the region of each of its cells."""
    return [cell.key for cell in await open_account(sts, **account)]


async def test_without_a_role_sts_returns_the_id_of_the_account(sts: FakeSts) -> None:
    assert await keys_of_cells(sts, regions=("eu-west-1", "us-east-1")) == [
        ("123456789012", "eu-west-1"),
        ("123456789012", "us-east-1"),
    ]
    assert sts.actions == ["GetCallerIdentity"]
    assert sts.requests[0]["region"] == "eu-west-1"  # the first configured region


async def test_the_account_id_is_taken_from_the_role_arn_without_a_call(sts: FakeSts) -> None:
    assert await keys_of_cells(sts, role_arn=ROLE, regions=("eu-west-1",)) == [("210987654321", "eu-west-1")]
    assert sts.actions == ["AssumeRole"]


async def test_the_role_is_assumed_once_for_all_regions_and_its_credentials_used(sts: FakeSts) -> None:
    cells = await open_account(sts, role_arn=ROLE, regions=("eu-west-1", "us-east-1"))
    for cell in cells:
        await cell.call("sts", "GetCallerIdentity")
        await cell.close()
    assert [(request["Action"], request["key"], request["region"]) for request in sts.requests] == [
        ("AssumeRole", "AKIABASE", "eu-west-1"),
        ("GetCallerIdentity", "ASIAROLE", "eu-west-1"),
        ("GetCallerIdentity", "ASIAROLE", "us-east-1"),
    ]


async def test_two_entries_of_one_account_share_the_call_limiters_of_the_account(sts: FakeSts) -> None:
    other_role = "arn:aws:iam::210987654321:role/other"
    (first,) = await open_account(sts, role_arn=ROLE, regions=("eu-west-1",))
    (second,) = await open_account(sts, role_arn=other_role, regions=("us-east-1",))
    (other_account,) = await open_account(sts, regions=("us-east-1",))
    assert first.account_limiters is second.account_limiters
    assert first.account_limiters is not other_account.account_limiters


@pytest.mark.parametrize("option", ["external_id", "external_id_env", "external_id_file"])
async def test_the_external_id_is_passed_on_and_never_logged(
    sts: FakeSts, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    sts.answers["AssumeRole"] = error_body("AccessDenied")
    account = Account(role_arn=ROLE, regions=("eu-west-1",)).model_copy(update={option: SecretStr(SECRET)})
    with caplog.at_level(logging.DEBUG, "monitor"), pytest.raises(ClientError) as error:
        await open_cells(account, sts.url, Telemetries().aws, sts.shared)
    assert [(request["RoleArn"], request["ExternalId"]) for request in sts.requests] == [(ROLE, SECRET)]
    assert SECRET not in caplog.text + str(error.value) + repr(error.value) + repr(account)


async def test_a_role_is_assumed_in_the_region_of_the_environment(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that is enabled in the account may be disabled in the account that assumes the role."""
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert await keys_of_cells(sts, role_arn=ROLE, regions=("ap-east-1",)) == [("210987654321", "ap-east-1")]
    assert [request["region"] for request in sts.requests] == ["eu-west-3"]


async def test_without_an_external_id_none_is_sent(sts: FakeSts) -> None:
    await open_account(sts, role_arn=ROLE, regions=("eu-west-1",))
    assert "ExternalId" not in sts.requests[0]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
async def test_opening_an_account_fails_if_its_role_cannot_be_assumed(sts: FakeSts, code: str) -> None:
    sts.answers["AssumeRole"] = error_body(code)
    with pytest.raises(ClientError) as error:
        await open_account(sts, role_arn=ROLE, regions=("eu-west-1", "us-east-1"))
    assert error.value.response["Error"]["Code"] == code
    assert sts.actions == ["AssumeRole"]


async def test_if_sts_is_disabled_in_the_region_the_role_is_assumed_in_the_home_region(
    sts: FakeSts,
) -> None:
    sts.answers["AssumeRole"] = error_body("RegionDisabledException")
    with pytest.raises(ClientError, match="RegionDisabledException"):
        await open_account(sts, role_arn=ROLE, regions=("eu-west-1",))
    sts_regions = [request["region"] for request in sts.requests if request["Action"] == "AssumeRole"]
    assert sts_regions == ["eu-west-1", "us-east-1"]


async def test_opening_an_account_fails_with_expired_credentials(sts: FakeSts) -> None:
    sts.answers["GetCallerIdentity"] = error_body("ExpiredToken")
    with pytest.raises(ClientError) as error:
        await open_account(sts, regions=("eu-west-1",))
    assert error.value.response["Error"]["Code"] == "ExpiredToken"


@pytest.mark.parametrize("role", [None, ROLE])
async def test_without_credentials_an_error_is_raised_before_any_call(
    sts: FakeSts, role: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError):
        await open_account(sts, role_arn=role, regions=("eu-west-1",))
    assert sts.requests == []


async def test_an_address_without_a_server_raises_an_aws_error() -> None:
    with pytest.raises(AWS_ERRORS):
        await open_cells(Account(regions=("eu-west-1",)), "http://127.0.0.1:1", Telemetries().aws)


# Regions


def role_of(partition: str) -> str:
    """Return the ARN of a role in a partition."""
    return f"arn:{partition}:iam::210987654321:role/headroom"


@pytest.mark.parametrize(
    ("account", "environment_region", "sts_region"),
    [
        ({"role_arn": role_of("aws-cn"), "regions": ("all",)}, "", "cn-northwest-1"),
        ({"role_arn": role_of("aws-cn"), "regions": ("all",)}, "eu-west-1", "cn-northwest-1"),
        ({"role_arn": role_of("aws-cn"), "regions": ("cn-northwest-1",)}, "eu-west-1", "cn-northwest-1"),
        ({"role_arn": role_of("aws-cn"), "regions": ("all",)}, "cn-north-1", "cn-north-1"),
        ({"role_arn": role_of("aws-us-gov"), "regions": ("all",)}, "", "us-gov-west-1"),
        ({"role_arn": role_of("aws-eusc"), "regions": ("all",)}, "eu-west-1", "eusc-de-east-1"),
        ({"role_arn": role_of("aws-iso-f"), "regions": ("all",)}, "", "us-isof-south-1"),
        ({"role_arn": role_of("aws"), "regions": ("all",)}, "cn-north-1", "us-east-1"),
    ],
)
async def test_a_role_is_assumed_in_its_own_partition(
    sts: FakeSts,
    account: dict[str, Any],
    environment_region: str,
    sts_region: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", environment_region)
    await open_account(sts, **account)
    assert {request["region"] for request in sts.requests} == {sts_region}


async def test_a_region_of_another_partition_than_the_role_is_ignored(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(MissingRegionError):
        await open_account(sts, role_arn=role_of("aws-cn"))


async def test_the_regions_all_are_the_regions_that_are_enabled_in_the_account(sts: FakeSts) -> None:
    assert await keys_of_cells(sts, role_arn=ROLE, regions=("all",)) == [
        ("210987654321", "eu-west-1"),
        ("210987654321", "us-east-1"),
    ]
    assert sts.actions == ["AssumeRole", "DescribeRegions"]
    assert sts.requests[1]["key"] == "ASIAROLE"
    assert "AllRegions" not in sts.requests[1]


async def test_sts_is_called_in_a_region_that_is_listed_beside_all(sts: FakeSts) -> None:
    assert len(await keys_of_cells(sts, regions=("all", "eu-west-1"))) == 2
    assert {request["region"] for request in sts.requests} == {"eu-west-1"}


@pytest.mark.parametrize("role", [None, ROLE])
async def test_without_any_region_the_error_says_that_no_region_is_set(
    sts: FakeSts, role: str | None
) -> None:
    with pytest.raises(MissingRegionError, match="no region is set"):
        await open_account(sts, role_arn=role)
    assert sts.requests == []


CONFIG_FILE = "[default]\nregion = ap-south-1\n"


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-3"}, "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-3"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_CONFIG_FILE": CONFIG_FILE}, "ap-south-1"),
        ({"AWS_CONFIG_FILE": CONFIG_FILE, "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_CONFIG_FILE": CONFIG_FILE, "AWS_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
async def test_the_environment_names_the_same_region_as_for_the_aws_tools(
    sts: FakeSts,
    environment: dict[str, str],
    region: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in environment.items():
        if name == "AWS_CONFIG_FILE":
            (tmp_path / "config").write_text(value)
        monkeypatch.setenv(name, str(tmp_path / "config") if name == "AWS_CONFIG_FILE" else value)
    assert await keys_of_cells(sts) == [("123456789012", region)]
    assert sts.requests[0]["region"] == region


async def test_the_environment_names_the_address_of_aws_when_the_configuration_does_not(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.url)
    (cell,) = await open_cells(
        Account(role_arn=ROLE, regions=("eu-west-1",)), None, Telemetries().aws, sts.shared
    )
    await cell.call("sts", "GetCallerIdentity")
    await cell.close()
    assert sts.actions == ["AssumeRole", "GetCallerIdentity"]


# Rates


def test_every_declared_rate_is_used() -> None:
    declared_rates: dict[str, float] = {**quotas.RATES}
    for collector in REGISTRY.collectors:
        declared_rates.update(collector.call_rates)
    rates = call_rates(REGISTRY.collectors)
    assert {name: rates[name] for name in declared_rates} == declared_rates
