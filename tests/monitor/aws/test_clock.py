"""The skew between this machine's clock and AWS's, and which of the two clocks is used."""

from email.utils import formatdate

import pytest

from monitor.aws.clock import MAX_SKEW, AwsClock
from monitor.aws.median_clock import MedianClock, skew_failures

AWS_TIME = 1_760_000_000.0  # AWS's epoch seconds at the response


class Machine:
    """A machine with a wall clock and a monotonic clock.

    elapsed: seconds since the response. ahead: seconds by which the wall clock is ahead of AWS's time.
    """

    def __init__(self) -> None:
        self.elapsed, self.ahead = 0.0, 0.0

    def wall(self) -> float:
        """The machine's wall clock."""
        return AWS_TIME + self.elapsed + self.ahead

    def monotonic(self) -> float:
        """The machine's monotonic clock."""
        return 500.0 + self.elapsed

    def clock(self, date: float | None = AWS_TIME) -> AwsClock:
        """Return this machine's AwsClock after a response with this date."""
        clock = AwsClock(self.wall, self.monotonic)
        clock.observe(None if date is None else formatdate(date, usegmt=True))
        return clock


@pytest.mark.parametrize("step", [900.0, 3600.0, -900.0, -3600.0])
def test_a_large_step_of_the_machines_clock_does_not_change_the_time(step: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.elapsed, machine.ahead = 30.0, step
    assert clock.now() == AWS_TIME + 30
    assert clock.skew == step
    machine.ahead = 0.0
    assert clock.now() == AWS_TIME + 30


@pytest.mark.parametrize("ahead", [0.0, MAX_SKEW, -MAX_SKEW])
def test_the_machines_time_is_used_while_its_skew_is_small(ahead: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.ahead = ahead
    assert clock.now() == machine.wall()


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT", "Mon"])
def test_a_header_that_is_no_date_is_ignored(date: str | None) -> None:
    machine = Machine()
    clock = machine.clock(date=None)
    clock.observe(date)
    assert clock.skew is None
    assert clock.now() == machine.wall()


def test_a_single_wrong_clock_does_not_change_the_median() -> None:
    machine = Machine()
    clocks = [machine.clock(), machine.clock(), machine.clock(date=0.0)]
    assert MedianClock(lambda: clocks).skew == 0.0
    assert MedianClock(lambda: ()).skew is None


def test_a_skew_is_a_failure_with_its_direction_and_size() -> None:
    assert skew_failures(MAX_SKEW) == skew_failures(-MAX_SKEW) == []
    (ahead,), (behind,) = skew_failures(900.0), skew_failures(-3600.0)
    assert "15 min ahead of AWS's" in ahead.message
    assert "60 min behind AWS's" in behind.message
