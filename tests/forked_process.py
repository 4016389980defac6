"""`headroom` as a fork of a process that has imported it: see `tests.command_server`."""

import asyncio
import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from tests.command_server import CommandLine

ROOT = Path(__file__).parents[1]


class ForkedProcess:
    """A command that runs. Has what the tests use of asyncio.subprocess.Process."""

    def __init__(
        self,
        pid: int,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
        report: asyncio.StreamReader,
    ) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._end(report))

    @classmethod
    async def start(cls, *arguments: str, environ: Mapping[str, str], folder: Path) -> "ForkedProcess":
        """Run `headroom` with these arguments, in a working folder; its standard input is empty."""
        (request, to_write), (output, stdout), (errors, stderr), (reported, report) = (
            os.pipe() for _ in range(4)
        )
        stdin = os.open(os.devnull, os.O_RDONLY)
        given = (stdin, stdout, stderr, request, report)
        socket.send_fds(command_server(), [b"+"], given)
        for descriptor in given:
            os.close(descriptor)
        with os.fdopen(to_write, "wb") as pipe:
            pipe.write(msgspec.json.encode(CommandLine([*arguments], {**environ}, str(folder))))
        report_reader = await reading(reported)
        pid = int(await report_reader.readline())
        return cls(pid, await reading(output), await reading(errors), report_reader)

    async def _end(self, report: asyncio.StreamReader) -> int:
        self.returncode = int(await report.read())  # to its end: the pipe is closed before the event loop is
        return self.returncode

    async def wait(self) -> int:
        """Wait for the end; return the exit code, or the negative number of the signal that ended it."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return the rest of its output and its errors, once it has ended."""
        output, errors, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return output, errors

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def reading(descriptor: int) -> asyncio.StreamReader:
    """Return a stream of a pipe, which is closed at its end."""
    reader = asyncio.StreamReader()
    protocol, pipe = asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader


@cache
def command_server() -> socket.socket:
    """Start the server of this process, which ends with it; return the socket for requests."""
    ours, its = socket.socketpair()
    with its:
        command = (sys.executable, "-m", "tests.command_server", str(its.fileno()))
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()])

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours
