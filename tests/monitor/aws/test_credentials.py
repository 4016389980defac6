"""Credentials that change while the process runs, against an AWS on loopback."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError

from monitor.aws.cell import Cell
from monitor.aws.clients import ClientCache
from monitor.aws.credentials import (
    EXPIRY_MARGIN,
    MIN_READ_INTERVAL,
    Credentials,
    EnvironmentCredentials,
    RoleCredentials,
)
from tests.aws_environment import NO_CREDENTIALS, set_aws_environment
from tests.fake_aws import denied
from tests.http_endpoint import serve_http
from tests.kinesis_answers import SHARD_LIMITS
from tests.telemetries import Telemetries


@dataclass
class Recorder:
    """An AWS that records each call. accepted_keys: the access keys that it accepts; None: every key."""

    url: str = ""
    accepted_keys: set[str] | None = None
    calls: list[tuple[str, str, str]] = field(default_factory=list)  # access key, session token, stream name

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers["Authorization"].split("Credential=")[1].split("/")[0]
        self.calls.append((key, request.headers.get("X-Amz-Security-Token", ""), body.get("StreamName", "")))
        await asyncio.sleep(0)  # other tasks get their turn
        if self.accepted_keys is not None and key not in self.accepted_keys:
            expired = {"__type": "ExpiredTokenException", "message": "the token is expired"}
            return web.json_response(expired, status=400)
        return web.json_response({"StreamDescriptionSummary": {}} if body else SHARD_LIMITS)


@pytest.fixture
async def aws() -> AsyncIterator[Recorder]:
    """An AWS that records the access key of each request."""
    recorder = Recorder()
    async with serve_http(recorder.handle) as port:
        recorder.url = f"http://127.0.0.1:{port}"
        yield recorder


class KeySequence(Credentials):
    """Credentials whose access key is replaced by the next of a sequence at each refresh."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self._keys = [*keys]

    async def frozen(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(self._keys[0], "secret", f"token of {self._keys[0]}")

    async def _reload(self) -> None:
        if len(self._keys) > 1:
            del self._keys[0]


def cell_of(credentials: Credentials, aws: Recorder, clients: ClientCache, account: str = "1") -> Cell:
    rates = {"kinesis": 1e6, "kinesis:DescribeLimits": 1e6}
    return Cell(credentials, account, "eu-west-1", Telemetries().aws, rates, aws.url, clients)


async def test_calls_of_many_accounts_through_one_client_are_signed_with_the_key_of_their_account(
    aws: Recorder,
) -> None:
    clients = ClientCache()
    cells = {f"AKIA{n}": cell_of(KeySequence(f"AKIA{n}"), aws, clients, str(n)) for n in range(20)}

    async def call(key: str) -> None:
        await cells[key].call("kinesis", "DescribeStreamSummary", StreamName=key)

    await asyncio.gather(*(call(key) for _ in range(10) for key in cells))
    client_ids = {id(await cell.client("kinesis")) for cell in cells.values()}
    await clients.aclose()
    assert len(client_ids) == 1
    assert len(aws.calls) == 200
    for key, token, stream_name in aws.calls:
        assert (key, token) == (stream_name, f"token of {stream_name}")


async def test_a_call_outside_of_any_cell_raises_and_is_not_sent(aws: Recorder) -> None:
    clients = ClientCache()
    client = await clients.get("kinesis", "eu-west-1", aws.url)
    with pytest.raises(LookupError):
        await client.describe_limits()
    await clients.aclose()
    assert aws.calls == []


async def test_expired_credentials_are_read_again_and_the_call_is_repeated(aws: Recorder) -> None:
    clients = ClientCache()
    cell, aws.accepted_keys = cell_of(KeySequence("AKIAOLD", "AKIANEW"), aws, clients), {"AKIANEW"}
    answers = await asyncio.gather(*(cell.call("kinesis", "DescribeLimits") for _ in range(5)))
    await clients.aclose()
    assert len(answers) == 5
    assert {key for key, *_ in aws.calls[5:]} == {"AKIANEW"}


async def test_a_call_is_not_repeated_if_a_refresh_finds_the_same_expired_credentials(aws: Recorder) -> None:
    clients, aws.accepted_keys = ClientCache(), set()
    cell = cell_of(KeySequence("AKIAOLD"), aws, clients)
    for _ in range(3):
        with pytest.raises(ClientError):
            await cell.call("kinesis", "DescribeLimits")
    await clients.aclose()
    assert len(aws.calls) == 3


# Credentials of the environment


@pytest.fixture
def credentials_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of the shared credentials file, the only source of credentials."""
    path = tmp_path / "credentials"
    set_aws_environment(monkeypatch, NO_CREDENTIALS | {"AWS_SHARED_CREDENTIALS_FILE": str(path)})
    return path


def rotate(credentials_file: Path, key: str) -> None:
    """Replace the credentials in a file."""
    credentials_file.write_text(
        f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n"
    )


async def test_a_rotated_file_is_read_again_when_aws_rejects_its_former_keys(
    aws: Recorder, credentials_file: Path
) -> None:
    rotate(credentials_file, "AKIAOLD")
    clients, credentials = ClientCache(), EnvironmentCredentials()
    cell = cell_of(credentials, aws, clients)
    await cell.call("kinesis", "DescribeLimits")
    rotate(credentials_file, "AKIANEW")
    aws.accepted_keys = {"AKIANEW"}
    await cell.call("kinesis", "DescribeLimits")
    await clients.aclose()
    assert [key for key, *_ in aws.calls] == ["AKIAOLD", "AKIAOLD", "AKIANEW"]


async def test_credentials_that_are_written_later_are_found(credentials_file: Path) -> None:
    now = 0.0
    credentials = EnvironmentCredentials(clock=lambda: now)
    with pytest.raises(NoCredentialsError):
        await credentials.frozen()
    rotate(credentials_file, "AKIANEW")
    with pytest.raises(NoCredentialsError):  # the failure is raised again for MIN_READ_INTERVAL
        await credentials.frozen()
    now += MIN_READ_INTERVAL
    assert (await credentials.frozen()).access_key == "AKIANEW"


@dataclass
class HungProcess:
    """A `credential_process` that answers only when the test calls `answer`."""

    folder: Path

    def __post_init__(self) -> None:
        os.mkfifo(self._answer_pipe)
        script = f"echo started >> {self._starts_file}; cat {self._answer_pipe}"
        self.config = self.folder / "config"
        self.config.write_text(f"[default]\ncredential_process = sh -c '{script}'\n")

    @property
    def _answer_pipe(self) -> Path:
        return self.folder / "answers"

    @property
    def _starts_file(self) -> Path:
        return self.folder / "starts"

    @property
    def start_count(self) -> int:
        return len(self._starts_file.read_text().splitlines())

    async def answer(self, key: str) -> None:
        """Answer with this access key; return once the process has read the answer."""
        answer = json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": "s"})
        await asyncio.to_thread(self._answer_pipe.write_text, answer)


async def wait_for_credentials(credentials: Credentials) -> ReadOnlyCredentials:
    """Return the credentials as soon as they can be read."""
    async with asyncio.timeout(30):
        while True:
            with suppress(CredentialRetrievalError):
                return await credentials.frozen()
            await asyncio.sleep(0.01)


async def test_a_credential_process_that_hangs_is_started_once_and_every_call_ends_after_the_timeout(
    aws: Recorder, credentials_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = HungProcess(credentials_file.parent)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(process.config))
    clients, credentials = ClientCache(), EnvironmentCredentials(timeout=1.0)
    cells = [cell_of(credentials, aws, clients, str(n)) for n in range(3)]
    calls = [cell.call("kinesis", "DescribeLimits") for cell in cells for _ in range(3)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {str(error) for error in errors} == {
        "Error when retrieving credentials from the environment: no answer within 1 s"
    }
    with pytest.raises(CredentialRetrievalError):  # raised without another wait
        await credentials.frozen()
    assert process.start_count == 1
    await process.answer("AKIALATE")
    assert (await wait_for_credentials(credentials)).access_key == "AKIALATE"
    assert process.start_count == 1
    await clients.aclose()


# Credentials of a role


def role_credentials(
    *outcomes: float | Exception, clock: Callable[[], float] = time.monotonic
) -> tuple[RoleCredentials, list[int]]:
    """Return the credentials of a role, and a list with an item for each attempt to assume the role so far.

    outcomes: for each attempt, the seconds that its credentials last, or the error that it raises; the last
    outcome repeats.
    """
    attempts: list[int] = []

    async def assume() -> dict[str, Any]:
        attempts.append(len(attempts))
        outcome = outcomes[min(len(attempts), len(outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        expires = datetime.fromtimestamp(time.time() + outcome, UTC)
        key = f"ASIA{len(attempts)}"
        return {"AccessKeyId": key, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}

    return RoleCredentials(assume, clock), attempts


async def test_a_role_is_assumed_once_as_long_as_its_credentials_last() -> None:
    role, attempts = role_credentials(3600)
    frozen = await asyncio.gather(*(role.frozen() for _ in range(10)))
    assert ({credentials.access_key for credentials in frozen}, len(attempts)) == ({"ASIA1"}, 1)


async def test_a_role_is_assumed_again_before_its_credentials_expire() -> None:
    role, _ = role_credentials(EXPIRY_MARGIN - 1, 3600)
    assert [(await role.frozen()).access_key for _ in range(3)] == ["ASIA1", "ASIA2", "ASIA2"]


async def test_credentials_of_a_role_that_cannot_be_renewed_are_used_until_they_expire(
    caplog: pytest.LogCaptureFixture,
) -> None:
    role, attempts = role_credentials(EXPIRY_MARGIN - 1, denied("AssumeRole"))
    assert {(await role.frozen()).access_key for _ in range(5)} == {"ASIA1"}
    assert len(attempts) == 2
    assert len(caplog.records) == 1


async def test_a_denied_role_is_tried_once_for_many_waiting_calls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    role, attempts = role_credentials(denied("AssumeRole"))
    errors = await asyncio.gather(*(role.frozen() for _ in range(500)), return_exceptions=True)
    assert {type(error) for error in errors} == {ClientError}
    assert len(attempts) == 1
    assert not any(record.exc_info for record in caplog.records)


async def test_credentials_of_a_role_that_aws_rejects_are_renewed() -> None:
    role, _ = role_credentials(3600)
    rejected = await role.frozen()
    assert await role.refresh(rejected, "eu-west-1")
    assert (await role.frozen()).access_key == "ASIA2"
    assert await role.refresh(rejected, "eu-west-1")  # for another call with the old credentials
    assert not await role.refresh(await role.frozen(), "eu-west-1")  # no second renewal so soon


async def test_a_region_that_rejects_valid_credentials_causes_renewals_less_and_less_often() -> None:
    """A region that is not enabled rejects valid credentials with InvalidClientTokenId."""
    now, renewal_minutes = 0.0, []
    role, attempts = role_credentials(3600, clock=lambda: now)
    rejected = await role.frozen()
    for minute in range(0, 24 * 60, 5):
        now, earlier_attempt_count = minute * 60.0, len(attempts)
        while await role.refresh(rejected, "me-south-1"):
            rejected = await role.frozen()
        if len(attempts) > earlier_attempt_count:
            renewal_minutes.append(minute)
    assert renewal_minutes[:9] == [0, 5, 10, 15, 20, 30, 50, 85, 145]
    assert {later - earlier for earlier, later in pairwise(renewal_minutes[8:])} == {60}


async def test_the_backoff_of_a_region_starts_anew_after_two_hours_without_a_renewal() -> None:
    now = 0.0
    role, _ = role_credentials(3600, clock=lambda: now)
    for minute in (0, 5, 10, 15, 136, 137):
        now = minute * 60.0
        assert await role.refresh(await role.frozen(), "eu-west-1")


async def test_renewals_for_one_region_do_not_delay_renewals_for_another_region() -> None:
    now = 0.0
    role, _ = role_credentials(3600, clock=lambda: now)
    for minute in range(0, 20, 5):
        now = minute * 60.0
        await role.refresh(await role.frozen(), "me-south-1")
    now += 60.0
    rejected = await role.frozen()
    assert not await role.refresh(rejected, "me-south-1")
    assert await role.refresh(rejected, "eu-west-1")


async def test_credentials_that_one_region_rejects_stay_in_use_if_they_cannot_be_renewed() -> None:
    role, attempts = role_credentials(3600, denied("AssumeRole"))
    rejected = await role.frozen()  # by a region that is not enabled: it answers InvalidClientTokenId
    assert not await role.refresh(rejected, "eu-west-1")
    assert len(attempts) == 2
    assert await role.frozen() == rejected
