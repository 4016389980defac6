"""The allowance of a budget: how much may be spent at once, and in a month."""

import pytest

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH
from monitor.planning.allowance import Allowance, minimum_dollars

METRIC_PRICE = LIST_PRICES.metric


def test_the_minimum_is_the_cost_of_one_request_an_hour() -> None:
    assert minimum_dollars(20_000, LIST_PRICES) == pytest.approx(
        20_000 * 730.5 * 0.00001
    )  # hours a month, dollars a metric


class Month:
    """Requests within an allowance. dollars: what they cost so far."""

    def __init__(self, dollars: float) -> None:
        self.allowance, self.minute, self.dollars = Allowance(dollars, LIST_PRICES), 0.0, 0.0

    def request(self, minutes: int, wanted: int, unreserved: int = 0) -> None:
        """In each minute, request as many of `wanted` metrics as are granted, and `unreserved` others."""
        spent = 0.0
        for _ in range(minutes):
            self.minute += 1
            self.allowance.charge(self.minute, spent)
            granted = self.allowance.reserve(wanted)
            spent = (granted + unreserved) * METRIC_PRICE
            self.dollars += spent
            self.allowance.release(granted)


@pytest.mark.parametrize("wanted", [10, 1000, 10**9])
def test_a_month_costs_at_most_two_percent_more_than_its_budget(wanted: int) -> None:
    month = Month(10)
    month.request(int(MINUTES_PER_MONTH), wanted)
    assert month.dollars <= 10.2


def test_requests_without_a_reservation_are_charged_too() -> None:
    month = Month(10)
    month.request(int(MINUTES_PER_MONTH), 1000, unreserved=10)
    assert month.dollars <= 10.2


def test_unused_budget_is_not_saved_up() -> None:
    month = Month(10)
    month.request(int(MINUTES_PER_MONTH) // 2, 0)
    month.request(1, 10**9)
    assert month.dollars <= 0.2


def test_reserved_dollars_cannot_be_reserved_again_until_they_are_released() -> None:
    allowance = Allowance(10, LIST_PRICES)
    allowance.charge(0, 0)
    first = allowance.reserve(10**9)
    assert first == pytest.approx(0.1 / METRIC_PRICE, abs=1)
    assert allowance.reserve(1) == 0
    allowance.release(first)
    assert allowance.reserve(5) == 5


def test_each_metric_may_be_requested_once_an_hour_whatever_the_budget() -> None:
    allowance = Allowance(0.01, LIST_PRICES, polled_metric_count=6000)
    assert allowance.metrics_per_minute == 100


def test_a_clock_that_does_not_advance_earns_nothing() -> None:
    allowance = Allowance(10, LIST_PRICES)
    allowance.charge(100, 0.1)
    allowance.charge(40, 0.0)
    assert allowance.reserve(10**9) == 0
