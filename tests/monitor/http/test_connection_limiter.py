"""The limit of connections, and which connection is closed at the limit: in memory, and on loopback."""

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvicorn
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from monitor.http.connection import MAX_HEAD_SIZE, HttpConnection
from monitor.http.connection_limiter import (
    LOG_INTERVAL,
    MAX_HEAD_BYTES,
    MIN_AGE,
    ConnectionLimiter,
    ConnectionSlot,
    ConnectionState,
)
from monitor.server.listener import HttpServer, Listener, bind_socket
from tests.monitor.http.test_connection import EVENT_TIMEOUT, GET, OK, app

ROOT = Path(__file__).parents[3]


class NamedConnections:
    """A limiter with named connections. A connection's address is the first letter of its name.

    closed: the names of the connections that were closed, in that order.
    """

    def __init__(self, max_connections: int, max_head_bytes: int = MAX_HEAD_BYTES) -> None:
        self.now, self.registry = 0.0, CollectorRegistry()
        self.closed: list[str] = []
        self.limiter = ConnectionLimiter(self.registry, max_connections, lambda: self.now, max_head_bytes)

    def connect(self, name: str, state: ConnectionState = ConnectionState.IDLE) -> ConnectionSlot | None:
        """Open a connection, and return its slot; None if it is refused."""
        slot = self.limiter.admit(name[0], lambda: self.closed.append(name))
        if slot:
            slot.set_state(state)
        return slot

    def closed_or_refused(self, reason: str) -> float | None:
        """Return the number of connections that were closed or refused for a reason."""
        name = "headroom_http_connections_refused_total"
        return self.registry.get_sample_value(name, {"reason": reason})


def test_with_one_connection_for_each_address_idle_ones_are_closed_before_slow_ones() -> None:
    """A connection whose request is being answered is never closed."""
    connections = NamedConnections(4)
    connections.connect("a1", ConnectionState.RESPONDING)
    connections.connect("b1", ConnectionState.READING_BODY)
    connections.connect("c1", ConnectionState.READING_HEAD)
    connections.connect("d1")
    for name in ("e1", "f1", "g1"):
        connections.connect(name, ConnectionState.RESPONDING)
    assert connections.closed == ["d1", "c1", "b1"]
    assert connections.connect("h1") is None
    assert len(connections.limiter) == 4
    assert (connections.closed_or_refused("idle"), connections.closed_or_refused("full")) == (3, 1)
    assert connections.registry.get_sample_value("headroom_http_connections") == 4


def test_the_connection_that_has_been_idle_longest_is_closed() -> None:
    connections = NamedConnections(2)
    first = connections.connect("a1")
    connections.connect("b1")
    assert first
    first.set_state(ConnectionState.RESPONDING)
    first.set_state(ConnectionState.IDLE)
    connections.connect("c1")
    assert connections.closed == ["b1"]


def test_the_address_with_the_most_connections_loses_one_of_them() -> None:
    connections = NamedConnections(10)
    connections.connect("a1")
    for n in range(30):
        connections.connect(f"b{n}")
    assert connections.connect("c1")
    assert "a1" not in connections.closed
    assert len(connections.limiter) == 10


def test_an_address_with_more_than_half_of_the_connections_loses_one_although_it_is_being_answered() -> None:
    connections = NamedConnections(4)
    for name in ("a1", "b1", "b2", "b3"):
        connections.connect(name, ConnectionState.RESPONDING)
    assert connections.connect("b4") is None
    assert connections.connect("c1")
    assert connections.closed == ["b1"]


def test_closed_and_refused_connections_are_logged_once_a_minute_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections = NamedConnections(1)
    for n in range(100):
        connections.connect(f"a{n}")
    connections.now = LOG_INTERVAL
    connections.connect("b1")
    assert [record.getMessage() for record in caplog.records] == [
        "HTTP connections closed or refused: 1 (open: 0, limit: 1)",
        "HTTP connections closed or refused: 99 (open: 0, limit: 1)",
    ]


