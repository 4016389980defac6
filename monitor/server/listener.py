"""The HTTP server. It accepts the connections that its limiter admits.

It keeps working when the process runs out of file descriptors. asyncio's own server would accept every
connection, and without descriptors log a traceback each second.
"""

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import uvicorn

from monitor.http.connection import HttpConnection
from monitor.http.connection_limiter import ConnectionLimiter, ConnectionSlot

HANDSHAKE_TIMEOUT: Final = 10.0  # seconds for the TLS handshake
RESOURCE_ERRORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
BACKLOG: Final = 128  # connections that the system queues until they are accepted
ACCEPT_RETRY_INTERVAL: Final = 0.05  # seconds, after a connection could not be accepted


class Listener:
    """Accepts the connections to one socket.

    create_protocol: called for each connection. tls: None for plain HTTP. task: the task that accepts
    connections; it ends when the listener is closed, or when it fails.
    """

    def __init__(
        self,
        listening_socket: socket.socket,
        create_protocol: Callable[[], HttpConnection],
        limiter: ConnectionLimiter,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._socket, self._create_protocol = listening_socket, create_protocol
        self._limiter, self._tls = limiter, tls
        self._opening_tasks: set[asyncio.Task[None]] = set()  # tasks that attach a protocol to a connection
        listening_socket.setblocking(False)
        self.task = asyncio.create_task(self._accept_all(), name="listener")

    async def close(self) -> None:
        """Stop accepting connections; open ones stay open."""
        tasks = [self.task, *self._opening_tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept_all(self) -> None:
        while True:
            try:
                accepted_socket, peer = self._socket.accept()
            except BlockingIOError:
                await self._wait_for_connection()
            except OSError as error:
                if error.errno in RESOURCE_ERRORS and self._has_pending():
                    self._limiter.evict()
                    self._limiter.count_refusal("files")
                await asyncio.sleep(ACCEPT_RETRY_INTERVAL)
            else:
                try:
                    self._admit(accepted_socket, peer[0])
                except BaseException:
                    accepted_socket.close()
                    raise
                await asyncio.sleep(0)  # let other tasks run between many connections

    async def _wait_for_connection(self) -> None:
        """Wait until `accept` has a connection or an error.

        asyncio's `sock_accept` is not used: a connection that arrives while it is cancelled would be accepted
        and lost, and an InvalidStateError logged.
        """
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._socket)

    def _has_pending(self) -> bool:
        """Return whether a connection waits to be accepted: `accept` raises EMFILE even if none waits."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _admit(self, accepted_socket: socket.socket, address: str) -> None:
        slot = self._limiter.admit(address, accepted_socket.close)
        if slot is None:
            accepted_socket.close()
            return
        task = asyncio.create_task(self._open(accepted_socket, slot))
        self._opening_tasks.add(task)
        slot.close_by(partial(_cancel, task))
        task.add_done_callback(lambda _: self._on_opened(task, accepted_socket, slot))

    async def _open(self, accepted_socket: socket.socket, slot: ConnectionSlot) -> None:
        """Do the TLS handshake, if any, and attach a protocol to the socket."""
        protocol = self._create_protocol()
        protocol.occupy(slot)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol,
            accepted_socket,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
        )
        slot.close_by(transport.abort)

    def _on_opened(
        self, task: asyncio.Task[None], accepted_socket: socket.socket, slot: ConnectionSlot
    ) -> None:
        self._opening_tasks.discard(task)
        if task.cancelled() or task.exception():
            accepted_socket.close()
            slot.release()


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


class HttpServer(uvicorn.Server):
    """uvicorn with a `Listener` per socket and without signal handlers: the composition root stops it.

    uvicorn's own main loop checks ten times a second whether to stop, which takes half of an idle process's
    CPU time; this loop waits until `should_exit` is set.

    limiter: None for a limiter with the default limit. protocol: the class of connections, with their
    time-outs.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        limiter: ConnectionLimiter | None = None,
        protocol: type[HttpConnection] = HttpConnection,
    ) -> None:
        self._stop = asyncio.Event()
        super().__init__(config)
        self._limiter = ConnectionLimiter() if limiter is None else limiter
        self._protocol = protocol
        self._listeners: list[Listener] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting connections."""
        self.servers = []
        self._listeners = [
            Listener(listening_socket, self._create_protocol, self._limiter, self.config.ssl)
            for listening_socket in sockets or ()
        ]
        self.started = True

    @property
    def should_exit(self) -> bool:
        """True once the server is to stop. Set it to True to stop the server."""
        return self._stop.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._stop.set()
        else:
            self._stop.clear()

    async def main_loop(self) -> None:
        """Wait until `should_exit` is set. Raises the exception of a listener that failed."""
        stopped = asyncio.create_task(self._stop.wait())
        try:
            listener_tasks = [listener.task for listener in self._listeners]
            done, _ = await asyncio.wait({stopped, *listener_tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in done:
            task.result()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and close the open ones."""
        for listener in self._listeners:
            await listener.close()
        await super().shutdown(sockets)

    def _create_protocol(self) -> HttpConnection:
        return self._protocol(self.config, self.server_state, app_state={})

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError with the address if it is in use, not local or unknown."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening_socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # Python appends the address as a tuple. The number of an unknown host is none of `os.strerror`.
        reason, _, _ = (error.strerror or str(error)).partition(" (while attempting")
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise OSError(error.errno, f"cannot listen on {address}: {reason}") from None
    # Accepted sockets inherit it: small responses are not delayed.
    listening_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening_socket


def bound_address(listening_socket: socket.socket) -> str:
    """Return host:port of a listening socket; the system chose the port if it was bound with port 0."""
    host, port = listening_socket.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
