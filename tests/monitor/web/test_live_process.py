"""Open pages of a real `headroom serve` that stops."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.monitor.serve_process import running_server

PAGES = 50


async def receive_stream(url: str, opened: asyncio.Semaphore) -> str:
    """Return everything that an open page receives until the stream ends without an error."""
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", f"{url}/live") as got:
        parts = got.aiter_text()
        received = await anext(parts)
        opened.release()
        return received + "".join([part async for part in parts])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_streams_of_open_pages_end_when_the_server_stops(
    tmp_path: Path, aws_environ: dict[str, str], number: signal.Signals
) -> None:
    async with running_server(tmp_path / "headroom.yaml", "services: [sqs]\n", aws_environ) as (process, url):
        opened = asyncio.Semaphore(0)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            pages = [group.create_task(receive_stream(url, opened)) for _ in range(PAGES)]
            for _ in pages:
                await opened.acquire()
            process.send_signal(number)
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert all(page.result().startswith("retry: ") for page in pages)
    assert "ERROR" not in errors.decode() and "Traceback" not in errors.decode(), errors.decode()
