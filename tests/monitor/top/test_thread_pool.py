"""Blocking jobs in threads beside the event loop."""

import asyncio
import sys
import threading

import pytest

from monitor.top.thread_pool import MAX_THREADS, DaemonThreadPool
from tests.processes import PROCESS_TIMEOUT, running

STUCK = """
import asyncio, threading
from monitor.top.thread_pool import DaemonThreadPool

async def main():
    waiting = asyncio.create_task(DaemonThreadPool().run(threading.Event().wait))
    await asyncio.sleep(0)
    waiting.cancel()

asyncio.run(main())
"""


async def test_the_result_and_the_exception_of_a_job_are_passed_on() -> None:
    pool = DaemonThreadPool()
    assert await pool.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    assert await pool.run(threading.current_thread) is not threading.current_thread()
    pool.close()


async def test_at_most_one_job_a_thread_runs_and_cancelled_jobs_never_run() -> None:
    pool, done, ran = DaemonThreadPool(), threading.Event(), list[int]()
    at_work = threading.Barrier(MAX_THREADS + 1)

    def job() -> None:
        at_work.wait(PROCESS_TIMEOUT)
        done.wait(PROCESS_TIMEOUT)

    busy = [asyncio.create_task(pool.run(job)) for _ in range(MAX_THREADS)]
    await asyncio.to_thread(at_work.wait, PROCESS_TIMEOUT)
    waiting = [asyncio.create_task(pool.run(lambda number=number: ran.append(number))) for number in (0, 1)]  # type: ignore[misc]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    done.set()
    await asyncio.gather(*busy, waiting[1])
    pool.close()
    assert ran == [1] and waiting[0].cancelled()


async def test_a_process_ends_though_a_job_does_not() -> None:
    async with running(sys.executable, "-c", STUCK) as process, asyncio.timeout(PROCESS_TIMEOUT):
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
