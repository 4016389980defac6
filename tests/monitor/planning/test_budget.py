"""A budget holds for any fleet: by longer cadences, and by what may be requested at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cost.prices import DOLLARS_PER_METRIC
from monitor.planning.budget import MINUTES_PER_MONTH, Allowance, Budget, minimum_dollars, stretched
from monitor.planning.cadence import MAX_INTERVAL

Cadences = st.lists(st.integers(1, 2 * MAX_INTERVAL), min_size=1, max_size=300)


@given(Cadences, st.floats(0.01, 400))
def test_stretched_cadences_request_no_more_than_allowed(minutes: list[int], allowed: float) -> None:
    before = np.array(minutes, np.int32)
    after = stretched(before, allowed)
    is_longest = after == np.maximum(before, MAX_INTERVAL)
    assert (1 / after).sum() <= allowed or is_longest.all()
    assert (after >= before).all()
    assert (after <= np.maximum(before, MAX_INTERVAL)).all()


@given(Cadences, st.floats(0.01, 400))
def test_who_is_in_more_danger_is_never_read_less_often(minutes: list[int], allowed: float) -> None:
    before = np.sort(np.array(minutes, np.int32))
    assert (np.diff(stretched(before, allowed)) >= 0).all()


def test_what_is_read_every_minute_stretches_last() -> None:
    before = np.array([1] * 10 + [5] * 100 + [15] * 100, np.int32)
    assert stretched(before, 20)[:10].tolist() == [1] * 10
    assert stretched(before, 10)[0] > 1


def test_a_sufficient_budget_changes_nothing() -> None:
    before = np.array([1, 5, 60], np.int32)
    assert stretched(before, 1.3) is before


def test_the_minimum_is_what_one_request_an_hour_costs() -> None:
    assert minimum_dollars(20_000) == pytest.approx(20_000 * 730.5 * 0.00001)


class Month:
    """Requests within a budget: `wanted` metrics each minute, of which those are made that are granted."""

    def __init__(self, dollars: float) -> None:
        self.budget, self.minute, self.requested = Allowance(dollars), 0.0, 0

    def run(self, minutes: int, wanted: int, unasked: int = 0) -> None:
        for _ in range(minutes):
            self.minute += 1
            self.budget.update(self.minute, self.requested)
            granted = self.budget.reserve(wanted)
            self.requested += granted + unasked
            self.budget.release(granted)

    @property
    def dollars(self) -> float:
        return self.requested * DOLLARS_PER_METRIC


@pytest.mark.parametrize("wanted", [10, 1000, 10**9])
def test_a_month_costs_at_most_two_percent_more_than_its_budget(wanted: int) -> None:
    month = Month(10)
    month.run(int(MINUTES_PER_MONTH), wanted)
    assert month.dollars <= 10.2


def test_what_nobody_asked_for_is_charged_too() -> None:
    month = Month(10)
    month.run(int(MINUTES_PER_MONTH), 1000, unasked=10)
    assert month.dollars <= 10.2


def test_unused_budget_is_not_saved_up() -> None:
    month = Month(10)
    month.run(int(MINUTES_PER_MONTH) // 2, 0)
    month.run(1, 10**9)
    assert month.dollars <= 0.2


def test_a_reservation_is_no_longer_available_until_it_is_released() -> None:
    allowance = Allowance(10)
    allowance.update(0, 0)
    first = allowance.reserve(10**9)
    assert first == pytest.approx(0.1 / DOLLARS_PER_METRIC, abs=1)
    assert allowance.reserve(1) == 0
    allowance.release(first)
    assert allowance.reserve(5) == 5


def test_what_was_requested_before_a_reload_is_not_charged_again() -> None:
    allowance = Allowance(10)
    allowance.update(0, requested=10**9)
    assert allowance.reserve(5) == 5
    allowance.release(5)
    allowance.update(0, requested=10**9 + 9_000)
    assert allowance.reserve(10**9) == pytest.approx(1_000, abs=1)


@pytest.mark.parametrize(("each_account", "available"), [(True, 10_000), (False, 9_000)])
def test_accounts_share_a_budget_unless_each_has_its_own(each_account: bool, available: int) -> None:
    requested = {"a": 0, "b": 0}
    budget = Budget(10, each_account, lambda: 60.0, lambda: requested)
    budget.allowance("a")
    budget.allowance("b")
    requested["b"] = 1_000
    assert budget.allowance("a").reserve(10**9) == pytest.approx(available, abs=1)
