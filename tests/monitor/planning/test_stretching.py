"""Cadences stretch so that a fleet requests no more metrics than a budget allows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.planning.intervals import MAX_INTERVAL
from monitor.planning.stretching import longer_cadences
from rules.arrays import Ints

Cadences = st.lists(st.integers(1, 2 * MAX_INTERVAL), min_size=1, max_size=300)


def stretched_cadences(cadences: Ints, metrics_per_minute: float) -> Ints:
    """Return the stretched cadence of each metric, in minutes."""
    longer: Ints = longer_cadences(np.bincount(cadences), metrics_per_minute)[cadences]
    return longer


@given(Cadences, st.floats(0.01, 400))
def test_stretched_cadences_request_no_more_metrics_than_allowed(
    minutes: list[int], metrics_per_minute: float
) -> None:
    before = np.array(minutes, np.int32)
    after = stretched_cadences(before, metrics_per_minute)
    is_longest = after == np.maximum(before, MAX_INTERVAL)
    assert (1 / after).sum() <= metrics_per_minute or is_longest.all()
    assert (after >= before).all()
    assert (after <= np.maximum(before, MAX_INTERVAL)).all()


@given(Cadences, st.floats(0.01, 400))
def test_a_series_in_more_danger_is_never_read_less_often(
    minutes: list[int], metrics_per_minute: float
) -> None:
    before = np.sort(np.array(minutes, np.int32))
    assert (np.diff(stretched_cadences(before, metrics_per_minute)) >= 0).all()


def test_metrics_read_every_minute_are_stretched_last() -> None:
    before = np.array([1] * 10 + [5] * 100 + [15] * 100, np.int32)
    assert stretched_cadences(before, 20)[:10].tolist() == [1] * 10
    assert stretched_cadences(before, 10)[0] > 1


def test_a_sufficient_budget_stretches_no_cadence() -> None:
    before = np.array([1, 5, 60], np.int32)
    assert stretched_cadences(before, 1.3).tolist() == before.tolist()
