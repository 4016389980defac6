"""The samples that are pushed, and their order. A point is (resource, age in minutes at NOW, value)."""

from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Unobservable, total
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import PROVISIONAL_FOR, STREAM_LAG
from monitor.push.pending_samples import LATE_MINUTES, SLICE_MINUTES, PendingSamples
from rules.band import Zone
from tests.monitor.fleet.fleets import NOW, SETTINGS, key, traffic
from tests.monitor.push.pushed_fleets import (
    ImmediateReceiver,
    add_stream,
    mark_polled,
    metric_row,
    points_of,
    write_usage,
)

RESOURCE = "clicks"


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_each_minute_is_judged_by_its_own_values(fleet: Fleet) -> None:
    series = add_stream(fleet)
    write_usage(fleet, series, {NOW - 5: 500, NOW - 4: 950, NOW - 3: 100})
    write_usage(fleet, series, {NOW - 3: 2}, of_throttling=True)
    points = points_of(ImmediateReceiver(fleet).push())
    assert [point for name, point in points if name == "usage"] == [
        (RESOURCE, 5, 500),
        (RESOURCE, 4, 950),
        (RESOURCE, 3, 100),
    ]
    assert [point for name, point in points if name == "utilization_ratio"] == [
        (RESOURCE, 5, 0.5),
        (RESOURCE, 4, 0.95),
        (RESOURCE, 3, 0.1),
    ]
    assert [point for name, point in points if name == "zone"] == [
        (RESOURCE, 5, Zone.WITHIN),
        (RESOURCE, 4, Zone.NEAR),
        (RESOURCE, 3, Zone.SATURATED),
    ]
    assert [point[2] for name, point in points if name == "limit"] == [1000, 1000, 1000]
    assert [point for name, point in points if name == "saturation" and point[2]] == [(RESOURCE, 3, 2)]


def test_a_missing_minute_is_not_zero(fleet: Fleet) -> None:
    series = add_stream(fleet, throttled=None)
    write_usage(fleet, series, {NOW - 9: 1, NOW - 5: 2})
    assert points_of(ImmediateReceiver(fleet).push()) == [
        (name, (RESOURCE, minutes_ago, value))
        for name, values in (
            ("usage", (1, 2)),
            ("limit", (1000, 1000)),
            ("utilization_ratio", (0.001, 0.002)),
            ("zone", (Zone.BELOW, Zone.BELOW)),
        )
        for minutes_ago, value in zip((9, 5), values, strict=True)
    ]


def test_streamed_minutes_after_a_gap_wait_for_a_poll_for_a_limited_time(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet, throttled=None), ImmediateReceiver(fleet)
    rows = np.array([metric_row(fleet, series)], np.int32)

    def stream_point(minutes_ago: int) -> None:
        minute = NOW - minutes_ago
        fleet.rings.write_streamed(rows, np.array([minute], np.int32), np.ones(1, np.float32), minute)

    write_usage(fleet, series, {NOW - 60: 1})
    mark_polled(fleet, series, NOW - 60)
    stream_point(55)
    assert receiver.push_family("usage") == [(RESOURCE, 60, 1)]
    write_usage(fleet, series, {minute: 1 for minute in range(NOW - 59, NOW - 55)})
    mark_polled(fleet, series, NOW - 55)
    assert receiver.push_family("usage") == [(RESOURCE, age, 1) for age in range(59, 54, -1)]
    for age in range(49, 55 - PROVISIONAL_FOR - 1, -1):  # after a gap of five minutes, without further polls
        stream_point(age)
        assert receiver.push_family("usage") == []
    stream_point(54 - PROVISIONAL_FOR)
    assert [age for _, age, _ in receiver.push_family("usage")] == list(range(49, 53 - PROVISIONAL_FOR, -1))


