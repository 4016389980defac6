"""The turns (iterations) of a timed event loop, whose clock moves only where a test says so."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.lib.lag_histogram import LagHistogram
from monitor.lib.timed_loop import TimedEventLoop, TimedSelector, observe_turns
from tests.quick_loop import JumpingSelector

BLOCKED = (0.05, 0.06, 0.2, 3.0)  # seconds
BOUNDS = (0.049, 0.055, 0.1, 1.0)  # seconds, each below one more of BLOCKED than the next


class FakeSelector(TimedSelector, JumpingSelector):
    """A timed selector that does not wait: its clock jumps to the next timer, and `block` advances it."""

    def __init__(self) -> None:
        super().__init__(lambda: self.now)

    def block(self, seconds: float) -> None:
        """Hold the event loop for some seconds."""
        self.now += seconds


class FakeLoop(TimedEventLoop):
    """A timed event loop with a fake clock."""

    def __init__(self) -> None:
        self.fake = FakeSelector()
        super().__init__(self.fake)

    def time(self) -> float:
        return self.fake.now


Work = Callable[[FakeSelector], Coroutine[Any, Any, object]]


def run_and_get_samples(work: Work, lateness: float = 0.0) -> Callable[..., float | None]:
    """Run some work in an event loop, and return the function that looks up the samples of its lag.

    lateness: seconds by which each wait for a timer is too long.
    """
    registry, loop = CollectorRegistry(), FakeLoop()
    loop.fake.lateness = lateness
    registry.register(histogram := LagHistogram("lag", "Lag.", BOUNDS))

    async def main() -> None:
        observe_turns(histogram.observe)
        await work(loop.fake)
        await asyncio.sleep(0)  # ends the last turn

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    return registry.get_sample_value


async def a_task_blocks(selector: FakeSelector) -> None:
    for seconds in BLOCKED:
        await asyncio.sleep(0)
        selector.block(seconds)
        await asyncio.sleep(0)


async def a_callback_blocks(selector: FakeSelector) -> None:
    for seconds in BLOCKED:
        asyncio.get_running_loop().call_soon(selector.block, seconds)
        await asyncio.sleep(0)


async def a_timer_blocks(selector: FakeSelector) -> None:
    for seconds in BLOCKED:
        await asyncio.sleep(7)
        selector.block(seconds)


async def a_turn_begun_by_a_thread_blocks(selector: FakeSelector) -> None:
    for seconds in BLOCKED:
        await asyncio.to_thread(str)
        selector.block(seconds)


async def many_callbacks_of_one_turn_block(selector: FakeSelector) -> None:
    for seconds in BLOCKED:
        for _ in range(100):
            asyncio.get_running_loop().call_soon(selector.block, seconds / 100)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "work",
    [
        a_task_blocks,
        a_callback_blocks,
        a_timer_blocks,
        a_turn_begun_by_a_thread_blocks,
        many_callbacks_of_one_turn_block,
    ],
)
def test_whatever_blocks_the_loop_is_observed_as_lag(work: Work) -> None:
    sample = run_and_get_samples(work)
    count = sample("lag_count") or 0
    assert [count - (sample("lag_bucket", {"le": str(bound)}) or 0) for bound in BOUNDS] == [4, 3, 2, 1]
    assert sample("lag_sum") == pytest.approx(sum(BLOCKED))


def test_waiting_is_no_lag() -> None:
    async def wait(_: FakeSelector) -> None:
        await asyncio.sleep(3600)
        await asyncio.to_thread(str)

    assert run_and_get_samples(wait)("lag_sum") == 0


def test_a_wait_that_ends_later_than_its_timer_is_lag() -> None:
    sample = run_and_get_samples(lambda _: asyncio.sleep(3600), lateness=0.06)
    assert sample("lag_sum") == pytest.approx(0.06)
    assert (sample("lag_count") or 0) - (sample("lag_bucket", {"le": "0.055"}) or 0) == 1


async def test_another_event_loop_is_not_measured() -> None:
    turns = list[float]()
    observe_turns(turns.append)
    await asyncio.sleep(0)
    assert not turns
