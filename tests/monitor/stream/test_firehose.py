"""The endpoint of Firehose over HTTP: keys, statuses, and requests that break the protocol."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest

from monitor.fleet.fleet import Fleet
from monitor.lib.byte_budget import ByteBudget
from monitor.stream import firehose
from monitor.stream.dead_letters import StreamDeadLetter
from monitor.stream.envelope import MAX_BODY_BYTES, MAX_RECORDS
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import IngestOptions
from tests.monitor.stream.bodies import NOW, SOURCE, Update, envelope, line, lines, message
from tests.monitor.stream.endpoint import KEYS, Endpoint, check_reply, headers_of, serve_endpoint
from tests.monitor.stream.fleets import fleet_of, incoming_bytes, ingest_of, value

UPDATE = Update()
GOOD = envelope([line(UPDATE)])
ORDERS = incoming_bytes.of(StreamName="orders")


@pytest.fixture
def fleet() -> Fleet:
    return fleet_of()


@pytest.fixture
async def endpoint(fleet: Fleet) -> AsyncIterator[Endpoint]:
    async with serve_endpoint(ingest_of(fleet)) as endpoint:
        yield endpoint


@pytest.mark.parametrize("gzipped", [True, False])
async def test_updates_of_an_accepted_delivery_are_in_the_fleet(
    endpoint: Endpoint, fleet: Fleet, gzipped: bool
) -> None:
    answer = await endpoint.post(
        envelope([lines([UPDATE]), message([UPDATE.but(minutes_ago=2)])]), gzipped=gzipped
    )
    check_reply(answer, 200)
    assert value(fleet, ORDERS) == UPDATE.sum


@pytest.mark.parametrize("key", KEYS)
async def test_each_access_key_is_accepted(endpoint: Endpoint, key: str) -> None:
    check_reply(await endpoint.post(GOOD, x_amz_firehose_access_key=key), 200)


@pytest.mark.parametrize("key", [None, "", "wrong", "old-ke", "old-key,new-key", "old-key x"])
async def test_a_wrong_or_missing_key_has_status_401(endpoint: Endpoint, key: str | None) -> None:
    check_reply(await endpoint.post(GOOD, x_amz_firehose_access_key=key), 401)


@pytest.mark.parametrize("keys", [(), ("",)])
async def test_if_no_key_is_configured_every_request_is_rejected(
    endpoint: Endpoint, keys: tuple[str, ...]
) -> None:
    endpoint.access = FirehoseAccess(keys)
    check_reply(await endpoint.post(GOOD, x_amz_firehose_access_key=""), 401)
    check_reply(await endpoint.post(GOOD, x_amz_firehose_access_key=None), 401)


@pytest.mark.parametrize(
    ("sources", "status"),
    [
        ((), 200),
        (("123456789012",), 200),
        ((SOURCE,), 200),
        (("999999999999",), 403),
        ((SOURCE + "-2",), 403),
    ],
)
async def test_only_listed_sources_are_accepted(
    endpoint: Endpoint, sources: tuple[str, ...], status: int
) -> None:
    endpoint.access = FirehoseAccess(KEYS, sources)
    check_reply(await endpoint.post(GOOD), status)
    check_reply(await endpoint.post(GOOD, x_amz_firehose_source_arn=None), 403 if sources else 200)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(GOOD, {"x_amz_firehose_protocol_version": "2.0"}, id="another version"),
        pytest.param(GOOD, {"x_amz_firehose_protocol_version": None}, id="no version"),
        pytest.param(GOOD, {"content_encoding": "br"}, id="another encoding"),
        pytest.param(GOOD, {"content_encoding": "gzip"}, id="not gzip"),
        pytest.param(gzip.compress(GOOD)[:-9], {"content_encoding": "gzip"}, id="truncated gzip"),
        pytest.param(gzip.compress(GOOD) * 2, {"content_encoding": "gzip"}, id="two gzip streams"),
        pytest.param(envelope([line(UPDATE)], "r-2"), {}, id="another request id"),
        pytest.param(b"", {}, id="empty"),
        pytest.param(b"{", {}, id="not JSON"),
        pytest.param(b"[" * 100_000, {}, id="nested too deeply"),
        pytest.param(b'{"requestId":"r-1","timestamp":1}', {}, id="no records"),
        pytest.param(b'{"requestId":null,"records":[]}', {}, id="no request id"),
        pytest.param(b'{"requestId":"r-1","records":{}}', {}, id="records are no list"),
        pytest.param(b'{"requestId":"r-1","records":[{"data":"%%%"},{}]}', {}, id="only malformed records"),
        pytest.param(b'{"requestId":"r-1","records":[{"data":"\xff"}]}', {}, id="not UTF-8"),
        pytest.param(envelope([b""] * (MAX_RECORDS + 1)), {}, id="10,001 records"),
        pytest.param(b'{"requestId":"r-1","records":[' + b"{}," * 30_000 + b"{}]}", {}, id="30,001 records"),
    ],
)
async def test_an_invalid_delivery_has_status_400(
    endpoint: Endpoint, body: bytes, headers: dict[str, Any]
) -> None:
    check_reply(await endpoint.post(body, **headers), 400)


async def test_a_request_id_that_is_too_long_has_status_400(
    endpoint: Endpoint,
) -> None:
    long = "r" * (firehose.MAX_ID_LENGTH + 1)
    answer = await endpoint.post(envelope([line(UPDATE)], long), x_amz_firehose_request_id=long)
    assert "Request-Id" in check_reply(answer, 400, long[:-1])["errorMessage"]


async def test_without_a_request_id_the_reply_conforms_to_the_protocol(endpoint: Endpoint) -> None:
    check_reply(await endpoint.post(GOOD, x_amz_firehose_request_id=None), 400, "")


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="no record"),
        pytest.param([b""] * MAX_RECORDS, id="10,000 empty records"),
        pytest.param([b"bad", line(UPDATE)], id="one malformed record"),
    ],
)
async def test_valid_requests_are_answered_with_200(endpoint: Endpoint, records: list[bytes]) -> None:
    check_reply(await endpoint.post(envelope(records)), 200)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_have_status_405(endpoint: Endpoint, method: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(method, endpoint.url, headers=headers_of("r-1"))
    check_reply(answer, 405)
    assert answer.headers["allow"] == "POST"


async def test_a_body_in_chunks_without_a_length_is_accepted(endpoint: Endpoint, fleet: Fleet) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(GOOD), 100):
            yield GOOD[start : start + 100]

    async with httpx.AsyncClient(trust_env=False) as client:
        check_reply(await client.post(endpoint.url, content=chunks(), headers=headers_of("r-1")), 200)
    assert value(fleet, ORDERS) == UPDATE.sum


async def test_a_gzip_bomb_is_rejected(endpoint: Endpoint) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * 2**20
    bomb = b"".join(deflate.compress(blanks) for _ in range(MAX_BODY_BYTES // 2**20 + 10)) + deflate.flush()
    assert (
        "once decompressed"
        in check_reply(await endpoint.post(bomb, content_encoding="gzip"), 400)["errorMessage"]
    )


async def test_a_content_length_that_is_too_large_has_status_400_instead_of_413(endpoint: Endpoint) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    writer.write(raw_head({"Content-Length": str(MAX_BODY_BYTES + 1)}))
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_dimension_of_900_kib_affects_only_its_line(endpoint: Endpoint, fleet: Fleet) -> None:
    huge = UPDATE.but(dimensions=(("StreamName", "x" * 900 * 2**10),))
    answer = await endpoint.post(envelope([line(huge) + line(UPDATE), message([huge]) + message([UPDATE])]))
    check_reply(answer, 200)
    assert value(fleet, ORDERS) == UPDATE.sum
    assert endpoint.ingest.dead_letters.count == 2
    assert len(endpoint.ingest.names.by_number) < 10


async def test_a_request_beyond_the_budget_has_status_503_before_its_body_is_read(endpoint: Endpoint) -> None:
    endpoint.ingest.budget = ByteBudget(100_000)
    _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    # Without a body, the request still reserves its length.
    writer.write(raw_head({"Content-Length": "70000"}))
    while not endpoint.ingest.budget.used:
        await asyncio.sleep(0)
    check_reply(await endpoint.post(GOOD), 503)
    writer.close()
    await writer.wait_closed()
    while endpoint.ingest.budget.used:
        await asyncio.sleep(0.01)
    check_reply(await endpoint.post(GOOD), 200)


async def test_a_body_that_does_not_arrive_in_time_has_status_408(fleet: Fleet) -> None:
    async with serve_endpoint(ingest_of(fleet), body_timeout=0.05) as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(raw_head({"Content-Length": "70000"}) + b"{")
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(part for part in head.lower().split(b"\r\n") if part.startswith(b"content-length"))
            reply = json.loads(await reader.readexactly(int(length.split(b":")[1])))
        assert set(reply) == {"requestId", "timestamp", "errorMessage"}
        writer.close()
        await writer.wait_closed()
        assert endpoint.ingest.budget.used == 0


class ListDeadLetterStore:
    """A DeadLetterStore that stores all letters, and raises an error at the first."""

    def __init__(self) -> None:
        self._letters: list[StreamDeadLetter] = []

    @property
    def count(self) -> int:
        return len(self._letters)

    def add(self, letter: StreamDeadLetter) -> None:
        self._letters.append(letter)
        if self.count == 1:
            raise MemoryError("secret")

    def latest(self) -> Sequence[StreamDeadLetter]:
        return self._letters[::-1]


async def test_an_unexpected_error_has_status_500_and_conforms_to_the_protocol(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    body = envelope([b"no metric", line(UPDATE)])
    options = IngestOptions(dead_letters=ListDeadLetterStore())
    async with serve_endpoint(ingest_of(fleet, options=options)) as endpoint:
        assert "secret" not in str(check_reply(await endpoint.post(body), 500))
        assert "MemoryError" in caplog.text
        check_reply(await endpoint.post(body), 200)
        assert endpoint.ingest.dead_letters.count == 2


async def test_keys_do_not_get_into_the_log_or_a_representation(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    await endpoint.post(GOOD, x_amz_firehose_access_key="wrong-key")
    assert "wrong-key" not in caplog.text
    assert KEYS[0] not in repr(endpoint.access)


async def test_dead_letters_are_in_the_api(endpoint: Endpoint) -> None:
    await endpoint.post(envelope([b"no metric", line(UPDATE)]))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{endpoint.port}/api/v1/stream/dead-letters")
    (letter,) = answer.json()["items"]
    assert letter["piece"] == "no metric"
    assert (letter["request"], letter["source"]) == ("r-1", SOURCE)
    assert datetime.fromisoformat(letter["at"]).timestamp() == NOW
    assert answer.json()["total"] == 1


def raw_head(headers: dict[str, str]) -> bytes:
    """Return the head of a request as bytes."""
    all_headers = {"Host": "localhost", **headers_of("r-1"), **headers}
    head_lines = [
        f"POST {firehose.FIREHOSE_PATH} HTTP/1.1",
        *(f"{name}: {text}" for name, text in all_headers.items()),
    ]
    return "\r\n".join([*head_lines, "", ""]).encode()
