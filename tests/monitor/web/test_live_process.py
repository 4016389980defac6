"""Open pages of a real `headroom serve` that is told to stop."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.monitor.test_app import serving

PAGES = 50


async def stay(url: str, opened: asyncio.Semaphore) -> str:
    """All that an open page is told until the stream ends, which must be in order."""
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", f"{url}/live") as got:
        parts = got.aiter_text()
        told = await anext(parts)
        opened.release()
        return told + "".join([part async for part in parts])


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_open_pages_end_in_order_when_the_server_is_told_to_stop(
    tmp_path: Path, told: signal.Signals
) -> None:
    async with serving(tmp_path / "headroom.yaml", "services: [sqs]\n") as (process, url):
        opened = asyncio.Semaphore(0)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            pages = [group.create_task(stay(url, opened)) for _ in range(PAGES)]
            for _ in pages:
                await opened.acquire()
            process.send_signal(told)
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert all(page.result().startswith("retry: ") for page in pages)
    assert "ERROR" not in errors.decode() and "Traceback" not in errors.decode(), errors.decode()
