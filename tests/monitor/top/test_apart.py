"""Blocking work beside the loop."""

import asyncio
import sys
import threading

import pytest

from monitor.top.apart import THREADS, Apart
from tests.processes import PATIENCE, running

STUCK = """
import asyncio, threading
from monitor.top.apart import Apart

async def main():
    waiting = asyncio.create_task(Apart().run(threading.Event().wait))
    await asyncio.sleep(0)
    waiting.cancel()

asyncio.run(main())
"""


async def test_what_a_job_returns_or_raises() -> None:
    apart = Apart()
    assert await apart.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await apart.run(lambda: 1 // 0)
    assert await apart.run(threading.current_thread) is not threading.current_thread()
    apart.close()


async def test_no_more_at_once_than_there_are_threads_and_who_was_cancelled_has_no_turn() -> None:
    apart, done, ran = Apart(), threading.Event(), list[int]()
    at_work = threading.Barrier(THREADS + 1)

    def job() -> None:
        at_work.wait(PATIENCE)
        done.wait(PATIENCE)

    busy = [asyncio.create_task(apart.run(job)) for _ in range(THREADS)]
    await asyncio.to_thread(at_work.wait, PATIENCE)
    waiting = [asyncio.create_task(apart.run(lambda number=number: ran.append(number))) for number in (0, 1)]  # type: ignore[misc]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    done.set()
    await asyncio.gather(*busy, waiting[1])
    apart.close()
    assert ran == [1] and waiting[0].cancelled()


async def test_a_process_ends_though_a_job_does_not() -> None:
    async with running(sys.executable, "-c", STUCK) as process, asyncio.timeout(PATIENCE):
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
