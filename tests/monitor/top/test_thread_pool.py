"""Blocking jobs in threads beside the event loop."""

import asyncio
import sys
import threading
from functools import partial

import pytest

from monitor.top.thread_pool import MAX_THREADS, DaemonThreadPool
from tests.processes import PROCESS_TIMEOUT, running

PROGRAM_WITH_AN_ENDLESS_JOB = """
import asyncio, threading
from monitor.top.thread_pool import DaemonThreadPool

async def main():
    waiting = asyncio.create_task(DaemonThreadPool().run(threading.Event().wait))
    await asyncio.sleep(0)
    waiting.cancel()

asyncio.run(main())
"""


async def test_run_returns_the_result_of_a_job_or_raises_its_exception() -> None:
    pool = DaemonThreadPool()
    assert await pool.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    assert await pool.run(threading.current_thread) is not threading.current_thread()
    pool.close()


async def test_each_thread_runs_one_job_at_a_time_and_cancelled_jobs_never_run() -> None:
    pool, released, finished_jobs = DaemonThreadPool(), threading.Event(), list[int]()
    all_started = threading.Barrier(MAX_THREADS + 1)

    def job() -> None:
        all_started.wait(PROCESS_TIMEOUT)
        released.wait(PROCESS_TIMEOUT)

    running_jobs = [asyncio.create_task(pool.run(job)) for _ in range(MAX_THREADS)]
    await asyncio.to_thread(all_started.wait, PROCESS_TIMEOUT)
    queued_jobs = [asyncio.create_task(pool.run(partial(finished_jobs.append, number))) for number in (0, 1)]
    await asyncio.sleep(0)
    queued_jobs[0].cancel()
    await asyncio.wait(queued_jobs[:1])
    released.set()
    await asyncio.gather(*running_jobs, queued_jobs[1])
    pool.close()
    assert finished_jobs == [1] and queued_jobs[0].cancelled()


async def test_a_process_ends_although_a_job_never_ends() -> None:
    async with (
        running(sys.executable, "-c", PROGRAM_WITH_AN_ENDLESS_JOB) as process,
        asyncio.timeout(PROCESS_TIMEOUT),
    ):
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
