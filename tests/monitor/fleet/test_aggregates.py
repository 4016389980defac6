"""Usages of several metrics: counts that still grow, and metrics that are added to a formula."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Usage, count_difference, per_second, total
from monitor.alerting.lifecycle import Lifecycle
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.operations import SETTLED_AFTER, UNFINISHED_MINUTES
from monitor.fleet.series_settings import SeriesSettings
from rules.alert_rules import Rule
from rules.alerts import NEVER, AlertState
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band, Tolerance
from tests.registries import STREAM_WRITE_BYTES

NOW = 29_000_000
KEY = Key("123456789012", "eu-west-1", "test", "concurrency", "account")
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES,
    limit=Limit(1000.0, LimitSource.API, 0),
    band=Band(),
    tolerance=Tolerance(share=0.001),
)
running = Metric("AWS/Test", "Running", "Maximum")
served = Metric("AWS/Test", "Served", "Sum", zero_when_absent=True)
throttles = Metric("AWS/Test", "Throttles", "Sum", zero_when_absent=True)
reserved_throttles = [throttles.of(FunctionName=name) for name in "ab"]


class AccountWithReservations:
    """An account whose throttled demand is its throttles minus the throttles of reserved functions."""

    def __init__(self, throttled: Usage | None = None, usage: Usage | None = None) -> None:
        self.fleet = Fleet()
        self.lifecycle = Lifecycle(self.fleet, NEVER)
        self.put(throttled or count_difference(throttles, *reserved_throttles), usage or total(running))

    def put(self, throttled: Usage, usage: Usage) -> None:
        observed = Observed(
            signal="concurrency", resource=KEY.subject, usage=usage, throttled=throttled, served=total(served)
        )
        self.fleet.put(KEY, observed, SETTINGS, NOW)

    def write(self, metric: Metric, minute: int, value: float) -> None:
        self.write_all([(metric, minute, value)])

    def write_all(self, points: Iterable[tuple[Metric, int, float]]) -> None:
        """Write points of several metrics and minutes at once, as one answer of CloudWatch brings them."""
        metrics, minutes, values = zip(*points, strict=True)
        row_by_query = self.fleet.metrics(KEY.cell)
        rows = np.array([row_by_query[metric_query(metric)] for metric in metrics], np.int32)
        self.fleet.rings.write(rows, np.array(minutes, np.int32), np.array(values, np.float32))

    def read(self, minute: int, *metrics: Metric) -> None:
        row_by_query = self.fleet.metrics(KEY.cell)
        rows = (
            [row_by_query[metric_query(metric)] for metric in metrics]
            if metrics
            else [*row_by_query.values()]
        )
        self.fleet.rings.mark_read(np.array(rows, np.int32), minute)

    def saturation(self, now: int) -> float:
        judge(self.fleet, now)
        return float(self.fleet.saturation[self.fleet.series[KEY].slot])

    def zone(self, now: int) -> Zone:
        judge(self.fleet, now)
        return Zone(int(self.fleet.zone[self.fleet.series[KEY].slot]))

    def fires(self) -> bool:
        """Advance the alerts, and return whether the alert on throttling fires."""
        list(self.lifecycle.advance_in_parts(self.fleet.take_updated()))
        rules = self.lifecycle.rules_in_state(self.fleet.series[KEY].slot, AlertState.FIRING)
        return any(rule is Rule.SATURATED for rule, _ in rules)


# The share of a count that is published, by its age in minutes: at least 30 % at first, and all at the end.
published_shares = st.lists(st.floats(0.3, 1), min_size=3, max_size=9).map(
    lambda shares: [*sorted(shares), 1.0]
)


def published_share(shares: list[float], age: int) -> float:
    """Return the share of a count that CloudWatch has published when its minute is `age` minutes old."""
    return shares[min(age, len(shares) - 1)]


@given(
    st.lists(published_shares, min_size=3, max_size=3),
    st.lists(st.integers(300, 600), min_size=25, max_size=25),
)
def test_a_difference_of_counts_that_still_grow_is_unknown(
    shares_by_metric: list[list[float]], counts: list[int]
) -> None:
    """All throttles are of the two functions with a reservation, so the true difference is 0."""
    account = AccountWithReservations()
    for now in range(NOW, NOW + len(counts)):
        points = [
            (metric, minute, function_count * counts[minute - NOW] * published_share(shares, now - minute))
            for metric, shares, function_count in zip(
                (throttles, *reserved_throttles), shares_by_metric, (2, 1, 1), strict=True
            )
            for minute in range(NOW, now + 1)
        ]
        account.write_all([*points, (running, now, 10)])
        account.read(now)
        assert not account.saturation(now) > 0
        assert not account.fires()


@given(st.integers(1, 599))
def test_throttles_of_functions_without_a_reservation_are_known_once_the_counts_have_settled(
    excess: int,
) -> None:
    account = AccountWithReservations()
    counts = {throttles: 600 + excess, reserved_throttles[0]: 600, running: 10}
    account.write_all(
        (metric, minute, count)
        for minute in range(NOW - SETTLED_AFTER - 5, NOW + 1)
        for metric, count in counts.items()
    )
    account.read(NOW)
    assert account.saturation(NOW) == excess
    assert account.zone(NOW) is Zone.SATURATED
    assert account.fires()


def test_a_difference_that_growing_counts_cannot_explain_is_known_at_once() -> None:
    account = AccountWithReservations()
    for minute in range(NOW - UNFINISHED_MINUTES, NOW + 1):
        account.write(throttles, minute, 900)
        account.write(reserved_throttles[0], minute, 200)
        account.write(running, minute, 10)
    account.read(NOW)
    assert account.saturation(NOW) == 700
    assert account.fires()


def test_a_count_difference_without_a_subtrahend_is_the_total() -> None:
    assert count_difference(throttles) == total(throttles)


def test_a_metric_that_is_added_to_a_sum_does_not_make_the_sum_stale() -> None:
    first, second = (running.of(FunctionName=name) for name in "ab")
    account = AccountWithReservations(total(throttles), total(first, throttles.of(FunctionName="x")))
    for minute in range(NOW - 5, NOW + 1):
        account.write(first, minute, 700)
    account.read(NOW)
    assert account.zone(NOW) is Zone.WITHIN
    account.put(total(throttles), total(first, throttles.of(FunctionName="x"), second))
    assert account.zone(NOW) is Zone.WITHIN  # judged in the minute before `second` was added
    account.write(first, NOW + 1, 700)
    account.write(second, NOW + 1, 250)
    account.read(NOW + 1)
    assert account.zone(NOW + 1) is Zone.NEAR


def test_a_sum_with_an_added_metric_that_is_never_read_becomes_stale() -> None:
    first, second = (running.of(FunctionName=name) for name in "ab")
    account = AccountWithReservations(total(throttles), total(first))
    account.write(first, NOW, 700)
    account.read(NOW)
    account.put(total(throttles), total(first, second))
    later = NOW + SETTINGS.stale_after + 1
    account.write(first, later, 700)
    account.read(later, first, throttles)
    assert account.zone(later) is Zone.STALE


def test_a_sum_is_judged_in_the_last_minute_in_which_all_its_metrics_were_read() -> None:
    first, second = (running.of(FunctionName=name) for name in "ab")
    account = AccountWithReservations(total(throttles), total(first, second))
    for metric, value in ((first, 500), (second, 450)):
        account.write(metric, NOW, value)
    account.read(NOW)
    account.write(first, NOW + 1, 500)
    account.read(NOW + 1, first)
    assert account.zone(NOW + 1) is Zone.NEAR
    assert account.fleet.usage[account.fleet.series[KEY].slot] == pytest.approx(950)


def test_scaling_a_count_difference_scales_each_weight() -> None:
    terms = count_difference(throttles, *reserved_throttles).scaled(1 / 60).terms
    assert [weight for _, weight in terms] == [1 / 60, -1 / 60, -1 / 60]
    assert per_second(throttles) == count_difference(throttles).scaled(1 / 60)