def test_at_the_limit_of_unfinished_heads_the_address_with_the_most_connections_loses_one() -> None:
    connections = NamedConnections(10, max_head_bytes=1000)
    slots = {
        name: connections.connect(name, ConnectionState.READING_HEAD) for name in ("a1", "b1", "b2", "b3")
    }
    for name, size in {"a1": 700, "b1": 100, "b2": 150, "b3": 50}.items():
        slot = slots[name]
        assert slot
        slot.set_head_bytes(size)
    assert connections.closed == []
    assert slots["b3"]
    slots["b3"].set_head_bytes(60)
    assert connections.closed == ["b2"]
    assert (
        connections.limiter.head_bytes,
        len(connections.limiter),
        connections.closed_or_refused("heads"),
    ) == (860, 3, 1)
    for slot in filter(None, slots.values()):
        slot.set_head_bytes(0)
        slot.release()
    assert connections.limiter.head_bytes == 0


def test_a_connection_younger_than_the_minimum_age_is_closed_after_a_slow_one() -> None:
    connections = NamedConnections(2)
    connections.connect("a1", ConnectionState.READING_HEAD)
    connections.now = MIN_AGE
    connections.connect("b1")
    connections.connect("c1")
    connections.connect("d1")
    assert connections.closed == ["a1", "b1"]


def test_releasing_a_connection_twice_is_harmless() -> None:
    connections = NamedConnections(1)
    slot = connections.connect("a1")
    assert slot
    slot.release()
    slot.release()
    slot.set_state(ConnectionState.READING_BODY)
    assert len(connections.limiter) == 0


@contextmanager
def silent_connections(count: int, address: tuple[str, int]) -> Iterator[None]:
    """Open connections. Every second connection sends half of a head, and the others send nothing."""
    with ExitStack() as stack:
        for n in range(count):
            connection = stack.enter_context(socket.create_connection(address, EVENT_TIMEOUT))
            connection.sendall(b"GET / HTTP/1.1\r\nX: " if n % 2 else b"")
        yield


@asynccontextmanager
async def send_request(
    address: tuple[str, int], path: bytes = b"", is_encrypted: ssl.SSLContext | None = None
) -> AsyncIterator[asyncio.StreamReader]:
    """Send a request, and yield the reader of its response."""
    reader, writer = await asyncio.open_connection(*address, ssl=is_encrypted)
    writer.write(GET % path)
    yield reader
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_idle_connections_do_not_prevent_new_connections() -> None:
    limiter = ConnectionLimiter(max_connections=8)
    listen_socket = bind_socket("127.0.0.1", 0)
    server = HttpServer(
        uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1), limiter
    )
    server_task = asyncio.create_task(server.serve([listen_socket]))
    address = listen_socket.getsockname()
    # The response to `/late` is complete after a second.
    async with asyncio.timeout(EVENT_TIMEOUT), send_request(address, b"late") as late_reader:
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        with silent_connections(40, address):
            while len(limiter) < 8 or len(server.server_state.connections) > 8:
                await asyncio.sleep(0.01)
            async with send_request(address) as reader:
                assert await reader.readline() == OK
            assert await late_reader.readline() == OK
    server.should_exit = True
    await server_task