def test_minutes_before_a_metric_stream_began_are_not_pushed_as_zero(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet, out_of_order=True)
    rows = np.array([metric_row(fleet, series, of_throttling=True)], np.int32)
    write_usage(fleet, series, {NOW: 1})  # AWS has published other metrics up to NOW
    for minute in (NOW - 5, NOW - 4):
        fleet.rings.mark_streamed(rows, np.array([minute], np.int32), minute + STREAM_LAG)
    assert receiver.push_family("saturation") == [(RESOURCE, 5, 0), (RESOURCE, 4, 0)]
    fleet.rings.mark_read(rows, NOW - 6)
    fleet.rings.mark_streamed(rows, np.array([NOW - 3], np.int32), NOW)
    late_points = [(RESOURCE, minutes_ago, 0) for minutes_ago in range(3 + LATE_MINUTES - 1, 5, -1)]
    assert receiver.push_family("saturation") == [(RESOURCE, 3, 0), *late_points], (
        "polls have read the older minutes meanwhile"
    )


def test_a_value_is_pushed_without_the_rounding_error_of_float32(fleet: Fleet) -> None:
    series = add_stream(fleet, throttled=None)
    write_usage(fleet, series, {NOW - 5: 0.1})
    assert ImmediateReceiver(fleet).push_family("usage") == [(RESOURCE, 5, 0.1)]


def test_each_minute_is_pushed_once(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet)
    write_usage(fleet, series, {NOW - 5: 1})
    assert receiver.push()
    assert receiver.push() == []
    write_usage(fleet, series, {NOW - 5: 9, NOW - 4: 2})
    assert receiver.push_family("usage") == [(RESOURCE, 4, 2)]


def test_a_minute_older_than_a_pushed_one_is_not_pushed(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet)
    write_usage(fleet, series, {NOW - 7: 1, NOW - 5: 1})
    receiver.push()
    write_usage(fleet, series, {NOW - 6: 2, NOW - 4: 3})
    assert receiver.push_family("usage") == [(RESOURCE, 4, 3)]


def test_usage_that_arrives_after_throttling_is_still_pushed(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet)
    write_usage(fleet, series, {NOW - 5: 4}, of_throttling=True)
    points = points_of(receiver.push())
    assert ("zone", (RESOURCE, 5, Zone.SATURATED)) in points
    assert {name for name, _ in points} == {"zone", "saturation"}
    write_usage(fleet, series, {NOW - 6: 100, NOW - 5: 100})
    assert {point for point in points_of(receiver.push()) if point[0] == "usage"} == {
        ("usage", (RESOURCE, 6, 100)),
        ("usage", (RESOURCE, 5, 100)),
    }


def test_a_sum_waits_for_all_its_metrics(fleet: Fleet) -> None:
    """A sum of which a part is missing is not pushed, even if the throttled demand of its minute is known."""
    parts = [traffic.of(StreamName=name) for name in ("one", "other")]
    series, receiver = add_stream(fleet, usage=total(*parts)), ImmediateReceiver(fleet)
    formula = fleet.usages.get(series.slot)
    assert formula
    first, second = (np.array([row], np.int32) for row in formula.rows)
    for row, minute in ((first, NOW - 5), (second, NOW - 5), (first, NOW - 4)):
        fleet.rings.write(row, np.array([minute], np.int32), np.array([100], np.float32))
    write_usage(fleet, series, {NOW - 4: 0}, of_throttling=True)
    assert receiver.push_family("usage") == [(RESOURCE, 5, 200)]
    fleet.rings.write(second, np.array([NOW - 4], np.int32), np.array([150], np.float32))
    assert receiver.push_family("usage") == [(RESOURCE, 4, 250)]


def test_a_sample_that_cannot_be_judged_has_no_zone(fleet: Fleet) -> None:
    unobservable = add_stream(fleet, "unseen", usage=Unobservable("not enabled"))
    write_usage(fleet, unobservable, {NOW - 5: 3, NOW - 4: 0}, of_throttling=True)
    bounded = add_stream(fleet, "bounded", throttled=None, upper_bound=total(traffic.of(StreamName="upper")))
    write_usage(fleet, bounded, {NOW - 5: 500})
    formula = fleet.upper_bounds.get(bounded.slot)
    assert formula
    fleet.rings.write(np.array(formula.rows), np.array([NOW - 5]), np.array([1000], np.float32))
    points = points_of(ImmediateReceiver(fleet).push())
    assert [point for name, point in points if name == "zone"] == [("unseen", 5, Zone.SATURATED)]
    assert [point for point in points if point[1][0] == "bounded"] == [
        ("usage_lower_bound", ("bounded", 5, 500)),
        ("usage_upper_bound", ("bounded", 5, 1000)),
        ("limit", ("bounded", 5, 1000)),
    ]


