"""Slow, idle and malformed clients of a server on loopback."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import prod

import pytest
import uvicorn

from monitor.http.connection import MAX_HEAD_SIZE, HttpConnection
from monitor.server.listener import HttpServer, bind_socket

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Send = Callable[[dict[str, object]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, object]]]

EVENT_TIMEOUT = 20.0  # seconds to wait for an expected event
GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
LARGE_SIZE = 64 * 2**20  # more than any socket buffers
PIECES = (2**20, LARGE_SIZE // 2**20)
# By path: the bytes of a piece of the response, and the number of pieces.
SIZES = {"/": (2, 1), "/late": (2, 1), "/large": (LARGE_SIZE, 1), "/pieces": PIECES, "/slow": PIECES}


async def app(scope: dict[str, object], receive: Receive, send: Send) -> None:
    """Read the body, except for GET, and answer with the pieces that SIZES has for the path.

    `/large` is written at once. `/pieces` and `/slow` are written piece by piece, as fast as the client
    reads. `/slow` and `/late` wait for a second before their last piece.
    """
    while scope["method"] != "GET" and (await receive()).get("more_body"):
        pass
    size, pieces = SIZES[str(scope["path"])]
    head = [(b"content-length", str(size * pieces).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    for pieces_left in reversed(range(pieces)):
        if not pieces_left and scope["path"] in ("/slow", "/late"):
            await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": b"." * size, "more_body": pieces_left > 0})


@asynccontextmanager
async def connect_to_server(
    protocol: type[HttpConnection] = HttpConnection,
) -> AsyncIterator[tuple[Reader, Writer, HttpServer]]:
    """Yield a connection to a server, and the server."""
    listen_socket = bind_socket("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        http=HttpConnection,
        h11_max_incomplete_event_size=MAX_HEAD_SIZE,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = HttpServer(config, protocol=protocol)
    server_task = asyncio.create_task(server.serve([listen_socket]))
    reader, writer = await asyncio.open_connection(*listen_socket.getsockname())
    try:
        yield reader, writer, server
    finally:
        writer.close()
        server.should_exit = True
        await server_task


async def read_until_closed(reader: Reader) -> bytes:
    """Return the bytes that the server sends before it closes the connection."""
    async with asyncio.timeout(EVENT_TIMEOUT):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def trickle(writer: Writer, piece: bytes) -> None:
    """Send a piece every 10 ms until the connection is closed."""
    try:
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        pass


async def test_each_response_has_the_date_of_its_request() -> None:
    async with connect_to_server() as (reader, writer, _):
        for _ in range(2):  # two requests over one connection
            before = datetime.now(UTC).replace(microsecond=0)
            writer.write(GET % b"")
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            (date,) = re.findall(r"^date: (.*)\r$", head, re.M)
            assert before <= parsedate_to_datetime(date) <= datetime.now(UTC)
            await reader.readexactly(prod(SIZES["/"]))


class ImpatientConnection(HttpConnection):
    """A connection that waits for nothing longer than 0.3 s."""

    head_timeout = idle_timeout = body_timeout = write_timeout = 0.3


@pytest.mark.parametrize(
    "sent_bytes",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nX: ", id="half a head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{", id="half a body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", id="half a chunk"
        ),
    ],
)
async def test_a_client_that_does_not_complete_its_request_is_disconnected(sent_bytes: bytes) -> None:
    async with connect_to_server(ImpatientConnection) as (reader, writer, _):
        writer.write(sent_bytes)
        trickle_task = asyncio.create_task(trickle(writer, b"a" if sent_bytes else b""))
        assert await read_until_closed(reader) == b""
        trickle_task.cancel()


async def test_a_client_that_sends_an_unread_body_slowly_is_disconnected() -> None:
    async with connect_to_server(ImpatientConnection) as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        async with asyncio.timeout(EVENT_TIMEOUT):
            assert await reader.readline() == OK  # read before the server aborts, as unread data may be lost
        trickle_task = asyncio.create_task(trickle(writer, b"a"))
        await read_until_closed(reader)
        trickle_task.cancel()


CHUNKED_HEAD = b" /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("method", [b"GET", b"POST"], ids=["the app reads no body", "the app reads the body"])
async def test_a_body_that_is_not_http_is_rejected_without_an_error_in_the_log(
    method: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect_to_server() as (reader, writer, server):
        writer.write(method + CHUNKED_HEAD % b"" + b"zz\r\n")
        assert (await read_until_closed(reader)).startswith(b"HTTP/1.1 400 ")
        while server.server_state.tasks:
            await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_body_that_is_not_http_ends_a_begun_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connect_to_server() as (reader, writer, server):
        writer.write(b"GET" + CHUNKED_HEAD % b"slow")
        async with asyncio.timeout(EVENT_TIMEOUT):
            assert await reader.readline() == OK
        writer.write(b"zz\r\n")
        assert len(await read_until_closed(reader)) < LARGE_SIZE
        while server.server_state.tasks:
            await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_client_may_be_idle_for_longer_than_the_head_timeout() -> None:
    class PatientConnection(ImpatientConnection):
        idle_timeout = 2 * EVENT_TIMEOUT

    async with connect_to_server(PatientConnection) as (reader, writer, _):
        for pause in (2 * PatientConnection.head_timeout, 0):
            writer.write(GET % b"")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(OK)
            assert await reader.readexactly(2) == b".."
            await asyncio.sleep(pause)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        assert await read_until_closed(reader) == b""


async def test_a_client_that_stays_idle_is_disconnected() -> None:
    async with connect_to_server(ImpatientConnection) as (reader, writer, _):
        writer.write(GET % b"")
        assert (await read_until_closed(reader)).endswith(b"..")


async def test_a_client_that_does_not_complete_a_pipelined_request_is_disconnected() -> None:
    async with connect_to_server(ImpatientConnection) as (reader, writer, _):
        writer.write(GET % b"" + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        assert (await read_until_closed(reader)).startswith(OK)


@pytest.mark.parametrize("path", [b"large", b"pieces"])
async def test_a_client_that_does_not_read_the_response_is_disconnected(path: bytes) -> None:
    async with connect_to_server(ImpatientConnection) as (reader, writer, server):
        writer.write(GET % path)
        async with asyncio.timeout(EVENT_TIMEOUT):
            assert await reader.readline() == OK
            while server.server_state.connections:
                await asyncio.sleep(0.01)
        assert len(await read_until_closed(reader)) < LARGE_SIZE, "only buffered data arrives"


@pytest.mark.parametrize("path", [b"large", b"pieces", b"slow", b"late"])
async def test_a_client_that_reads_slowly_or_waits_gets_the_whole_response(path: bytes) -> None:
    size = 0
    async with connect_to_server(ImpatientConnection) as (reader, writer, _):
        writer.write(GET % path)
        await reader.readuntil(b"\r\n\r\n")
        while piece := await reader.read(2**20):
            size += len(piece)
            await asyncio.sleep(0.002)
    assert size == prod(SIZES[f"/{path.decode()}"])


async def test_pipelined_requests_get_responses_however_they_are_split() -> None:
    requests = GET % b"" + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET % b""
    async with connect_to_server() as (reader, writer, _):
        for start in range(len(requests)):
            writer.write(requests[start : start + 1])
            await asyncio.sleep(0)
        for _ in range(3):
            async with asyncio.timeout(EVENT_TIMEOUT):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(OK)
                assert await reader.readexactly(2) == b".."


async def test_a_head_as_large_as_firehose_may_send_is_accepted() -> None:
    async with connect_to_server() as (reader, writer, _):
        writer.write((GET % b"")[:-2] + b"X-Amz-Firehose-Common-Attributes: ")
        for _ in range(7):
            writer.write(b"a" * 10_000)
            await asyncio.sleep(0.01)  # so that the head arrives in parts
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(EVENT_TIMEOUT):
            assert await reader.readline() == OK
