"""Credentials that are rotated while the process runs, from each source that AWS's tools know."""

import asyncio
import hashlib
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import ClientError, CredentialRetrievalError, ProfileNotFound

from monitor.aws.account import Account
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import SharedAws, open_cells
from monitor.aws.clients import ClientCache
from monitor.aws.credentials import EnvironmentCredentials
from monitor.aws.failure import Failure, failure_from
from monitor.aws.failure_class import FailureClass
from monitor.aws.next_steps import next_step
from tests.aws_environment import NO_CREDENTIALS, set_aws_environment
from tests.http_endpoint import serve_http
from tests.kinesis_answers import SHARD_LIMITS
from tests.telemetries import Telemetries

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
EXPIRED_CODES = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"]
START_URL = "https://example.awsapps.com/start"


class RotatingAws:
    """Kinesis, STS and the portal of IAM Identity Center on loopback.

    accepted_keys: the access keys that AWS accepts. error_code: the code of the error for all other keys.
    web_tokens: the web identity tokens that STS got; for the token `a`, STS returns the access key `WEB-a`.
    sso_token: the token that the portal accepts. call_counts: the number of Kinesis calls by access key.
    """

    def __init__(self) -> None:
        self.url, self.accepted_keys, self.error_code = "", set[str](), "ExpiredTokenException"
        self.web_tokens: list[str] = []
        self.sso_token = ""
        self.call_counts: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/federation/credentials":
            return self._portal(request)
        text = (await request.read()).decode()
        if "AssumeRoleWithWebIdentity" in text:
            return self._web_identity(text)
        scope = SCOPE.search(request.headers["Authorization"])
        assert scope
        key = scope[1]
        self.call_counts[key] += 1
        await asyncio.sleep(0)
        if key not in self.accepted_keys:
            return web.json_response(
                {"__type": self.error_code, "message": "the token is expired"}, status=400
            )
        return web.json_response(SHARD_LIMITS)

    def _web_identity(self, text: str) -> web.Response:
        token = re.findall(r"WebIdentityToken=([\w-]+)", text)[0]
        self.web_tokens.append(token)
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return web.Response(
            text=f"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>WEB-{token}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            f"<SessionToken>t</SessionToken><Expiration>{expires}</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>a</AssumedRoleId><Arn>a</Arn></AssumedRoleUser>"
            f"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
            content_type="text/xml",
        )

    def _portal(self, request: web.Request) -> web.Response:
        token = request.headers["x-amz-sso_bearer_token"]
        if token != self.sso_token:
            error = {"message": "Session token not found or invalid"}
            return web.json_response(error, status=401, headers={"x-amzn-errortype": "UnauthorizedException"})
        expires = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
        credentials = {"accessKeyId": f"SSO-{token}", "secretAccessKey": "s", "sessionToken": "t"}
        return web.json_response({"roleCredentials": {**credentials, "expiration": expires}})


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[RotatingAws]:
    """Yield an AWS. The environment has its address, the paths of AWS's files, and no credentials yet."""
    fake = RotatingAws()
    async with serve_http(fake.handle) as port:
        fake.url = f"http://127.0.0.1:{port}"
        files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_ENDPOINT_URL": fake.url}
        set_aws_environment(monkeypatch, {**NO_CREDENTIALS, **files, "AWS_REGION": "eu-west-1"})
        yield fake


class Caller:
    """Calls Kinesis with the credentials of the environment. now: the seconds of its clock, set by tests."""

    def __init__(self, aws: RotatingAws, profile: str | None = None) -> None:
        self.now = 0.0
        self.credentials = EnvironmentCredentials(clock=lambda: self.now, profile=profile)
        self.clients = ClientCache()
        rates = {"kinesis": 1e6, "kinesis:DescribeLimits": 1e6}
        self._cell = Cell(self.credentials, "1", "eu-west-1", Telemetries().aws, rates, aws.url, self.clients)

    async def call(self, times: int = 1) -> list[Any]:
        """Make several calls at the same time; return their responses or errors."""
        calls = (self._cell.call("kinesis", "DescribeLimits") for _ in range(times))
        results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        return results


async def check_rotation(aws: RotatingAws, caller: Caller, old_key: str, new_key: str) -> None:
    """Check that calls succeed after AWS rejects the old key, and that each is sent once with the new key.

    The source of credentials already has the new key.
    """
    aws.accepted_keys = {old_key}
    assert not any(isinstance(result, Exception) for result in await caller.call(5))
    aws.accepted_keys, caller.now = {new_key}, caller.now + 60
    assert not any(isinstance(result, Exception) for result in await caller.call(20))
    assert aws.call_counts[new_key] == 20
    await caller.clients.aclose()


