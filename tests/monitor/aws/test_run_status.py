"""Streaks of failed runs, counted for each class of failure separately."""

import pytest

from collectors.base import Resource
from monitor.aws.failure import Failure
from monitor.aws.run_status import FailureStreak, RunStatus

DENIED, ALSO_DENIED, THROTTLED = (
    Failure("ListStreams", "", "AccessDeniedException", "no"),
    Failure("ListBuckets", "", "AccessDenied", "no"),
    Failure("GetFunctionConcurrency", "f", "ThrottlingException", "slow down"),
)


def test_consecutive_failed_runs_are_counted_since_the_last_successful_run() -> None:
    status = RunStatus()
    status.end((), 100.0)
    status.end((DENIED,), 200.0)
    status.end((ALSO_DENIED, ALSO_DENIED), 300.0)  # another error code of the same class
    assert status.streaks == {"denied": FailureStreak(2, 100.0, 300.0)}
    assert (status.succeeded_at, status.ended_at) == (100.0, 300.0)


def test_a_run_that_had_nothing_to_read_is_no_success() -> None:
    status = RunStatus()
    status.end((), 100.0, has_read=False)
    assert (status.succeeded_at, status.ended_at) == (None, 100.0)
    status.end((), 200.0)
    status.end((), 300.0, has_read=False)
    assert (status.succeeded_at, status.ended_at) == (200.0, 300.0)
    status.end((DENIED,), 400.0)
    assert status.streaks == {"denied": FailureStreak(1, 300.0, 400.0)}


def test_failed_runs_within_45_seconds_count_as_one() -> None:
    status = RunStatus()
    for ended_at in (100.0, 101.0, 130.0):
        status.end((DENIED,), ended_at)
    assert status.streaks == {"denied": FailureStreak(1, None, 100.0)} and status.needs_confirmation
    status.end((DENIED,), 160.0)
    assert status.streaks == {"denied": FailureStreak(2, None, 160.0)} and not status.needs_confirmation


def test_a_new_class_of_failure_starts_its_own_streak() -> None:
    status = RunStatus()
    for ended_at in (100.0, 200.0, 300.0):
        status.end((DENIED,), ended_at)
    status.end((DENIED, THROTTLED), 400.0)
    assert status.streaks == {
        "denied": FailureStreak(4, None, 400.0),
        "throttled": FailureStreak(1, 300.0, 400.0),
    }
    status.end((DENIED,), 500.0)
    assert status.streaks == {"denied": FailureStreak(5, None, 500.0)}
    status.end((), 600.0)
    assert status.streaks == {} and status.succeeded_at == 600.0


def test_a_failure_that_was_not_retried_remains_and_is_counted_once() -> None:
    status = RunStatus()
    status.end((DENIED,), 100.0)
    status.end((), 200.0, not_retried=(DENIED,))
    assert (status.failures, status.succeeded_at) == ((DENIED,), None)
    assert status.streaks == {"denied": FailureStreak(1, None, 100.0)} and status.needs_confirmation
    # Another call fails, with a failure of the same class.
    status.end((ALSO_DENIED,), 300.0, not_retried=(DENIED, THROTTLED))
    assert status.failures == (ALSO_DENIED, DENIED, THROTTLED)
    assert status.streaks == {
        "denied": FailureStreak(2, None, 300.0),
        "throttled": FailureStreak(1, 200.0, 300.0),
    }
    status.end((), 400.0)
    assert status.streaks == {} and status.succeeded_at == 400.0


@pytest.mark.parametrize(
    ("unread", "is_gone"),
    [
        pytest.param(None, False, id="a list failed"),
        pytest.param(set(), True, id="all was read"),
        pytest.param({("other",), ("orders", "by-month")}, True, id="other resources were not read"),
        pytest.param({("orders", "by-day")}, False, id="the resource was not read"),
        pytest.param({("orders",)}, False, id="its parent was not read"),
        pytest.param({()}, False, id="the whole account was not read"),
    ],
)
def test_a_resource_that_no_list_has_is_gone_unless_it_or_its_parent_was_not_read(
    unread: set[tuple[str, ...]] | None, is_gone: bool
) -> None:
    index = Resource("table", ("orders",)).child("index", "by-day")
    assert RunStatus(unread=unread).shows_deletion_of(index) is is_gone
