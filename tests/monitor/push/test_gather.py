"""Which samples are pushed, and in which order."""

from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Unobservable, total
from monitor.fleet import Fleet
from monitor.push.gather import LATE, SLICE, Gathering
from monitor.push.samples import HELD
from monitor.rings import WINDOW
from rules.band import Zone
from tests.monitor.fleets import NOW, RULING, key, traffic
from tests.monitor.push.pushes import Pushed, points, read, row, stream, use

RESOURCE = "clicks"


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_each_minute_is_told_as_it_was(fleet: Fleet) -> None:
    series = stream(fleet)
    use(fleet, series, {NOW - 5: 500, NOW - 4: 950, NOW - 3: 100})
    use(fleet, series, {NOW - 3: 2}, of_refusals=True)
    told = points(Pushed(fleet).look())
    assert [point for name, point in told if name == "usage"] == [
        (RESOURCE, 5, 500),
        (RESOURCE, 4, 950),
        (RESOURCE, 3, 100),
    ]
    assert [point for name, point in told if name == "utilization_ratio"] == [
        (RESOURCE, 5, 0.5),
        (RESOURCE, 4, 0.95),
        (RESOURCE, 3, 0.1),
    ]
    assert [point for name, point in told if name == "zone"] == [
        (RESOURCE, 5, Zone.WITHIN),
        (RESOURCE, 4, Zone.CRITICAL),
        (RESOURCE, 3, Zone.SATURATED),
    ]
    assert [point[2] for name, point in told if name == "limit"] == [1000, 1000, 1000]
    assert [point for name, point in told if name == "saturation" and point[2]] == [(RESOURCE, 3, 2)]


def test_a_missing_minute_is_not_zero(fleet: Fleet) -> None:
    series = stream(fleet, refused=None)
    use(fleet, series, {NOW - 9: 1, NOW - 5: 2})
    assert points(Pushed(fleet).look()) == [
        (name, (RESOURCE, ago, value))
        for name, values in (
            ("usage", (1, 2)),
            ("limit", (1000, 1000)),
            ("utilization_ratio", (0.001, 0.002)),
            ("zone", (Zone.BELOW, Zone.BELOW)),
        )
        for ago, value in zip((9, 5), values, strict=True)
    ]


def test_minutes_behind_a_gap_wait_for_a_poll_but_not_for_long(fleet: Fleet) -> None:
    series, pushed = stream(fleet, refused=None), Pushed(fleet)
    rows = np.array([row(fleet, series)], np.int32)

    def come(ago: int) -> None:
        fleet.rings.write_streamed(rows, np.array([NOW - ago], np.int32), np.ones(1, np.float32), NOW - ago)

    use(fleet, series, {NOW - 60: 1})
    read(fleet, series, NOW - 60)
    come(55)
    assert pushed.told("usage") == [(RESOURCE, 60, 1)]
    use(fleet, series, {minute: 1 for minute in range(NOW - 59, NOW - 55)})
    read(fleet, series, NOW - 56)
    assert pushed.told("usage") == [(RESOURCE, ago, 1) for ago in range(59, 54, -1)]
    for ago in range(49, 56 - HELD - 1, -1):  # after a pause, and nobody polls any more
        come(ago)
        assert pushed.told("usage") == []
    come(55 - HELD)
    assert [ago for _, ago, _ in pushed.told("usage")] == list(range(49, 54 - HELD, -1))


def test_minutes_before_a_stream_began_are_not_told_as_zero(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet, out_of_order=True)
    rows = np.array([row(fleet, series, of_refusals=True)], np.int32)
    for minute in (NOW - 5, NOW - 4):
        fleet.rings.mark_streamed(rows, np.array([minute], np.int32), NOW)
    assert pushed.told("saturation") == [(RESOURCE, 5, 0), (RESOURCE, 4, 0)]
    fleet.rings.mark_read(rows, NOW - 6)
    fleet.rings.mark_streamed(rows, np.array([NOW - 3], np.int32), NOW)
    late = [(RESOURCE, ago, 0) for ago in range(3 + LATE - 1, 5, -1)]
    assert pushed.told("saturation") == [(RESOURCE, 3, 0), *late], "they were read meanwhile"


def test_numbers_are_those_that_the_exposition_shows(fleet: Fleet) -> None:
    series = stream(fleet, refused=None)
    use(fleet, series, {NOW - 5: 0.1})
    assert Pushed(fleet).told("usage") == [(RESOURCE, 5, 0.1)]


def test_each_minute_is_told_once(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet)
    use(fleet, series, {NOW - 5: 1})
    assert pushed.look()
    assert pushed.look() == []
    use(fleet, series, {NOW - 5: 9, NOW - 4: 2})
    assert pushed.told("usage") == [(RESOURCE, 4, 2)]