def test_three_hours_are_pushed_oldest_first(fleet: Fleet) -> None:
    streams = [add_stream(fleet, f"stream-{n}", throttled=None) for n in range(40)]
    for series in streams:
        write_usage(fleet, series, {minute: 1 for minute in range(NOW - WINDOW + 1, NOW + 1)})
    requests = ImmediateReceiver(fleet).push()
    points = points_of(requests)
    assert len(points) == len(set(points)) == 40 * WINDOW * 4
    assert max(map(len, requests)) <= 2000
    newest_age = 10**9
    for request in requests:
        ages = [minutes_ago for _, (_, minutes_ago, _) in points_of([request])]
        assert max(ages) < newest_age + SLICE_MINUTES, (
            "a receiver accepts samples that are less than an hour older than the newest it has"
        )
        newest_age = min(newest_age, *ages)
    for series in streams:
        sample_of_series = "usage", series.key.resource
        ages = [age for name, (resource, age, _) in points if (name, resource) == sample_of_series]
        assert ages == list(range(WINDOW - 1, -1, -1))


def test_the_older_samples_of_a_new_series_are_pushed_before_new_samples_of_other_series(
    fleet: Fleet,
) -> None:
    series, receiver = add_stream(fleet, throttled=None), ImmediateReceiver(fleet)
    write_usage(fleet, series, {NOW - 5: 1})
    receiver.push()
    write_usage(fleet, series, {NOW - 4: 1})
    write_usage(
        fleet, add_stream(fleet, "late", throttled=None), {minute: 1 for minute in range(NOW - 150, NOW - 3)}
    )
    resources_by_request = [{point[0] for _, point in points_of([request])} for request in receiver.push()]
    assert resources_by_request[0] == {"late"}
    assert resources_by_request[-1] == {"late", RESOURCE}


def test_a_restart_continues_from_the_watermarks(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet)
    write_usage(fleet, series, {NOW - 5: 1})
    receiver.push()
    receiver.restart()
    assert receiver.push() == []
    write_usage(fleet, series, {NOW - 4: 2})
    assert receiver.push_family("usage") == [(RESOURCE, 4, 2)]


def test_slots_that_are_reused_do_not_mix_up_series(fleet: Fleet) -> None:
    receiver = ImmediateReceiver(fleet)
    write_usage(fleet, add_stream(fleet), {NOW - 5: 1})
    receiver.push()
    fleet.drop(key(RESOURCE))
    fleet.reclaim()
    write_usage(fleet, add_stream(fleet, "other"), {NOW - 6: 7})
    assert receiver.push_family("usage") == [("other", 6, 7)]
    write_usage(fleet, add_stream(fleet), {NOW - 5: 1, NOW - 4: 2})
    assert receiver.push_family("usage") == [(RESOURCE, 4, 2)], "its watermark is still known"


def test_a_series_that_returns_continues_from_its_watermark_even_after_a_restart(fleet: Fleet) -> None:
    receiver = ImmediateReceiver(fleet)
    write_usage(fleet, add_stream(fleet), {NOW - 5: 1})
    receiver.push()
    fleet.drop(key(RESOURCE))
    fleet.reclaim()
    write_usage(fleet, add_stream(fleet, "in the same slot"), {NOW - 5: 7})
    receiver.push()
    receiver.restart()
    write_usage(fleet, add_stream(fleet), {NOW - 5: 1, NOW - 4: 2})
    assert receiver.push_family("usage") == [(RESOURCE, 4, 2)]


