"""`headroom` as a fork of a process that has imported its commands: see `tests.command_server`."""

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
    """A running command, with the methods of asyncio.subprocess.Process that tests use.

    report: the pipe from which the process id was read, and from which the exit code comes.
    """

    def __init__(
        self,
        pid: int,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
        report: asyncio.StreamReader,
    ) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._read_exit_code(report))

    @classmethod
    async def start(cls, *arguments: str, environ: Mapping[str, str], folder: Path) -> "ForkedProcess":
        """Run `headroom` with these arguments, in a working folder; its standard input is empty."""
        # Each pair is the read end and the write end of a pipe.
        (read_request, write_request), (read_output, write_output) = os.pipe(), os.pipe()
        (read_errors, write_errors), (read_report, write_report) = os.pipe(), os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY)
        descriptors = (stdin, write_output, write_errors, read_request, write_report)
        socket.send_fds(command_server(), [b"+"], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with os.fdopen(write_request, "wb") as pipe:
            pipe.write(msgspec.json.encode(CommandLine([*arguments], {**environ}, str(folder))))
        report_reader = await pipe_reader(read_report)
        pid = int(await report_reader.readline())
        return cls(pid, await pipe_reader(read_output), await pipe_reader(read_errors), report_reader)

    async def _read_exit_code(self, report: asyncio.StreamReader) -> int:
        # Read up to the end of the pipe, so that it is closed before the event loop.
        self.returncode = int(await report.read())
        return self.returncode

    async def wait(self) -> int:
        """Wait for the end; return the exit code, or the negative number of the signal that ended it."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Wait for the end; return the unread rest of standard output and of standard error."""
        output, errors, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return output, errors

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def pipe_reader(descriptor: int) -> asyncio.StreamReader:
    """Return a reader of a pipe. It closes the pipe when the pipe ends."""
    reader = asyncio.StreamReader()
    protocol, pipe = asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader


@cache
def command_server() -> socket.socket:
    """Start the command server, which ends with this process; return the socket for requests."""
    client_end, server_end = socket.socketpair()
    with server_end:
        command = (sys.executable, "-m", "tests.command_server", str(server_end.fileno()))
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[server_end.fileno()])

    def stop() -> None:
        client_end.close()
        process.wait()

    atexit.register(stop)
    return client_end
