"""Judgements of minutes whose points arrive in any order and at any time."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.namespaces import MIN_LATE, NEVER, RESUME_FOR, SILENT_AFTER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings
from rules.arrays import Floats, Ints

NOW = 29_000_000
POINT_MINUTES = 30  # minutes that have points, up to NOW
BUSY, IDLE, STEADY = range(3)  # two metrics that are zero when absent, and one that always has points
ROWS = np.array([BUSY, IDLE, STEADY], np.int32)

Points = dict[tuple[int, int], float]  # by row and minutes ago


def rings_of(zero_when_absent: Iterable[bool] = (True, True, False)) -> Rings:
    """Return rings with one metric of the same namespace for each flag."""
    rings = Rings()
    namespace = rings.namespaces.number_of("AWS/Lambda")
    for flag in zero_when_absent:
        rings.declare(rings.allocate(), namespace, flag)
    return rings


def write(rings: Rings, row: int, minute: int, value: float) -> None:
    rings.write(np.array([row]), np.array([minute]), np.array([value], np.float32))


def history(rings: Rings, row: int, last: int, minutes: int = POINT_MINUTES) -> Floats:
    """Return the values of a metric in the minutes up to `last`."""
    all_minutes: Ints = np.arange(last - minutes + 1, last + 1, dtype=np.int32)
    return rings.at(np.full(minutes, row, np.int32), all_minutes)


points = st.dictionaries(
    st.tuples(st.sampled_from([BUSY, IDLE]), st.integers(0, POINT_MINUTES - 1)),
    st.integers(1, 100).map(float),
)


@given(points, st.data())
def test_a_history_is_complete_whatever_the_order_and_delay_of_its_points(
    sparse_points: Points, data: st.DataObject
) -> None:
    """Before a point proves that AWS has published a minute, the minute has no value 0."""
    truth = sparse_points | {(STEADY, minutes_ago): 7.0 for minutes_ago in range(POINT_MINUTES)}
    arrivals = data.draw(st.permutations(sorted(truth)))
    poll_delays = sorted(
        data.draw(
            st.lists(st.integers(0, WINDOW - POINT_MINUTES - 1), min_size=len(truth), max_size=len(truth))
        )
    )
    rings, newest_point = rings_of(), NOW - POINT_MINUTES - WINDOW
    for (row, minutes_ago), minutes_late in zip(arrivals, poll_delays, strict=True):
        rings.mark_read(ROWS, NOW + minutes_late)
        write(rings, row, NOW - minutes_ago, truth[row, minutes_ago])
        newest_point = max(newest_point, NOW - minutes_ago)
        for sparse_row in (BUSY, IDLE):
            values = history(rings, sparse_row, NOW + minutes_late, minutes=POINT_MINUTES + minutes_late)
            minutes = np.arange(NOW - POINT_MINUTES + 1, NOW + minutes_late + 1)
            is_silent = NOW + minutes_late - newest_point >= SILENT_AFTER
            assert is_silent or not (values[minutes > newest_point] == 0).any()
    rings.mark_read(ROWS, NOW + poll_delays[-1])
    for row in (BUSY, IDLE):
        expected = [truth.get((row, minutes_ago), 0.0) for minutes_ago in reversed(range(POINT_MINUTES))]
        assert history(rings, row, NOW).tolist() == expected


@pytest.mark.parametrize("minutes_late", [1, 5, 20, SILENT_AFTER - 1])
def test_a_missing_point_does_not_mean_zero_while_no_point_of_its_namespace_comes(minutes_late: int) -> None:
    rings = rings_of()
    for row in ROWS.tolist():
        write(rings, row, NOW, 5.0)
    rings.mark_read(ROWS, NOW + minutes_late)
    assert rings.latest_minute[ROWS].tolist() == [NOW] * 3
    assert rings.latest_value[ROWS].tolist() == [5.0] * 3
    assert rings.read_through[ROWS].tolist() == [NOW + minutes_late] * 3
    assert rings.polled_through[ROWS].tolist() == [NOW] * 3  # the minutes since are requested again


def test_a_point_of_another_metric_proves_zeros_up_to_its_minute() -> None:
    rings = rings_of()
    write(rings, STEADY, NOW, 5.0)
    rings.mark_read(ROWS, NOW + 5)
    rings.dirty[:] = False
    write(rings, STEADY, NOW + 3, 5.0)
    assert rings.latest_minute[:2].tolist() == [NOW + 3] * 2
    assert rings.dirty[:2].all()


def test_a_late_point_replaces_the_zero_that_was_reported() -> None:
    rings = rings_of()
    write(rings, STEADY, NOW, 5.0)
    rings.mark_read(ROWS, NOW)
    assert rings.latest_value[BUSY] == 0.0
    write(rings, BUSY, NOW, 9.0)
    assert rings.latest_value[BUSY] == 9.0


@pytest.mark.parametrize("poll_interval", [1, 5, 15])
def test_after_an_hour_of_silence_only_metrics_that_were_idle_before_are_zero(poll_interval: int) -> None:
    """This holds as well once the minute in which the namespace fell silent is outside the window."""
    rings = rings_of()
    write(rings, STEADY, NOW, 5.0)
    write(rings, BUSY, NOW - 1, 5.0)
    write(rings, IDLE, NOW - 30, 5.0)
    for minute in range(NOW, NOW + 3 * WINDOW, poll_interval):
        rings.mark_read(ROWS, minute)
        is_silent = minute - NOW >= SILENT_AFTER
        assert rings.latest_minute[BUSY] == NOW
        assert rings.latest_minute[IDLE] == (minute if is_silent else NOW)
    assert rings.latest_value[IDLE] == 0.0
    write(rings, STEADY, minute - 1, 5.0)
    assert rings.latest_minute[:2].tolist() == [minute - 1] * 2  # a new point proves zeros again


def test_a_namespace_without_any_point_is_late_for_an_hour_and_then_idle() -> None:
    rings = rings_of()
    rings.mark_read(ROWS, NOW)
    assert math.isnan(rings.latest_value[IDLE])
    rings.mark_read(ROWS, NOW + SILENT_AFTER - 1)
    assert math.isnan(rings.latest_value[IDLE])
    rings.mark_read(ROWS, NOW + SILENT_AFTER)
    assert rings.latest_value[:2].tolist() == [0.0, 0.0]
    assert math.isnan(rings.latest_value[STEADY])


def test_the_minutes_of_a_silent_namespace_are_requested_again_once_it_publishes_again() -> None:
    """A poll does not request the whole window while the namespace counts as idle."""
    rings = rings_of()
    for row in ROWS.tolist():
        write(rings, row, NOW, 5.0)
    rings.mark_read(ROWS, NOW)
    for minute in range(NOW + 1, NOW + 90):
        rings.mark_read(ROWS, minute, requested_from=int(rings.polled_through[STEADY]) - 9)
        is_late = minute - NOW < SILENT_AFTER
        assert rings.polled_through[ROWS].tolist() == [NOW if is_late else minute] * 3
    write(rings, STEADY, minute, 5.0)
    rings.mark_read(ROWS, minute, requested_from=minute - 10)
    assert rings.polled_through[ROWS].tolist() == [NOW] * 3


@pytest.mark.parametrize("minutes_late", [MIN_LATE, 20, 45])
def test_the_minutes_of_a_late_namespace_may_come_in_any_order(minutes_late: int) -> None:
    """The newest minute may come first: the minutes before it are requested again for RESUME_FOR minutes."""
    rings = rings_of()
    for row in ROWS.tolist():
        write(rings, row, NOW, 5.0)
    rings.mark_read(ROWS, NOW + minutes_late)
    for minute in range(NOW + minutes_late + 1, NOW + minutes_late + 2 * RESUME_FOR):
        write(rings, STEADY, minute, 5.0)
        rings.mark_read(ROWS, minute, requested_from=int(rings.polled_through[STEADY]) - 9)
        is_requested_again = minute <= NOW + minutes_late + RESUME_FOR
        assert rings.polled_through[ROWS].tolist() == [NOW if is_requested_again else minute] * 3


@pytest.mark.parametrize("interval", [1, 5, 60])
def test_a_namespace_that_is_not_late_is_read_completely_at_each_poll(interval: int) -> None:
    rings = rings_of()
    for minute in range(NOW, NOW + 5 * interval, interval):
        for minutes_ago in range(interval):
            write(rings, STEADY, minute - minutes_ago, 5.0)
        requested_from = int(rings.polled_through[STEADY]) - 9 if minute > NOW else NEVER
        rings.mark_read(ROWS, minute - 2, requested_from=requested_from)
        assert rings.polled_through[ROWS].tolist() == [minute - 2] * 3


def test_a_point_of_one_namespace_proves_nothing_about_another_namespace() -> None:
    rings = rings_of()
    other_row = rings.allocate()
    rings.declare(other_row, rings.namespaces.number_of("AWS/Kinesis"), zero_when_absent=True)
    write(rings, STEADY, NOW, 5.0)
    rings.mark_read(np.array([other_row], np.int32), NOW)
    assert math.isnan(rings.latest_value[other_row])


@pytest.mark.parametrize(
    ("newest", "proven"),
    [
        pytest.param(NOW + 3, NOW - 1, id="before the last minute of the period"),
        pytest.param(NOW + 4, NOW + 4, id="the last minute of the period"),
        pytest.param(NOW + 8, NOW + 4, id="within the next period"),
    ],
)
def test_a_point_proves_the_longer_periods_that_ended_by_its_minute(newest: int, proven: int) -> None:
    """NOW is the first minute of a period of five."""
    rings = rings_of()
    five_minute_row = rings.allocate()
    rings.declare(five_minute_row, rings.namespaces.number_of("AWS/Lambda", period=5), zero_when_absent=True)
    write(rings, STEADY, newest, 5.0)
    rings.mark_read(np.array([five_minute_row], np.int32), NOW + 9)
    assert rings.proven_through[five_minute_row] == proven


def test_a_point_of_a_longer_period_proves_nothing_about_metrics_of_one_minute() -> None:
    rings = rings_of()
    five_minute_row = rings.allocate()
    rings.declare(five_minute_row, rings.namespaces.number_of("AWS/Lambda", period=5), zero_when_absent=False)
    write(rings, five_minute_row, NOW + 4, 5.0)
    rings.mark_read(ROWS, NOW + 4)
    assert math.isnan(rings.latest_value[IDLE])


@pytest.mark.parametrize(
    # The last complete value, the provisional values by minute since, and the minute that is shown.
    ("complete_value", "provisional_values", "expected_minute"),
    [
        pytest.param(50, {1: 60}, 1, id="provisional point is higher"),
        pytest.param(50, {1: 10}, 0, id="provisional point is lower"),
        pytest.param(50, {1: 70, 2: 5}, 1, id="newest point is lower, the point before is higher"),
        pytest.param(50, {1: 5, 2: 70}, 2, id="newest point is higher, the point before is lower"),
        pytest.param(None, {1: 5}, 1, id="no complete minute"),
    ],
)
def test_a_provisional_minute_is_shown_if_it_is_no_lower_than_the_last_complete_minute(
    complete_value: float | None, provisional_values: dict[int, float], expected_minute: int
) -> None:
    rings = rings_of([False])
    row = np.array([0], np.int32)
    if complete_value is not None:
        write(rings, 0, NOW, complete_value)
    rings.mark_read(row, NOW)
    for minutes_later, value in provisional_values.items():
        write(rings, 0, NOW + minutes_later, value)
    assert rings.latest_minute[0] == NOW + expected_minute
    assert rings.complete_through(row) == NOW
    rings.mark_read(row, NOW + 2)
    assert rings.latest_minute[0] == NOW + max(provisional_values)


@pytest.mark.parametrize(
    ("is_final", "newest_confirmed", "latest"),
    [
        pytest.param(True, 1, 1, id="points hardly change, returned twice"),
        pytest.param(True, 0, 0, id="points hardly change, returned once"),
        pytest.param(False, 1, 0, id="points may change, returned twice"),
    ],
)
def test_a_lower_provisional_minute_is_shown_only_after_it_was_returned_twice(
    is_final: bool, newest_confirmed: int, latest: int
) -> None:
    rings = rings_of([False])
    row = np.array([0], np.int32)
    rings.namespaces.confirmed_is_final[rings.namespace[0]] = is_final
    write(rings, 0, NOW, 50)
    rings.mark_requested(row, NOW)
    write(rings, 0, NOW + 1, 10)
    rings.mark_requested(row, NOW + newest_confirmed)  # a request in the same minute confirms nothing
    write(rings, 0, NOW + 2, 5)
    rings.mark_read(row, NOW)
    assert rings.latest_minute[0] == NOW + latest
    assert rings.complete_through(row) == NOW
