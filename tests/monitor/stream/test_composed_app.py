"""Deliveries to the whole app: valid ones pass all middleware, invalid and slow ones are rejected."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from monitor.http.connection import HttpConnection
from monitor.server.options import ServerOptions
from monitor.stream import firehose
from monitor.stream.envelope import MAX_BODY_BYTES, MAX_RECORDS
from tests.monitor.stream.bodies import Update, envelope, line, lines, message
from tests.monitor.stream.composed_app import ComposedApp, composed_app, update_now
from tests.monitor.stream.endpoint import check_reply, headers_of

MIB = 2**20
ANSWER_TIMEOUT = 30.0  # seconds


@pytest.fixture
async def composed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_environ: dict[str, str]
) -> AsyncIterator[ComposedApp]:
    """Yield the whole app."""
    async with composed_app(tmp_path, monkeypatch, aws_environ) as composed:
        yield composed


async def usage_in_api(composed: ComposedApp, update: Update) -> float | None:
    """Return the bytes per second that the API has for the minute of an update."""
    history = (await composed.series_detail(resource="audit"))["history"]
    usage = {datetime.fromisoformat(sample["minute"]).timestamp(): sample["usage"] for sample in history}
    return usage.get(update.start // 1000)


def bomb() -> bytes:
    """Return a small gzip body that unpacks to more than is allowed."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(deflate.compress(b" " * MIB) for _ in range(MAX_BODY_BYTES // MIB + 10)) + deflate.flush()


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


async def test_the_points_of_large_or_unusual_bodies_are_in_the_fleet_when_firehose_is_answered(
    composed: ComposedApp,
) -> None:
    update = update_now()
    many = [update.but(dimensions=(("StreamName", f"s{n}"),)) for n in range(6000)]
    huge = update.but(dimensions=(("StreamName", "x" * 900_000),))
    attributes = '{"commonAttributes":{"a":"' + "b" * 60_000 + '"}}'
    # Each case takes a valid line of JSON and a valid OpenTelemetry message; it returns records and headers.
    cases: list[Callable[[bytes, bytes], tuple[list[bytes], dict[str, str]]]] = [
        lambda json, _: ([*map(line, many), json], {}),
        lambda json, _: ([lines(many[:2000]), lines(many[2000:5000]) + json], {"content_encoding": "gzip"}),
        lambda json, _: ([line(huge) + json, message([huge])], {}),
        lambda _, otlp: ([b"no metric", b"", otlp, *[b""] * 100], {}),
        lambda json, _: ([json], {"x_amz_firehose_common_attributes": attributes}),
        lambda json, _: ([json], {"transfer_encoding": "chunked"}),
    ]
    for number, case in enumerate(cases, 1):
        valid, request = update.but(sum=60.0 * number), f"r-{number}"
        records, headers = case(line(valid), message([valid]))
        body = envelope(records, request)
        content = gzip.compress(body) if "content_encoding" in headers else body
        answer = await composed.post(
            chunks(content) if "transfer_encoding" in headers else content,
            x_amz_firehose_request_id=request,
            **headers,
        )
        check_reply(answer, 200, request)
        assert await usage_in_api(composed, update) == pytest.approx(number)
    assert composed.app.ingest.dead_letters.count == 3


async def test_an_invalid_delivery_has_a_response_of_the_protocol_and_stores_nothing(
    composed: ComposedApp,
) -> None:
    update = update_now()
    good = envelope([line(update)])
    cases: list[tuple[bytes, dict[str, str | None], int]] = [
        (bomb(), {"content_encoding": "gzip"}, 400),
        (gzip.compress(good)[:-9], {"content_encoding": "gzip"}, 400),
        (envelope([b""] * (MAX_RECORDS + 1)), {}, 400),
        (envelope([line(update)], "r-2"), {}, 400),
        (envelope([b"bad", b"worse"]), {}, 400),
        (b"{", {}, 400),
        (b" " * (MAX_BODY_BYTES + 1), {}, 400),
        (good, {"x_amz_firehose_protocol_version": "2.0"}, 400),
        (good, {"x_amz_firehose_access_key": "wrong"}, 401),
        (good, {"x_amz_firehose_access_key": None}, 401),
    ]
    for body, headers, status in cases:
        check_reply(await composed.post(body, **headers), status)
    async with httpx.AsyncClient(trust_env=False) as client:
        check_reply(await client.get(composed.url + firehose.FIREHOSE_PATH, headers=headers_of("r-1")), 405)
    assert composed.app.ingest.budget.used == 0
    assert await usage_in_api(composed, update) is None


class ImpatientConnection(HttpConnection):
    """A connection whose client has half a second for the head of a request."""

    head_timeout = 0.5


async def test_slow_senders_are_cut_off_while_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_environ: dict[str, str]
) -> None:
    impatient = ServerOptions(delivery_timeout=0.5, connection=ImpatientConnection)
    async with composed_app(tmp_path, monkeypatch, aws_environ, impatient) as composed:
        head = f"POST {firehose.FIREHOSE_PATH} HTTP/1.1\r\nHost: a\r\n".encode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in headers_of("r-1").items()).encode()
        incomplete_requests = [b"", head, head + headers, head + headers + b"Content-Length: 1000\r\n\r\n{"]
        connections = [
            await asyncio.open_connection("127.0.0.1", composed.port)
            for _ in range(50 * len(incomplete_requests))
        ]
        for number, (_, writer) in enumerate(connections):
            writer.write(incomplete_requests[number % len(incomplete_requests)])
        check_reply(await composed.post(envelope([line(update_now())])), 200)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            answers = [(await reader.read())[:20] for reader, _ in connections]
        assert set(answers) == {b"", b"HTTP/1.1 408 Request"}
        for _, writer in connections:
            writer.close()
        assert composed.app.ingest.budget.used == 0