def test_a_minute_between_two_that_were_told_comes_too_late(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet)
    use(fleet, series, {NOW - 7: 1, NOW - 5: 1})
    pushed.look()
    use(fleet, series, {NOW - 6: 2, NOW - 4: 3})
    assert pushed.told("usage") == [(RESOURCE, 4, 3)]


def test_usage_that_is_behind_refusals_is_still_told(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet)
    use(fleet, series, {NOW - 5: 4}, of_refusals=True)
    told = points(pushed.look())
    assert ("zone", (RESOURCE, 5, Zone.SATURATED)) in told
    assert {name for name, _ in told} == {"zone", "saturation"}
    use(fleet, series, {NOW - 6: 100, NOW - 5: 100})
    assert {point for point in points(pushed.look()) if point[0] == "usage"} == {
        ("usage", (RESOURCE, 6, 100)),
        ("usage", (RESOURCE, 5, 100)),
    }


def test_a_sum_waits_for_all_its_metrics(fleet: Fleet) -> None:
    """A part of it is no usage, though refusals of that minute are known."""
    parts = [traffic.of(StreamName=name) for name in ("one", "other")]
    series, pushed = stream(fleet, usage=total(*parts)), Pushed(fleet)
    formula = fleet.usages.get(series.place)
    assert formula
    one, other = (np.array([number], np.int32) for number in formula.rows)
    for metric, minute in ((one, NOW - 5), (other, NOW - 5), (one, NOW - 4)):
        fleet.rings.write(metric, np.array([minute], np.int32), np.array([100], np.float32))
    use(fleet, series, {NOW - 4: 0}, of_refusals=True)
    assert pushed.told("usage") == [(RESOURCE, 5, 200)]
    fleet.rings.write(other, np.array([NOW - 4], np.int32), np.array([150], np.float32))
    assert pushed.told("usage") == [(RESOURCE, 4, 250)]


def test_what_cannot_be_judged_has_no_zone(fleet: Fleet) -> None:
    unseen = stream(fleet, "unseen", usage=Unobservable("not enabled"))
    use(fleet, unseen, {NOW - 5: 3, NOW - 4: 0}, of_refusals=True)
    bounded = stream(fleet, "bounded", refused=None, at_most=total(traffic.of(StreamName="upper")))
    use(fleet, bounded, {NOW - 5: 900})
    formula = fleet.bounds.get(bounded.place)
    assert formula
    fleet.rings.write(np.array(formula.rows), np.array([NOW - 5]), np.array([1000], np.float32))
    told = points(Pushed(fleet).look())
    assert [point for name, point in told if name == "zone"] == [("unseen", 5, Zone.SATURATED)]
    assert [one for one in told if one[1][0] == "bounded"] == [
        ("usage_lower_bound", ("bounded", 5, 900)),
        ("usage_upper_bound", ("bounded", 5, 1000)),
        ("limit", ("bounded", 5, 1000)),
    ]


def test_three_hours_are_told_from_the_oldest_on(fleet: Fleet) -> None:
    many = [stream(fleet, f"stream-{n}", refused=None) for n in range(40)]
    for series in many:
        use(fleet, series, {minute: 1 for minute in range(NOW - WINDOW + 1, NOW + 1)})
    requests = Pushed(fleet).look()
    told = points(requests)
    assert len(told) == len(set(told)) == 40 * WINDOW * 4
    assert max(map(len, requests)) <= 2000
    newest = 10**9
    for request in requests:
        agos = [point[1] for _, point in points([request])]
        assert max(agos) < newest + SLICE, "a receiver takes what is less than an hour behind"
        newest = min(newest, *agos)
    for series in many:
        agos = [
            ago for name, (resource, ago, _) in told if (name, resource) == ("usage", series.key.resource)
        ]
        assert agos == list(range(WINDOW - 1, -1, -1))


def test_a_series_that_comes_later_does_not_hold_up_the_others(fleet: Fleet) -> None:
    series, pushed = stream(fleet, refused=None), Pushed(fleet)
    use(fleet, series, {NOW - 5: 1})
    pushed.look()
    use(fleet, series, {NOW - 4: 1})
    use(fleet, stream(fleet, "late", refused=None), {minute: 1 for minute in range(NOW - 150, NOW - 3)})
    with_old = [{point[0] for _, point in points([one])} for one in pushed.look()]
    assert with_old[0] == {"late"}
    assert with_old[-1] == {"late", RESOURCE}


def test_a_restart_goes_on_where_it_was(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet)
    use(fleet, series, {NOW - 5: 1})
    pushed.look()
    pushed.restart()
    assert pushed.look() == []
    use(fleet, series, {NOW - 4: 2})
    assert pushed.told("usage") == [(RESOURCE, 4, 2)]


