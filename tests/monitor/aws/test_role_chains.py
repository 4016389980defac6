"""Roles that are assumed through other roles, against an HTTP server that responds like STS."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from botocore.exceptions import ClientError, NoCredentialsError
from pydantic import ValidationError

from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import SharedAws, open_cells
from monitor.aws.failure import failure_from
from monitor.schema.problems import Problem, problems_from_pydantic
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.http_endpoint import serve_http
from tests.telemetries import Telemetries

HUB, MIDDLE, SPOKE, OTHER_SPOKE = (
    f"arn:aws:iam::{digit * 12}:role/{name}"
    for digit, name in (("1", "hub"), ("2", "middle"), ("3", "spoke"), ("4", "spoke"))
)


class Sts:
    """An STS that returns another access key for each call (`hub-1`, then `hub-2`), and records the calls.

    lifetime: how long the next credentials are valid. denied_roles: the roles that nobody may assume. calls:
    the parameters of each call, with the access key that signed the call as `key`. shared: the objects that
    all accounts share.
    """

    def __init__(self) -> None:
        self.url, self.lifetime = "", timedelta(hours=1)
        self.denied_roles: set[str] = set()
        self.calls: list[dict[str, str]] = []
        self.shared = SharedAws()

    async def handle(self, request: web.Request) -> web.Response:
        params = dict(parse_qsl((await request.read()).decode()))
        params["key"] = request.headers["Authorization"].split("Credential=")[1].split("/")[0]
        self.calls.append(params)
        if params["RoleArn"] in self.denied_roles:
            error = "<Error><Code>AccessDenied</Code><Message>not allowed</Message></Error>"
            return web.Response(text=f"<ErrorResponse>{error}</ErrorResponse>", status=403)
        name = params["RoleArn"].rpartition("/")[2]
        number = sum(call["RoleArn"] == params["RoleArn"] for call in self.calls)
        expires = (datetime.now(UTC) + self.lifetime).isoformat()
        return web.Response(
            text=f"""<AssumeRoleResponse><AssumeRoleResult><Credentials>
            <AccessKeyId>{name}-{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
            <SessionToken>token</SessionToken><Expiration>{expires}</Expiration>
            </Credentials></AssumeRoleResult></AssumeRoleResponse>"""
        )

    @property
    def keys_and_roles(self) -> list[tuple[str, str]]:
        """The access key that signed each call of AssumeRole, and the role to assume."""
        return [(call["key"], call["RoleArn"]) for call in self.calls]


@pytest.fixture
async def sts(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sts]:
    set_aws_environment(monkeypatch, CREDENTIALS | {"AWS_ACCESS_KEY_ID": "own"})
    fake = Sts()
    async with serve_http(fake.handle) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
        await fake.shared.clients.aclose()


async def open_account(sts: Sts, **account: Any) -> Cell:
    """Return the only cell of an account."""
    settings = Account.model_validate({"regions": ["eu-west-1"], **account})
    (cell,) = await open_cells(settings, sts.url, Telemetries().aws, sts.shared)
    return cell


async def test_each_role_is_assumed_with_the_credentials_of_the_preceding_role(sts: Sts) -> None:
    cell = await open_account(sts, role_arn=SPOKE, via=[HUB, MIDDLE])
    assert sts.keys_and_roles == [("own", HUB), ("hub-1", MIDDLE), ("middle-1", SPOKE)]
    assert (cell.account, (await cell.credentials.frozen()).access_key) == ("3" * 12, "spoke-1")


async def test_each_role_has_its_own_external_id_and_session_name(sts: Sts) -> None:
    hub = {"role_arn": HUB, "external_id": "of-the-hub", "session_name": "headroom@hub"}
    await open_account(sts, role_arn=SPOKE, external_id="of-the-spoke", via=[hub, MIDDLE])
    options = [(call.get("ExternalId"), call["RoleSessionName"]) for call in sts.calls]
    assert options == [("of-the-hub", "headroom@hub"), (None, "headroom"), ("of-the-spoke", "headroom")]


async def test_a_role_in_a_chain_is_assumed_without_a_duration(sts: Sts) -> None:
    """AWS refuses DurationSeconds above an hour for a role that is assumed with a role."""
    await open_account(sts, role_arn=SPOKE, via=HUB)
    assert not any("DurationSeconds" in call for call in sts.calls)


async def test_accounts_behind_the_same_role_assume_that_role_once(sts: Sts) -> None:
    await open_account(sts, role_arn=SPOKE, via=[HUB])
    await open_account(sts, role_arn=OTHER_SPOKE, via=[HUB])
    await open_account(sts, role_arn=OTHER_SPOKE, via=[{"role_arn": HUB, "external_id": "another"}])
    assert [arn for _, arn in sts.keys_and_roles] == [HUB, SPOKE, OTHER_SPOKE, HUB, OTHER_SPOKE]


async def test_the_credentials_of_every_role_of_a_chain_are_renewed_before_they_expire(sts: Sts) -> None:
    sts.lifetime = timedelta(minutes=9)  # so short that the next use renews the credentials
    cell = await open_account(sts, role_arn=SPOKE, via=HUB)
    sts.calls.clear()
    sts.lifetime = timedelta(hours=1)
    await cell.credentials.frozen()
    await cell.credentials.frozen()
    assert sts.keys_and_roles == [("own", HUB), ("hub-1", SPOKE)]


@pytest.mark.parametrize(
    ("denied_role", "message"),
    [
        (HUB, f"role 1 of 3, {HUB}: not allowed"),
        (MIDDLE, f"role 2 of 3, {MIDDLE}: not allowed"),
        (SPOKE, f"role 3 of 3, {SPOKE}: not allowed"),
    ],
)
async def test_a_failure_names_the_role_that_could_not_be_assumed(
    sts: Sts, denied_role: str, message: str
) -> None:
    sts.denied_roles = {denied_role}
    with pytest.raises(ClientError) as error:
        await open_account(sts, role_arn=SPOKE, via=[HUB, MIDDLE])
    failure = failure_from(error.value)
    assert (failure.operation, failure.code, failure.message) == ("AssumeRole", "AccessDenied", message)


async def test_a_failed_renewal_names_the_role_that_could_not_be_assumed(sts: Sts) -> None:
    """The hub's credentials expire at once, so that the second account renews them."""
    sts.lifetime = timedelta(seconds=-1)
    sts.denied_roles = {SPOKE}
    with pytest.raises(ClientError):
        await open_account(sts, role_arn=SPOKE, via=[HUB])
    sts.denied_roles = {HUB}
    with pytest.raises(ClientError) as error:
        await open_account(sts, role_arn=OTHER_SPOKE, via=[HUB])
    assert failure_from(error.value).message == f"role 1 of 2, {HUB}: not allowed"


async def test_a_failure_of_headrooms_own_credentials_names_no_role(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError) as error:
        await open_account(sts, role_arn=SPOKE, via=[HUB])
    assert failure_from(error.value).message == "Unable to locate credentials"


async def test_the_failure_of_a_role_without_a_chain_has_the_message_of_aws(sts: Sts) -> None:
    sts.denied_roles = {SPOKE}
    with pytest.raises(ClientError) as error:
        await open_account(sts, role_arn=SPOKE)
    assert failure_from(error.value).message == "not allowed"


# The configuration


@pytest.mark.parametrize(
    "via", [HUB, [HUB], {"role_arn": HUB}, [{"role_arn": HUB, "session_name": "headroom"}]]
)
def test_via_is_one_role_or_a_list_of_roles_each_as_an_arn_or_a_mapping(via: Any) -> None:
    account = Account.model_validate({"role_arn": SPOKE, "via": via})
    assert [role.role_arn for role in account.roles] == [HUB, SPOKE]


@pytest.mark.parametrize(
    ("settings", "path", "sentence"),
    [
        ({"role_arn": SPOKE, "via": ["hub"]}, ("via", 0, "role_arn"), "expected a role such as"),
        ({"role_arn": SPOKE, "via": 1}, ("via", 0), "expected a mapping, found a number"),
        ({"role_arn": SPOKE, "via": [{}]}, ("via", 0, "role_arn"), "missing"),
        ({"role_arn": SPOKE, "via": [{"role_arn": HUB, "arn": 1}]}, ("via", 0, "arn"), "unknown key"),
        ({"role_arn": SPOKE, "via": [HUB, HUB]}, ("via",), "expected each role once"),
        ({"role_arn": SPOKE, "via": [SPOKE]}, (), "expected other roles in via than role_arn itself"),
        (
            {"role_arn": SPOKE, "via": [f"{HUB}{number}" for number in range(5)]},
            ("via",),
            "expected at most 4",
        ),
        ({"via": [HUB]}, (), "expected role_arn beside via, found none"),
        ({"session_name": "x1"}, (), "expected role_arn beside session_name, found none"),
        ({"external_id": "x1"}, (), "expected role_arn beside external_id, found none"),
        (
            {"role_arn": SPOKE, "external_id": "x1", "session_name": "a b"},
            ("session_name",),
            "expected 2 to 64 letters, digits or +=,.@-_, found 'a b'",
        ),
        ({"role_arn": SPOKE, "session_name": "é" * 4}, ("session_name",), "expected 2 to 64 letters"),
        (
            {"role_arn": SPOKE.replace("aws", "aws-cn"), "via": [HUB]},
            (),
            "expected the roles of via in the partition of role_arn",
        ),
    ],
)
def test_invalid_roles_are_reported_as_problems_of_the_configuration(
    settings: dict[str, Any], path: tuple[int | str, ...], sentence: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Account.model_validate(settings)
    problem, *further_problems = problems_from_pydantic(error.value, Account)
    assert problem == Problem(path, problem.sentence)
    assert problem.sentence.startswith(sentence)
    assert further_problems == []
