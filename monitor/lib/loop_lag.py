"""Measures how long the event loop is blocked."""

from prometheus_client import Histogram

from monitor.lib.schedule import LoopClock

INTERVAL = 5.0  # seconds between two measurements: each wakes the process, which costs 0.2 ms of CPU time


async def measure_loop_lag(histogram: Histogram, clock: LoopClock) -> None:
    """Until cancelled, observe by how many seconds the event loop resumes a task late.

    clock: a monotonic clock, as a step of the system's clock is no lag.
    """
    while True:
        due = clock.now() + INTERVAL
        await clock.sleep(INTERVAL)
        histogram.observe(max(clock.now() - due, 0.0))
