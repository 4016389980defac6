"""Publication delays of namespaces, measured by the points that came or changed between two polls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.namespaces import NamespaceStates
from monitor.fleet.publication_delay import MAX_DELAY, MIN_DELAY, MIN_POLLS, PublicationDelays

NOW = 29_000_000


def learnt(complete_after: int, interval: int = 1, polls: int = 30, odd: int = 0) -> int:
    """Return the delay that is learnt of metrics whose points change until an age, in minutes.

    odd: how many of 1,000 points change at every age.
    """
    states = NamespaceStates()
    namespace = states.number_of("AWS/Lambda")
    delays = PublicationDelays(states)
    for now in range(NOW, NOW + polls * interval, interval):
        minutes = np.repeat(np.arange(now - 14, now, dtype=np.int32), 1000)
        ages = now - interval - 1 - minutes  # at the request before
        changed = ages < complete_after
        changed[np.arange(minutes.size) % 1000 < odd] = True
        delays.observe(np.full(minutes.size, namespace, np.int32), ages, changed, np.zeros_like(changed))
        delays.learn()
    return int(states.delay[namespace])


@pytest.mark.parametrize("interval", [1, 5])
@pytest.mark.parametrize("complete_after", [0, 1, 2, 3, 5])
def test_the_delay_is_the_age_at_which_minutes_no_longer_change(complete_after: int, interval: int) -> None:
    assert learnt(complete_after, interval) == max(complete_after, MIN_DELAY)


def test_few_points_that_change_late_do_not_delay_all_others() -> None:
    assert learnt(2, odd=5) == 2
    assert learnt(2, odd=200) == MAX_DELAY


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
    assert learnt(1, polls=MIN_POLLS - 1) == -1


@pytest.mark.parametrize(
    ("polls", "confirmed", "odd", "final"),
    [
        pytest.param(30, 1, 0, True, id="none changes"),
        pytest.param(30, 1, 15, True, id="hardly any changes"),
        pytest.param(30, 1, 30, False, id="some change"),
        pytest.param(MIN_POLLS - 1, 1, 0, False, id="a few polls tell nothing"),
        pytest.param(30, 9, 0, False, id="none is confirmed"),
    ],
)
def test_confirmed_points_are_final_where_hardly_any_changed(
    polls: int, confirmed: int, odd: int, final: bool
) -> None:
    """Count 1,000 points a minute, of which a fifth changed once; those of one age were returned twice."""
    states = NamespaceStates()
    namespace = states.number_of("AWS/Lambda")
    delays, ages = PublicationDelays(states), np.repeat(np.arange(3, dtype=np.int32), 1000)
    number = np.arange(ages.size) % 1000
    changed = (number < 200) & (ages == 0) | (number < odd) & (ages == 1)
    for _ in range(polls):
        delays.observe(np.full(ages.size, namespace, np.int32), ages, changed, ages == confirmed)
        delays.learn()
    assert states.confirmed_is_final[namespace] == final


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_delay_is_bounded(complete_after: int, interval: int) -> None:
    assert learnt(complete_after, interval, polls=8) in {-1, *range(MIN_DELAY, MAX_DELAY + 1)}