async def test_unfinished_heads_take_bounded_memory() -> None:
    limiter = ConnectionLimiter(max_connections=100, max_head_bytes=200_000)
    listen_socket = bind_socket("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        h11_max_incomplete_event_size=MAX_HEAD_SIZE,
        timeout_graceful_shutdown=1,
    )
    server = HttpServer(config, limiter)
    server_task = asyncio.create_task(server.serve([listen_socket]))
    address = listen_socket.getsockname()
    async with asyncio.timeout(EVENT_TIMEOUT):
        with ExitStack() as stack:
            for _ in range(20):
                connection = stack.enter_context(socket.create_connection(address, EVENT_TIMEOUT))
                with suppress(ConnectionError):
                    await asyncio.to_thread(connection.sendall, b"GET / HTTP/1.1\r\nX: " + b"a" * 50_000)
            while not 0 < len(limiter) <= 4:
                await asyncio.sleep(0.01)
            assert 0 < limiter.head_bytes <= 200_000
            async with send_request(address) as reader:
                assert await reader.readline() == OK
        while len(limiter):
            await asyncio.sleep(0.01)
    assert limiter.head_bytes == 0
    server.should_exit = True
    await server_task


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["http", "https"])
async def test_silent_connections_are_limited_and_closed(is_encrypted: bool) -> None:
    """With TLS, a connection counts before its handshake, which the client may never begin."""
    authority = trustme.CA()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    config.load()
    config.ssl = server_side if is_encrypted else None
    limiter, listen_socket = ConnectionLimiter(max_connections=8), bind_socket("127.0.0.1", 0)
    server = HttpServer(config, limiter)
    server_task = asyncio.create_task(server.serve([listen_socket]))
    address = listen_socket.getsockname()
    async with asyncio.timeout(EVENT_TIMEOUT):
        with ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection(address, EVENT_TIMEOUT))
                await asyncio.sleep(0)
            while len(limiter) < 8:
                await asyncio.sleep(0.01)
            async with send_request(address, is_encrypted=client_side if is_encrypted else None) as reader:
                assert await reader.readline() == OK
            assert len(limiter) <= 8
        while len(limiter):
            await asyncio.sleep(0.01)
    server.should_exit = True
    await server_task


async def test_a_connection_that_arrives_while_the_listener_closes_raises_no_error() -> None:
    """The listener is cancelled in the turn of the event loop in which it finds the connection."""
    errors = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    with bind_socket("127.0.0.1", 0) as listen_socket:
        limiter = ConnectionLimiter(max_connections=8)
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        listener = Listener(listen_socket, lambda: HttpConnection(config, ServerState(), {}), limiter, None)
        await asyncio.sleep(0)  # now the listener waits for connections
        with socket.create_connection(listen_socket.getsockname()):
            await asyncio.create_task(listener.close())
        assert (errors, len(limiter)) == ([], 0)


class BrokenLimiter(ConnectionLimiter):
    """A limiter that fails unexpectedly."""

    def admit(self, address: str, close: Callable[[], None]) -> ConnectionSlot | None:
        raise RuntimeError(address)


async def test_a_server_whose_listener_fails_ends() -> None:
    with bind_socket("127.0.0.1", 0) as listen_socket, socket.create_connection(listen_socket.getsockname()):
        server = HttpServer(
            uvicorn.Config(app, lifespan="off", log_config=None), BrokenLimiter(max_connections=8)
        )
        async with asyncio.timeout(EVENT_TIMEOUT):
            with pytest.raises(RuntimeError, match=r"127\.0\.0\.1"):
                await server.serve([listen_socket])


SERVER_WITH_FEW_FILES = """
import asyncio, logging, resource, socket, sys
import uvicorn
from monitor.server.listener import HttpServer, Listener, bind_socket
from monitor.http.connection_limiter import ConnectionLimiter
from tests.monitor.http.test_connection import app

async def main():
    listening = bind_socket("127.0.0.1", 0)
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    server = HttpServer(config, ConnectionLimiter(max_connections=1000))
    print(listening.getsockname()[1], flush=True)
    await server.serve([listening])

logging.basicConfig()
resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
asyncio.run(main())
"""


async def test_a_server_without_free_file_descriptors_answers_and_logs_one_warning() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER_WITH_FEW_FILES, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    address = "127.0.0.1", int(await process.stdout.readline())
    with silent_connections(100, address):
        async with asyncio.timeout(EVENT_TIMEOUT), send_request(address) as reader:
            assert await reader.readline() == OK
    process.terminate()
    _, errors = await process.communicate()
    assert "Traceback" not in errors.decode()
    assert errors.count(b"closed or refused") == 1
