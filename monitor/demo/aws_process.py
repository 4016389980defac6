"""Starts the simulated AWS in a separate process, and begins its scenes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from monitor.demo.scenes import Scene

START_TIMEOUT = 120.0  # seconds until the simulated AWS is ready, also on a busy machine
STOP_TIMEOUT = 0.5  # seconds until a process that has not ended is killed


@dataclass(frozen=True, slots=True)
class AwsProcess:
    """A running process of the simulated AWS. url: its address."""

    url: str
    stdin: asyncio.StreamWriter

    async def begin(self, scene: Scene) -> None:
        """Begin a scene. Raises OSError when the process has ended."""
        self.stdin.write(f"{scene.value}\n".encode())
        await self.stdin.drain()


@asynccontextmanager
async def start_aws(*arguments: str, start_timeout: float = START_TIMEOUT) -> AsyncIterator[AwsProcess]:
    """Start the simulated AWS in a process that ends with this one.

    Raises OSError (TimeoutError is one) when it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor.demo.aws",
        "--port",
        "0",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C must not reach it
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    try:
        try:
            line = await asyncio.wait_for(stdout.readline(), start_timeout)
        except TimeoutError:
            raise TimeoutError(f"the demo's AWS did not start within {start_timeout:g} s") from None
        if not line:
            raise OSError("the demo's AWS did not start")
        yield AwsProcess(f"http://127.0.0.1:{json.loads(line)['port']}", stdin)
    finally:
        stdin.close()
        with suppress(ProcessLookupError):
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until a process has ended; kill it after a time-out."""
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