@pytest.mark.parametrize("code", EXPIRED_CODES)
async def test_a_credentials_file_that_is_rotated_is_read_again(
    aws: RotatingAws, code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    aws.error_code, caller = code, Caller(aws)

    def rotate(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")

    rotate("AKIAOLD")
    await caller.call()
    rotate("AKIANEW")
    await check_rotation(aws, caller, "AKIAOLD", "AKIANEW")


@pytest.fixture
def process_folder(tmp_path: Path) -> Path:
    """The folder of a `credential_process`, which prints the key in `key` and counts starts in `starts`."""
    script = tmp_path / "process.sh"
    script.write_text(
        f"#!/bin/sh\necho started >> {tmp_path}/starts\nkey=$(cat {tmp_path}/key) || exit 1\n"
        'echo "{\\"Version\\": 1, \\"AccessKeyId\\": \\"$key\\", \\"SecretAccessKey\\": \\"s\\"}"\n'
    )
    script.chmod(0o700)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {script}\n")
    return tmp_path


def count_starts(process_folder: Path) -> int:
    """Return how often the credential process was started."""
    return len((process_folder / "starts").read_text().splitlines())


async def test_a_credential_process_is_started_once_for_all_calls(
    aws: RotatingAws, process_folder: Path
) -> None:
    caller = Caller(aws)
    (process_folder / "key").write_text("AKIAOLD")
    aws.accepted_keys = {"AKIAOLD"}
    await caller.call(5)
    earlier_start_count = count_starts(process_folder)
    (process_folder / "key").write_text("AKIANEW")
    await check_rotation(aws, caller, "AKIAOLD", "AKIANEW")
    assert count_starts(process_folder) == earlier_start_count + 1


async def test_a_credential_process_that_fails_is_not_started_by_every_call(
    aws: RotatingAws, process_folder: Path
) -> None:
    caller = Caller(aws)
    for _ in range(20):
        (error,) = await caller.call()
        assert isinstance(error, CredentialRetrievalError)
    assert count_starts(process_folder) == 1
    assert "credential_process" in next_step(failure_from(error)).sentences[0]
    (process_folder / "key").write_text("AKIANEW")
    aws.accepted_keys, caller.now = {"AKIANEW"}, 10.0
    assert not isinstance((await caller.call())[0], Exception)
    await caller.clients.aclose()


async def test_a_web_identity_token_is_read_again_when_aws_rejects_the_key(
    aws: RotatingAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
    caller = Caller(aws)
    token.write_text("first")
    aws.accepted_keys = {"WEB-first"}
    await caller.call()
    token.write_text("second")
    await check_rotation(aws, caller, "WEB-first", "WEB-second")
    assert aws.web_tokens == ["first", "second"]


def log_in(folder: Path, token: str, hours: float) -> None:
    """Write the token file that `aws sso login` writes."""
    cache = folder / ".aws/sso/cache"
    cache.mkdir(parents=True, exist_ok=True)
    expires = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    file = cache / f"{hashlib.sha1(START_URL.encode(), usedforsecurity=False).hexdigest()}.json"
    file.write_text(json.dumps({"accessToken": token, "expiresAt": expires, "startUrl": START_URL}))


# Botocore finds the folder of SSO tokens when it is imported, so another HOME needs another process.
READER_SCRIPT = """
import asyncio, sys
from monitor.aws.credentials import EnvironmentCredentials
from monitor.aws.failure import Failure, failure_from

async def main():
    now = 0.0
    credentials = EnvironmentCredentials(clock=lambda: now)
    for _ in sys.stdin:
        now += 60.0
        try:
            output = (await credentials.frozen()).access_key
        except Exception as error:
            output = failure_from(error).code
        print(output, flush=True)

asyncio.run(main())
"""


class ReaderProcess:
    """A process with its own HOME, which reads the credentials of the environment on request."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self) -> str:
        """Return the access key that the process reads, or the code of the failure."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(60):
            return (await self._process.stdout.readline()).decode().strip()

    async def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()


async def test_credentials_are_found_after_a_new_login_when_the_old_login_has_expired(
    aws: RotatingAws, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        f"[default]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\nsso_account_id = 123456789012\n"
        "sso_role_name = headroom\n"
    )
    reader = ReaderProcess(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            READER_SCRIPT,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    )
    results = [await reader.read()]
    for token, hours in (("one", -1), ("revoked", 1), ("two", 1)):
        log_in(tmp_path, token, hours)
        aws.sso_token = "two"
        results.append(await reader.read())
    await reader.end()
    assert results == [
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "UnauthorizedSSOTokenError",
        "SSO-two",
    ]
    for code in results[:3]:
        failure = Failure("", "", code, "")
        assert failure.failure_class == FailureClass.EXPIRED
        assert "aws sso login" in next_step(failure).sentences[0]


async def test_expired_keys_are_read_again_at_most_every_half_minute(
    aws: RotatingAws, process_folder: Path
) -> None:
    caller = Caller(aws)
    (process_folder / "key").write_text("AKIAOLD")
    for second in range(120):
        caller.now = float(second)
        (error,) = await caller.call()
        assert isinstance(error, ClientError)
    assert count_starts(process_folder) <= 1 + 120 // 30
    await caller.clients.aclose()


# Accounts that are configured with profiles


PROFILES = """
[profile work]
region = eu-central-1
[profile china]
region = cn-north-1
[profile gov]
[profile broken]
"""
KEYS = """
[work]
aws_access_key_id = AKIA-aws
aws_secret_access_key = s
[china]
aws_access_key_id = AKIA-aws-cn
aws_secret_access_key = s
[gov]
aws_access_key_id = AKIA-aws-us-gov
aws_secret_access_key = s
"""


class PartitionedSts:
    """The STS of every partition, which accepts only the partition's own key.

    calls: action, access key and region of each call.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        scope = SCOPE.search(request.headers["Authorization"])
        assert scope
        key, region, _ = scope.groups()
        action = re.findall(r"Action=(\w+)", text)[0]
        self.calls.append((action, key, region))
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        partition = next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")
        if key.partition("-")[2] != partition:
            error = "<Error><Code>InvalidClientTokenId</Code><Message>unknown</Message></Error>"
            return web.Response(status=403, text=f"<E>{error}</E>", content_type="text/xml")
        answers = {
            "AssumeRole": f"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA-{partition}"
            "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
            "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
            "</AssumeRoleResponse>",
            "GetCallerIdentity": "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>210987654321"
            "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
            "DescribeRegions": f"<DescribeRegionsResponse><regionInfo><item><regionName>{region}</regionName>"
            "</item></regionInfo></DescribeRegionsResponse>",
        }
        return web.Response(text=answers[action], content_type="text/xml")


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Write four profiles, three of them with keys, and set AWS_REGION, as many containers do."""
    for name, text in (("config", PROFILES), ("credentials", KEYS)):
        (tmp_path / name).write_text(text)
    set_aws_environment(
        monkeypatch,
        {
            **NO_CREDENTIALS,
            "AWS_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        },
    )


def role_arn_of(partition: str, account: int) -> str:
    return f"arn:{partition}:iam::{account:012d}:role/headroom"


ACCOUNTS = [
    Account(profile="work", role_arn=role_arn_of("aws", 1), regions=("ap-east-1",)),
    Account(profile="china", role_arn=role_arn_of("aws-cn", 2), regions=("all",)),
    Account(profile="gov", role_arn=role_arn_of("aws-us-gov", 3), regions=("us-gov-east-1", "us-gov-west-1")),
    Account(profile="china"),
]


async def test_accounts_in_three_partitions_are_opened_together_through_the_sts_of_each_partition(
    profiles: None,
) -> None:
    sts, shared = PartitionedSts(), SharedAws()
    async with serve_http(sts.handle) as port:
        url = f"http://127.0.0.1:{port}"
        cells_of_accounts = await asyncio.gather(
            *(open_cells(account, url, Telemetries().aws, shared) for account in ACCOUNTS)
        )
        await shared.clients.aclose()
    assert [[cell.key for cell in cells] for cells in cells_of_accounts] == [
        [("000000000001", "ap-east-1")],
        [("000000000002", "cn-north-1")],
        [("000000000003", "us-gov-east-1"), ("000000000003", "us-gov-west-1")],
        [("210987654321", "cn-north-1")],
    ]
    assert sorted(sts.calls) == [
        ("AssumeRole", "AKIA-aws", "eu-central-1"),
        ("AssumeRole", "AKIA-aws-cn", "cn-north-1"),
        ("AssumeRole", "AKIA-aws-us-gov", "us-gov-east-1"),
        ("DescribeRegions", "ASIA-aws-cn", "cn-north-1"),
        ("GetCallerIdentity", "AKIA-aws-cn", "cn-north-1"),
    ]


async def test_a_missing_profile_affects_only_its_account(profiles: None) -> None:
    shared = SharedAws()
    with pytest.raises(ProfileNotFound, match="absent"):
        await open_cells(Account(profile="absent"), None, Telemetries().aws, shared)
    assert (await shared.credentials_of("work").frozen()).access_key == "AKIA-aws"
