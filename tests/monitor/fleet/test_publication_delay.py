"""Publication delays of namespaces, measured by the points that came or changed between two polls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.namespaces import NamespaceStates
from monitor.fleet.publication_delay import MAX_DELAY, MIN_DELAY, MIN_POLLS, PublicationDelays

NOW = 29_000_000


def learnt_delay(complete_after: int, interval: int = 1, polls: int = 30, late_changes: int = 0) -> int:
    """Return the delay learnt from points that change until the age `complete_after`, in minutes.

    late_changes: how many of 1,000 points change at every age.
    """
    states = NamespaceStates()
    namespace = states.number_of("AWS/Lambda")
    delays = PublicationDelays(states)
    for now in range(NOW, NOW + polls * interval, interval):
        minutes = np.repeat(np.arange(now - 14, now, dtype=np.int32), 1000)
        ages = now - interval - 1 - minutes  # at the previous request
        are_changed = ages < complete_after
        are_changed[np.arange(minutes.size) % 1000 < late_changes] = True
        delays.observe(
            np.full(minutes.size, namespace, np.int32), ages, are_changed, np.zeros_like(are_changed)
        )
        delays.learn()
    return int(states.delay[namespace])


@pytest.mark.parametrize("interval", [1, 5])
@pytest.mark.parametrize("complete_after", [0, 1, 2, 3, 5])
def test_the_delay_is_the_age_at_which_minutes_no_longer_change(complete_after: int, interval: int) -> None:
    assert learnt_delay(complete_after, interval) == max(complete_after, MIN_DELAY)


def test_a_small_share_of_late_changes_does_not_raise_the_delay() -> None:
    assert learnt_delay(2, late_changes=5) == 2
    assert learnt_delay(2, late_changes=200) == MAX_DELAY


def test_the_delay_is_not_lowered_by_ages_that_were_never_requested() -> None:
    """A metric of five minutes is requested once in a period, some minutes after its end."""
    states = NamespaceStates()
    namespace, delays = states.number_of("AWS/RDS", period=5), PublicationDelays(states)
    for _ in range(30):
        ages = np.array([3, 8], np.int32)
        delays.observe(np.full(2, namespace, np.int32), ages, *np.zeros((2, 2), np.bool_))
        delays.learn()
    assert states.delay[namespace] == 3


def test_no_delay_is_learnt_from_a_few_polls() -> None:
    assert learnt_delay(1, polls=MIN_POLLS - 1) == -1  # not known


@pytest.mark.parametrize(
    ("polls", "confirmed_age", "late_changes", "is_final"),
    [
        pytest.param(30, 1, 0, True, id="no confirmed point changes"),
        pytest.param(30, 1, 15, True, id="hardly any confirmed point changes"),
        pytest.param(30, 1, 30, False, id="some confirmed points change"),
        pytest.param(MIN_POLLS - 1, 1, 0, False, id="too few polls"),
        pytest.param(30, 9, 0, False, id="no point is confirmed"),
    ],
)
def test_confirmed_points_are_final_if_hardly_any_of_them_changed(
    polls: int, confirmed_age: int, late_changes: int, is_final: bool
) -> None:
    """Each of three ages has 1,000 points: 200 change at the age 0, and `late_changes` at the age 1.

    confirmed_age: the age at which points count as confirmed.
    """
    states = NamespaceStates()
    namespace = states.number_of("AWS/Lambda")
    delays, ages = PublicationDelays(states), np.repeat(np.arange(3, dtype=np.int32), 1000)
    number = np.arange(ages.size) % 1000
    are_changed = (number < 200) & (ages == 0) | (number < late_changes) & (ages == 1)
    for _ in range(polls):
        delays.observe(np.full(ages.size, namespace, np.int32), ages, are_changed, ages == confirmed_age)
        delays.learn()
    assert states.confirmed_is_final[namespace] == is_final


@given(st.integers(0, 60), st.integers(1, 60))
def test_a_delay_is_either_unknown_or_within_its_bounds(complete_after: int, interval: int) -> None:
    assert learnt_delay(complete_after, interval, polls=8) in {-1, *range(MIN_DELAY, MAX_DELAY + 1)}
