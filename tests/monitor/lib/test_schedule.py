"""Schedules: the times of ticks, and the results of slow, failed and cancelled ticks."""

import asyncio
import zlib
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lib.schedule import LoopClock, Schedule, repeat, repeat_all, run_guarded
from monitor.lib.telemetry import ProcessTelemetry
from tests.quick_loop import run

START = 1_800_000_000.0  # epoch seconds


class Clock:
    """A clock that advances only when a task sleeps, or when a test advances it. last_sleep: in seconds."""

    def __init__(self) -> None:
        self.now, self.last_sleep = START, 0.0

    def time(self) -> float:
        return self.now

    @property
    def loop_clock(self) -> LoopClock:
        return LoopClock(self.time, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.last_sleep = seconds
        self.now += max(seconds, 0.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def offset(name: str, interval: float) -> float:
    """Return the seconds from the start of each interval to the tick of the schedule with this name."""
    return zlib.crc32(name.encode()) / 2**32 * interval


async def tick_times(
    name: str, interval: float, clock: Clock, run_seconds: list[float]
) -> list[tuple[float, int]]:
    """Return the time of each tick, and how many ticks were missed before it, until all runs have ended.

    run_seconds: how long the run after each tick takes.
    """
    starts: list[tuple[float, int]] = []
    async for missed in Schedule(name, interval, clock.loop_clock).ticks():
        starts.append((clock.now, missed))
        if len(starts) > len(run_seconds):
            return starts
        clock.now += run_seconds[len(starts) - 1]
    raise AssertionError


async def test_the_first_tick_is_at_once_and_later_ticks_are_aligned_by_name(clock: Clock) -> None:
    starts = await tick_times("eu-west-1", 60, clock, [1.0, 59.0, 0.0])
    assert starts[0] == (START, 0)
    phases = [(at - offset("eu-west-1", 60)) % 60 for at, _ in starts[1:]]
    assert all(min(phase, 60 - phase) < 1e-3 for phase in phases)
    assert [round(later - sooner) for (sooner, _), (later, _) in pairwise(starts[1:])] == [60, 60]
    assert [missed for _, missed in starts] == [0, 0, 0, 0]


async def test_ticks_are_spread_over_the_interval_by_name_and_stay_at_their_times(clock: Clock) -> None:
    async def second_tick(name: str) -> float:
        clock.now = START
        return (await tick_times(name, 300, clock, [0.0]))[1][0]

    names = [f"{account}/eu-west-1" for account in range(123456789012, 123456789212)]
    ticks = [await second_tick(name) for name in names]
    assert ticks == [await second_tick(name) for name in names]
    assert len({int(tick % 300 // 30) for tick in ticks}) == 10  # no tenth of the interval is empty


async def test_work_that_takes_longer_than_the_interval_skips_ticks_and_never_catches_up(
    clock: Clock,
) -> None:
    starts = await tick_times("a", 60, clock, [1.0, 150.0, 1.0, 1.0])
    assert [missed for _, missed in starts] == [0, 0, 2, 0, 0]
    assert starts[2][0] - starts[1][0] == pytest.approx(180)
    assert starts[3][0] - starts[2][0] == pytest.approx(60)


async def test_a_clock_set_back_does_not_stop_the_loop(clock: Clock) -> None:
    run_seconds = [1.0, 1.0, -86_400.0, 1.0]  # during the third run, the clock is set back by a day
    starts = await tick_times("a", 60, clock, run_seconds)
    assert clock.last_sleep <= 60
    assert starts[3][0] - (starts[2][0] - 86_400) <= 60
    assert [missed for _, missed in starts] == [0, 0, 0, 0, 0]


@given(
    interval=st.floats(1, 86_400),
    run_seconds=st.lists(st.floats(0, 1_000_000), min_size=1, max_size=8),
    name=st.text(max_size=20),
)
def test_a_tick_begins_within_one_interval_of_the_end_of_the_last_run(
    interval: float, run_seconds: list[float], name: str
) -> None:
    clock = Clock()
    starts = asyncio.run(tick_times(name, interval, clock, run_seconds))
    for n, seconds in enumerate(run_seconds):
        wait = starts[n + 1][0] - (starts[n][0] + seconds)
        assert -1e-3 <= wait <= interval + 1e-3
    span = starts[-1][0] - starts[0][0]
    ticks = sum(1 + missed for _, missed in starts[1:])
    assert ticks == pytest.approx(span / interval, abs=1.01)  # every tick is counted once


def value_of(telemetry: ProcessTelemetry, family: str) -> float:
    """Return the value of a family for the loop `poll`."""
    return telemetry.registry.get_sample_value(family, {"loop": "poll"}) or 0.0


def work_with(*outcomes: Exception | None) -> tuple[Callable[[], asyncio.Future[None]], list[int]]:
    """Return work that has these outcomes in turn and then cancels the loop, and the list of its runs."""
    runs: list[int] = []

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) > len(outcomes):
            raise asyncio.CancelledError
        if error := outcomes[len(runs) - 1]:
            raise error

    return work, runs  # type: ignore[return-value]


async def test_a_tick_that_fails_is_logged_and_counted_and_does_not_end_the_loop(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = ProcessTelemetry()
    work, runs = work_with(KeyError("Account"), None, OSError("gone"))
    with pytest.raises(asyncio.CancelledError):
        await repeat("poll", Schedule("a/eu-west-1", 60, clock.loop_clock), work, telemetry)
    assert runs == [0, 1, 2, 3]
    assert value_of(telemetry, "headroom_ticks_total") == 3
    assert value_of(telemetry, "headroom_tick_failures_total") == 2
    assert value_of(telemetry, "headroom_tick_duration_seconds_count") == 4
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
    assert "a/eu-west-1: the loop poll failed" in caplog.text
    assert "KeyError: 'Account'" in caplog.text


async def test_ticks_that_were_missed_are_counted(clock: Clock) -> None:
    telemetry = ProcessTelemetry()

    async def work() -> None:
        if clock.now > START + 3600:
            raise asyncio.CancelledError
        clock.now += 150

    with pytest.raises(asyncio.CancelledError):
        await repeat("poll", Schedule("a", 60, clock.loop_clock), work, telemetry)
    tick_count = value_of(telemetry, "headroom_ticks_total")
    # A run of 150 s misses the ticks after 60 and 120 s.
    assert value_of(telemetry, "headroom_missed_ticks_total") == pytest.approx(2 * tick_count, abs=2)


async def test_a_tick_that_hangs_is_cancelled_and_counted_as_failed() -> None:
    telemetry, cancellations = ProcessTelemetry(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancellations.append("cancelled")
            raise

    assert not await run_guarded("poll", "a", work, telemetry, timeout=0)
    assert cancellations == ["cancelled"]
    assert (
        value_of(telemetry, "headroom_tick_failures_total")
        == value_of(telemetry, "headroom_ticks_total")
        == 1
    )


@pytest.mark.parametrize(("interval", "timeout"), [(1, 600), (60, 600), (300, 3000)])
def test_a_tick_may_take_ten_intervals_but_at_least_ten_minutes(interval: float, timeout: float) -> None:
    assert Schedule("a", interval).run_timeout == timeout


async def test_cancelling_the_loop_ends_it_in_the_middle_of_a_tick() -> None:
    telemetry, started = ProcessTelemetry(), asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    loop = asyncio.create_task(repeat("poll", Schedule("a", 60), work, telemetry))
    await started.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert value_of(telemetry, "headroom_ticks_total") == 0
    assert value_of(telemetry, "headroom_tick_failures_total") == 0


async def test_cancelling_the_loop_ends_it_between_two_ticks() -> None:
    telemetry, has_run = ProcessTelemetry(), asyncio.Event()

    async def work() -> None:
        has_run.set()

    loop = asyncio.create_task(repeat("poll", Schedule("a", 3600), work, telemetry))
    await has_run.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert value_of(telemetry, "headroom_tick_failures_total") == 0


# Tests of `repeat_all`: one task repeats many works, each on its own schedule


Works = Mapping[str, tuple[float, float, Exception | None]]


class WorkRepeater:
    """Repeats works by one task on a simulated clock.

    starts: by work, the times when its runs began. task_counts: how many tasks repeated the works, by call.
    """

    def __init__(self) -> None:
        self.starts: dict[str, list[float]] = {}
        self.telemetry, self.task_counts = ProcessTelemetry(), list[int]()

    def repeat(self, seconds: float, works: Works, pace: float = 0.0) -> None:
        """Repeat works for some seconds. works: by name, the interval, the seconds and the error of each run.

        pace: the seconds before each first run.
        """
        run(self._repeat(seconds, works, pace))

    async def _repeat(self, seconds: float, works: Works, pace: float) -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock(lambda: START + loop.time(), asyncio.sleep)

        def work(
            name: str, run_seconds: float, error: Exception | None
        ) -> Callable[[], Coroutine[Any, Any, None]]:
            async def once() -> None:
                self.starts.setdefault(name, []).append(loop.time())
                await asyncio.sleep(run_seconds)
                if error:
                    raise error

            return once

        schedules_and_works = [
            (Schedule(name, interval, clock), work(name, run_seconds, error))
            for name, (interval, run_seconds, error) in works.items()
        ]
        repeated = repeat_all("poll", schedules_and_works, self.telemetry, lambda: asyncio.sleep(pace))
        tasks_before = len(asyncio.all_tasks())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                tasks.create_task(repeated)
                await asyncio.sleep(seconds - 1)
                self.task_counts.append(len(asyncio.all_tasks()) - tasks_before)

    def distances_from_ticks(self, name: str, interval: float) -> set[float]:
        """Return the seconds from the ticks of a name to its runs after the first run."""
        distances = [(START + at - offset(name, interval)) % interval for at in self.starts[name][1:]]
        return {round(distance, 3) % interval for distance in distances}


def test_each_work_is_repeated_at_the_ticks_of_its_own_name_by_one_task() -> None:
    repeater = WorkRepeater()
    works: Works = {f"{n}": (60.0, 0.0, None) for n in range(50)}
    repeater.repeat(3600, {**works, "rare": (600.0, 0.0, None)})
    assert {repeater.starts[name][0] for name in repeater.starts} == {0.0}
    assert {len(repeater.starts[f"{n}"]) for n in range(50)} <= {60, 61}
    assert len(repeater.starts["rare"]) in {6, 7}
    assert repeater.distances_from_ticks("7", 60.0) == repeater.distances_from_ticks("rare", 600.0) == {0.0}
    assert repeater.task_counts == [1]
    assert value_of(repeater.telemetry, "headroom_missed_ticks_total") == 0


def test_a_work_that_takes_long_skips_its_own_ticks_and_delays_no_other_work() -> None:
    repeater = WorkRepeater()
    repeater.repeat(3600, {"slow": (60.0, 150.0, None), "quick": (60.0, 1.0, None)})
    assert 19 <= len(repeater.starts["slow"]) <= 21
    assert len(repeater.starts["quick"]) in {60, 61}
    assert value_of(repeater.telemetry, "headroom_missed_ticks_total") == pytest.approx(40, abs=3)


def test_a_work_that_fails_is_counted_and_repeated() -> None:
    repeater = WorkRepeater()
    repeater.repeat(600, {"broken": (60.0, 0.0, KeyError("Account")), "fine": (60.0, 0.0, None)})
    assert len(repeater.starts["broken"]) in {10, 11}
    assert value_of(repeater.telemetry, "headroom_tick_failures_total") == len(repeater.starts["broken"])


def test_first_runs_begin_at_the_given_pace_without_waiting_for_each_other() -> None:
    repeater = WorkRepeater()
    repeater.repeat(100, {name: (3600.0, 50.0, None) for name in "abc"}, pace=2.0)
    assert [repeater.starts[name][0] for name in "abc"] == [2.0, 4.0, 6.0]
