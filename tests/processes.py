"""Context managers for tests that run other processes: the demo's AWS, `headroom` and others."""

import asyncio
import json
import os
import select
import ssl
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import httpx

from tests.forked_process import ForkedProcess

Result = TypeVar("Result")

ROOT = Path(__file__).parents[1]
# Seconds after which a process certainly hangs. The end of a process is noticed at once.
PROCESS_TIMEOUT = 300.0
COMMAND = (sys.executable, "-c", "from monitor.cli.main import main; main()")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@asynccontextmanager
async def running(
    *command: str, environ: Mapping[str, str] = ENVIRONMENT, folder: Path = ROOT
) -> AsyncIterator[Process]:
    """Start a process with pipes, in a working folder; kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environ, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def headroom(*arguments: str, environ: Mapping[str, str] = ENVIRONMENT) -> AsyncIterator[ForkedProcess]:
    """Fork `headroom` with these arguments, in an empty folder; kill it at the end if it still runs."""
    with TemporaryDirectory() as name:
        process = await ForkedProcess.start(*arguments, environ=environ, folder=Path(name))
        try:
            yield process
        finally:
            process.kill()
            await process.communicate()


async def nothing_pending(url: str) -> bool | None:
    """Return True once the service at a URL has read all that it watches; None before, for `eventually`."""
    response = await get(f"{url}/-/ready")
    return True if response and not response.json()["pending"] else None


@asynccontextmanager
async def demo_server() -> AsyncIterator[str]:
    """Start a demo; yield the address of its Headroom."""
    async with headroom("demo", "--port", "0") as process:
        yield (await read_line(process, "http://")).split("/")[2]


@contextmanager
def demo_aws_process(*arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Start the demo's AWS; yield the process and its address once it is ready."""
    command = (sys.executable, "-m", "monitor.demo.aws", "--port", "0", *arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            readable, _, _ = select.select([process.stdout], [], [], PROCESS_TIMEOUT)
            assert readable, "The demo's AWS hangs."
            ready_line = process.stdout.readline()
            assert ready_line, "The demo's AWS has ended."
            yield process, f"http://127.0.0.1:{json.loads(ready_line)['port']}"
        finally:
            process.kill()


def environment_of_aws(url: str) -> dict[str, str]:
    """Return environment variables that point to the simulated AWS at an address."""
    return ENVIRONMENT | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
    }


@asynccontextmanager
async def demo_aws() -> AsyncIterator[dict[str, str]]:
    """Start the demo's AWS; yield environment variables that point to it."""
    with demo_aws_process() as (_, url):
        yield environment_of_aws(url)


async def read_line(process: Process | ForkedProcess, prefix: str) -> str:
    """Return the next line of standard output that begins with a prefix."""
    assert process.stdout is not None
    async with asyncio.timeout(PROCESS_TIMEOUT):
        async for line in process.stdout:
            if line.decode().lstrip().startswith(prefix):
                return line.decode().strip()
    _, errors = await process.communicate()
    raise AssertionError(f"the process ended with exit code {process.returncode}: {errors.decode()}")


async def eventually(
    call: Callable[[], Awaitable[Result | None]], seconds: float = PROCESS_TIMEOUT
) -> Result:
    """Repeat a call until it returns something other than None, and return that."""
    async with asyncio.timeout(seconds):
        while (result := await call()) is None:
            await asyncio.sleep(0.1)
    return result


@cache
def tls() -> ssl.SSLContext:
    """Return the TLS context that all clients share, because making one takes longer than most requests."""
    return httpx.create_ssl_context(trust_env=False)


async def get(url: str, **parameters: str) -> httpx.Response | None:
    """The response to a GET; None when nothing listens or the status is not a success."""
    try:
        async with httpx.AsyncClient(trust_env=False, verify=tls()) as client:
            response = await client.get(url, timeout=10, params=parameters or None)
    except httpx.TransportError:
        return None
    return response if response.is_success else None