def test_a_series_that_departs_before_its_samples_are_queued_is_skipped(fleet: Fleet) -> None:
    receiver = ImmediateReceiver(fleet)
    write_usage(fleet, add_stream(fleet), {NOW - 5: 1})
    pending = PendingSamples(fleet, receiver.watermarks)
    fleet.drop(key(RESOURCE))
    fleet.reclaim()
    write_usage(fleet, add_stream(fleet, "in the same slot"), {NOW - 5: 7})
    assert sum(batch.slots.size for batch in pending.batches()) == 0
    assert receiver.push_family("usage") == [("in the same slot", 5, 7)]


def test_late_and_revised_minutes_are_pushed_to_a_receiver_that_accepts_them(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet, out_of_order=True)
    write_usage(fleet, series, {NOW - 8: 100, NOW - 6: 500, NOW - 5: 500})
    receiver.push()
    write_usage(fleet, series, {NOW - 7: 50, NOW - 6: 950, NOW - 5: 501, NOW - 4: 700})
    requests = [points_of([request]) for request in receiver.push()]
    assert {point[1] for _, point in requests[0]} == {4}, "new minutes come first, in a request of their own"
    later_points = [point for request in requests[1:] for point in request]
    assert [point for name, point in later_points if name == "usage"] == [
        (RESOURCE, 7, 50),
        (RESOURCE, 6, 950),
        (RESOURCE, 5, 501),
    ]
    assert ("zone", (RESOURCE, 6, Zone.NEAR)) in later_points
    assert receiver.push() == []
    write_usage(fleet, series, {NOW - 3: 1})
    assert receiver.push_family("usage") == [(RESOURCE, 3, 1)], "each revision is pushed once"


def test_a_revision_of_the_newest_pushed_minute_waits_for_a_newer_minute(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet, out_of_order=True)
    write_usage(fleet, series, {NOW - 5: 500})
    receiver.push()
    write_usage(fleet, series, {NOW - 5: 600})
    mark_polled(fleet, series, NOW - 4)  # in the newer minute no demand was throttled, and usage is missing
    assert receiver.push_family("usage") == []
    write_usage(fleet, series, {NOW - 3: 1})
    assert receiver.push_family("usage") == [], "a minute that is not complete is not pushed"
    mark_polled(fleet, series, NOW - 3)
    assert receiver.push_family("usage") == [(RESOURCE, 3, 1), (RESOURCE, 5, 600)]


def test_samples_older_than_the_late_minutes_are_not_revised(fleet: Fleet) -> None:
    series, receiver = add_stream(fleet), ImmediateReceiver(fleet, out_of_order=True)
    write_usage(fleet, series, {minute: 1 for minute in range(NOW - 60, NOW)})
    receiver.push()
    write_usage(fleet, series, {NOW - 60: 2, NOW - LATE_MINUTES: 2, NOW - LATE_MINUTES + 1: 2, NOW: 1})
    assert receiver.push_family("usage") == [(RESOURCE, 0, 1), (RESOURCE, LATE_MINUTES - 1, 2)]


def test_each_minute_has_the_limit_that_was_in_force(fleet: Fleet) -> None:
    """A changed limit applies from the newest sample on, not to earlier minutes."""
    series, receiver = add_stream(fleet, throttled=None), ImmediateReceiver(fleet, out_of_order=True)
    write_usage(fleet, series, {NOW - 6: 800, NOW - 5: 800})
    receiver.push()
    limit = SETTINGS.limit
    assert limit
    add_stream(
        fleet, series_settings=replace(SETTINGS, limit=replace(limit, value=2000.0)), throttled=None
    )  # changes the limit of the series
    write_usage(fleet, series, {NOW - 1: 800, NOW: 800})
    points = [(name, point[1:]) for name, point in points_of(receiver.push())]
    assert sorted(points) == [
        ("limit", (0, 2000)),
        ("limit", (1, 2000)),
        ("usage", (0, 800)),
        ("usage", (1, 800)),
        ("utilization_ratio", (0, 0.4)),
        ("utilization_ratio", (1, 0.4)),
        ("zone", (0, Zone.WITHIN)),
        ("zone", (1, Zone.WITHIN)),
        ("zone", (5, Zone.WITHIN)),  # this sample was the newest: the new limit changes its zone
    ]
