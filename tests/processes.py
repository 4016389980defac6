"""Real processes for tests: the demo's AWS, `headroom` and others, each ended by its owner."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import httpx

Answer = TypeVar("Answer")

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds for a process to get somewhere, on a slow and busy machine
COMMAND = (sys.executable, "-c", "from monitor.cli import main; main()")
BARE = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@asynccontextmanager
async def running(
    *command: str, environ: Mapping[str, str] = BARE, folder: Path = ROOT
) -> AsyncIterator[Process]:
    """A process with pipes that works in a folder, killed at the end if it still runs."""
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
async def headroom(*arguments: str, environ: Mapping[str, str] = BARE) -> AsyncIterator[Process]:
    """The command as a user runs it, in a folder of its own."""
    with TemporaryDirectory() as name:
        async with running(*COMMAND, *arguments, environ=environ, folder=Path(name)) as process:
            yield process


@asynccontextmanager
async def own_aws() -> AsyncIterator[dict[str, str]]:
    """The demo's AWS; gives the environment that points there."""
    async with running(sys.executable, "-m", "monitor.demo.aws", "--port", "0") as process:
        port = json.loads(await line_of(process, "{"))["port"]
        yield BARE | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-west-1",
        }


async def line_of(process: Process, beginning: str) -> str:
    """The first line of standard output that begins so."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stdout:
            if line.decode().lstrip().startswith(beginning):
                return line.decode().strip()
    _, errors = await process.communicate()
    raise AssertionError(f"it ended with {process.returncode}: {errors.decode()}")


async def eventually(ask: Callable[[], Awaitable[Answer | None]]) -> Answer:
    """The first answer that is not None, asked for again and again: what is waited for is another process."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await ask()) is None:
            await asyncio.sleep(0.1)
    return answer


async def get(url: str, **parameters: str) -> httpx.Response | None:
    """The answer to a GET; None while nobody listens, or it is not one of success."""
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, timeout=10, params=parameters or None)
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None