def test_places_that_change_hands_do_not_mix_up_series(fleet: Fleet) -> None:
    pushed = Pushed(fleet)
    use(fleet, stream(fleet), {NOW - 5: 1})
    pushed.look()
    fleet.drop(key(RESOURCE))
    fleet.release()
    use(fleet, stream(fleet, "other"), {NOW - 6: 7})
    assert pushed.told("usage") == [("other", 6, 7)]
    use(fleet, stream(fleet), {NOW - 5: 1, NOW - 4: 2})
    assert pushed.told("usage") == [(RESOURCE, 4, 2)], "it is known where it stood"


def test_a_series_that_was_gone_for_a_while_goes_on_where_it_was_over_a_restart_too(fleet: Fleet) -> None:
    pushed = Pushed(fleet)
    use(fleet, stream(fleet), {NOW - 5: 1})
    pushed.look()
    fleet.drop(key(RESOURCE))
    fleet.release()
    use(fleet, stream(fleet, "heir"), {NOW - 5: 7})
    pushed.look()
    pushed.restart()
    use(fleet, stream(fleet), {NOW - 5: 1, NOW - 4: 2})
    assert pushed.told("usage") == [(RESOURCE, 4, 2)]


def test_a_series_that_leaves_meanwhile_is_let_go(fleet: Fleet) -> None:
    pushed = Pushed(fleet)
    use(fleet, stream(fleet), {NOW - 5: 1})
    gathering = Gathering(fleet, pushed.progress)
    fleet.drop(key(RESOURCE))
    fleet.release()
    use(fleet, stream(fleet, "heir"), {NOW - 5: 7})
    assert sum(portion.places.size for portion in gathering.portions()) == 0
    assert pushed.told("usage") == [("heir", 5, 7)]


def test_late_and_revised_minutes_follow_where_the_receiver_takes_them(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet, out_of_order=True)
    use(fleet, series, {NOW - 8: 100, NOW - 6: 500, NOW - 5: 500})
    pushed.look()
    use(fleet, series, {NOW - 7: 50, NOW - 6: 950, NOW - 5: 501, NOW - 4: 700})
    requests = [points([request]) for request in pushed.look()]
    assert {point[1] for _, point in requests[0]} == {4}, "what is new comes first, in a request of its own"
    later = [point for request in requests[1:] for point in request]
    assert [point for name, point in later if name == "usage"] == [
        (RESOURCE, 7, 50),
        (RESOURCE, 6, 950),
        (RESOURCE, 5, 501),
    ]
    assert ("zone", (RESOURCE, 6, Zone.CRITICAL)) in later
    assert pushed.look() == []
    use(fleet, series, {NOW - 3: 1})
    assert pushed.told("usage") == [(RESOURCE, 3, 1)], "each revision is told once"


def test_a_series_newest_minute_is_revised_once_there_is_a_newer_one(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet, out_of_order=True)
    use(fleet, series, {NOW - 5: 500})
    pushed.look()
    use(fleet, series, {NOW - 5: 600})
    read(fleet, series, NOW - 4)  # refusals have a newer minute, usage has not
    assert pushed.told("usage") == []
    use(fleet, series, {NOW - 3: 1})
    assert pushed.told("usage") == [(RESOURCE, 3, 1), (RESOURCE, 5, 600)]


def test_what_is_older_than_receivers_are_asked_to_take_stays_as_it_was(fleet: Fleet) -> None:
    series, pushed = stream(fleet), Pushed(fleet, out_of_order=True)
    use(fleet, series, {minute: 1 for minute in range(NOW - 60, NOW)})
    pushed.look()
    use(fleet, series, {NOW - 60: 2, NOW - LATE: 2, NOW - LATE + 1: 2, NOW: 1})
    assert pushed.told("usage") == [(RESOURCE, 0, 1), (RESOURCE, LATE - 1, 2)]


def test_the_limit_is_the_one_that_was_in_force_in_the_minute(fleet: Fleet) -> None:
    """A limit that changes neither measures the minutes before it, nor has them told again."""
    series, pushed = stream(fleet, refused=None), Pushed(fleet, out_of_order=True)
    use(fleet, series, {NOW - 6: 800, NOW - 5: 800})
    pushed.look()
    limit = RULING.limit
    assert limit
    stream(fleet, ruling=replace(RULING, limit=replace(limit, value=2000.0)), refused=None)  # at NOW
    use(fleet, series, {NOW - 1: 800, NOW: 800})
    told = [(name, point[1:]) for name, point in points(pushed.look())]
    assert sorted(told) == [
        ("limit", (0, 2000)),
        ("limit", (1, 1000)),
        ("usage", (0, 800)),
        ("usage", (1, 800)),
        ("utilization_ratio", (0, 0.4)),
        ("utilization_ratio", (1, 0.8)),
        ("zone", (0, Zone.WITHIN)),
        ("zone", (1, Zone.ABOVE)),
    ]
