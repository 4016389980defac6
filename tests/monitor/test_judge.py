"""The judgement against a plain one of each series alone, and the cases that matter by name."""

import math
from dataclasses import replace
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Op, Unobservable, Usage, highest, total
from monitor.fleet import Fleet, Key, Ruling, fragment
from monitor.judge import CONFIRMED_FOR, judge
from monitor.rings import RECENT, WINDOW
from rules.band import Zone
from rules.limits import Band, Limit, Source
from tests.monitor.points import NAN, Model, refused, result, told

NOW = 29_000_000
STALE_AFTER = 15
RULING = Ruling(limit=Limit(100.0, Source.API, 0), band=Band(), stale_after=STALE_AFTER)
NO_LIMIT = replace(RULING, limit=None)

METRICS = [Metric("AWS/Test", f"M{n}", "Sum", zero_when_absent=n % 2 == 1) for n in range(4)]
traffic, refusals, more_traffic, _ = METRICS
COLUMNS = ("usage", "at_most", "utilization", "saturation", "minute", "zone")

Write = tuple[int, int, float]  # number of a metric, minutes ago, value
Read = tuple[int, int]  # number of a metric, minutes ago

numbers = st.integers(0, len(METRICS) - 1)
writes = st.tuples(numbers, st.integers(0, 25), st.integers(0, 120).map(float))
reads = st.tuples(numbers, st.integers(0, 25))
weights = st.sampled_from([1.0, 0.5, -1.0])
usages = st.builds(
    Usage,
    st.sampled_from(Op),
    st.lists(st.tuples(st.sampled_from(METRICS), weights), min_size=1, max_size=3).map(tuple),
)
observations = st.builds(
    Observed,
    signal=st.just("rate"),
    resource=st.just("a"),
    usage=st.one_of(usages, st.just(Unobservable("off"))),
    refused=st.one_of(st.none(), usages.map(lambda usage: replace(usage, op=Op.SUM))),
    at_most=st.one_of(st.none(), st.none(), usages),
)
rulings = st.builds(
    Ruling,
    limit=st.sampled_from([None, Limit(64.0, Source.API, 0), Limit(100.0, Source.API, 0)]),
    band=st.sampled_from([Band(), Band(low=0.0, high=0.25, critical=0.5)]),
    stale_after=st.sampled_from([3, STALE_AFTER]),
)
inventories = st.tuples(observations, rulings, st.integers(0, CONFIRMED_FOR + 5))


class Judged(NamedTuple):
    """The columns of one series after a judgement, in the order of COLUMNS."""

    usage: float
    at_most: float
    utilization: float
    saturation: float
    minute: int
    zone: Zone


def key(resource: object = "a") -> Key:
    return Key("123456789012", "eu-west-1", "test", "rate", str(resource))


def put(
    fleet: Fleet, observed: Observed, ruling: Ruling = RULING, resource: object = "a", ago: int = 0
) -> None:
    fleet.put(key(resource), observed, ruling, NOW - ago)


def seen(
    usage: Usage | float | Unobservable, refused: Usage | None = None, at_most: Usage | None = None
) -> Observed:
    return Observed(signal="rate", resource="a", usage=usage, refused=refused, at_most=at_most)


def write(fleet: Fleet, turn: Write | Read, model: Model | None = None) -> None:
    """Write a point, or mark a metric as read; metrics that no series uses do not exist."""
    row = fleet.metrics(key().cell).get(fragment(METRICS[turn[0]]))
    if row is None:
        return
    minute = NOW - turn[1]
    match turn:
        case (_, _, value):
            fleet.rings.write(np.array([row]), np.array([minute]), np.array([value], np.float32))
            if model:
                model.write([(row, minute, value)])
        case _:
            fleet.rings.mark_read(np.array([row]), minute)
            if model:
                model.mark_read([row], minute)


def read(fleet: Fleet, resource: object = "a") -> Judged:
    place = fleet.series[key(resource)].place
    told = Judged(*(getattr(fleet, name)[place].item() for name in COLUMNS))
    return told._replace(zone=Zone(told.zone))


def judged(fleet: Fleet, *turns: Write | Read, now: int = NOW) -> Judged:
    for turn in turns:
        write(fleet, turn)
    judge(fleet, now)
    return read(fleet)


def alone(fleet: Fleet, model: Model, place: int, now: int) -> Judged:
    """The judgement of one series, as the design words it."""
    usages, refusals, bounds = (some.get(place) for some in (fleet.usages, fleet.refusals, fleet.bounds))
    oldest, nothing = now - int(fleet.stale_after[place]), NOW - 10 * WINDOW
    used_at = told(model, usages) if usages else nothing
    usage = result(model, usages, used_at) if usages else NAN
    at_most = result(model, bounds, told(model, bounds)) if bounds else NAN
    refused_at, saturation = refused(model, refusals) if refusals else (nothing, NAN)
    if refused_at <= used_at - RECENT:
        saturation = NAN
    minute = max(used_at, refused_at) if saturation > 0 else used_at
    unconfirmed = fleet.confirmed[place] < now - CONFIRMED_FOR
    if used_at < oldest or unconfirmed:
        usage = at_most = NAN
    if minute < oldest or unconfirmed:
        saturation = NAN
    utilization = NAN if bounds else usage / fleet.limit[place].item()
    zone = Zone.STALE
    if saturation > 0:
        zone = Zone.SATURATED
    elif not fleet.observable[place]:
        zone = Zone.UNOBSERVABLE
    elif not math.isnan(utilization):
        band = [np.float32(utilization) >= fleet.low[place], np.float32(utilization) > fleet.high[place]]
        zone = Zone(sum(band) - 1 + int(np.float32(utilization) >= fleet.critical[place]))
    return Judged(usage, at_most, utilization, saturation, minute, zone)


def same(found: Judged, expected: Judged) -> None:
    assert found.zone is expected.zone
    if not all(map(math.isnan, expected[:4])):  # without any number the minute tells nothing
        assert found.minute == expected.minute
    np.testing.assert_array_equal(np.array(found[:4], np.float32), np.array(expected[:4], np.float32))


@given(
    st.lists(inventories, min_size=1, max_size=4),
    st.lists(st.one_of(writes, reads), max_size=20),
    st.integers(0, 20),
)
def test_many_series_are_judged_as_each_one_alone(
    inventory: list[tuple[Observed, Ruling, int]], turns: list[Write | Read], later: int
) -> None:
    fleet = Fleet()
    for resource, (observed, ruling, ago) in enumerate(inventory):
        put(fleet, observed, ruling, resource, ago)
    model = Model(fleet.rings.zero[: fleet.rings.size].tolist())
    for turn in turns:
        write(fleet, turn, model)
    judge(fleet, NOW + later)
    for resource in range(len(inventory)):
        same(read(fleet, resource), alone(fleet, model, fleet.series[key(resource)].place, NOW + later))


@given(
    st.lists(inventories, min_size=1, max_size=4),
    st.lists(st.one_of(writes, reads), max_size=20, unique_by=lambda turn: (len(turn), *turn[:2])),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 19), max_size=6),
)
def test_a_zone_depends_on_the_samples_and_never_on_when_or_how_often_it_was_judged(
    inventory: list[tuple[Observed, Ruling, int]],
    turns: list[Write | Read],
    random: Random,
    pauses: list[int],
) -> None:
    once, often = Fleet(), Fleet()
    for fleet in (once, often):
        for resource, (observed, ruling, ago) in enumerate(inventory):
            put(fleet, observed, ruling, resource, ago)
    for turn in turns:
        write(once, turn)
    for number, turn in enumerate(random.sample(turns, len(turns))):
        write(often, turn)
        if number in pauses:
            judge(often, NOW - number)
    for fleet in (once, often):
        judge(fleet, NOW)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(once, name)[: once.size], getattr(often, name)[: once.size])


def test_usage_against_the_limit_is_a_utilization_with_a_zone() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic)))
    told = judged(fleet, (0, 3, 80.0))
    assert (told.usage, told.minute) == (80, NOW - 3)
    assert told.utilization == pytest.approx(0.8)
    assert told.zone is Zone.ABOVE


@pytest.mark.parametrize(("ago", "zone"), [(STALE_AFTER, Zone.WITHIN), (STALE_AFTER + 1, Zone.STALE)])
def test_a_sample_counts_for_so_long_and_no_longer(ago: int, zone: Zone) -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic)))
    assert judged(fleet, (0, ago, 50.0)).zone is zone
    assert math.isnan(read(fleet).usage) is (zone is Zone.STALE)
    assert read(fleet).minute == NOW - ago  # when the sample was, however old


def test_a_series_without_a_sample_is_stale_and_not_0_percent_used() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(refusals)))
    assert judged(fleet, (1, 3)).zone is Zone.STALE  # it was read that nothing was refused
    assert math.isnan(read(fleet).utilization)


@pytest.mark.parametrize(("ago", "zone"), [(CONFIRMED_FOR, Zone.WITHIN), (CONFIRMED_FOR + 1, Zone.STALE)])
def test_a_series_that_no_inventory_confirms_becomes_stale(ago: int, zone: Zone) -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic)), ago=ago)
    assert judged(fleet, (0, 3, 50.0)).zone is zone


def test_refused_demand_outranks_a_calm_mean() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(refusals)))
    told = judged(fleet, (0, 3, 17.0), (1, 3, 6.0))
    assert told.zone is Zone.SATURATED
    assert told.saturation == 6
    assert told.utilization == pytest.approx(0.17)


def test_refusals_show_for_a_few_minutes_so_that_no_poll_misses_them() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(refusals)))
    told = [judged(fleet, (1, 12, 6.0), (0, 12, 17.0)).zone]
    for ago in range(11, 5, -1):
        told.append(judged(fleet, (0, ago, 17.0), (1, ago)).zone)
    assert told == [Zone.SATURATED] * RECENT + [Zone.BELOW] * 2


def test_an_old_refusal_says_nothing_of_a_newer_sample() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(more_traffic)))  # a metric that is missing when calm
    assert judged(fleet, (2, 10, 6.0), (0, 11 - RECENT, 17.0)).zone is Zone.SATURATED
    assert judged(fleet, (0, 10 - RECENT, 17.0)).zone is Zone.BELOW


def test_a_refusal_without_usage_is_saturated_all_the_same() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(refusals)))
    assert judged(fleet, (1, 3, 6.0)).zone is Zone.SATURATED
    assert math.isnan(read(fleet).usage)
    assert read(fleet).minute == NOW - 3


def test_a_refusal_does_not_bring_an_outdated_usage_back() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic), refused=total(refusals)))
    told = judged(fleet, (0, 100, 80.0), (1, 3, 6.0))
    assert (told.zone, told.minute, told.saturation) == (Zone.SATURATED, NOW - 3, 6)
    assert math.isnan(told.usage)
    assert math.isnan(told.utilization)


def test_a_series_without_a_known_limit_shows_its_usage_and_cannot_be_judged() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic)), NO_LIMIT)
    told = judged(fleet, (0, 3, 80.0))
    assert (told.zone, told.usage) == (Zone.UNOBSERVABLE, 80)
    assert math.isnan(told.utilization)


def test_a_metric_that_is_zero_when_absent_is_0_once_it_was_read() -> None:
    fleet = Fleet()
    put(fleet, seen(total(refusals)))
    assert judged(fleet).zone is Zone.STALE
    told = judged(fleet, (1, 3))
    assert (told.usage, told.minute, told.zone) == (0, NOW - 3, Zone.BELOW)


def test_what_cannot_be_seen_stays_unobservable_and_never_0() -> None:
    fleet = Fleet()
    put(fleet, seen(Unobservable("group metrics are off")))
    assert judged(fleet).zone is Zone.UNOBSERVABLE
    assert math.isnan(read(fleet).usage)


def test_a_usage_that_is_only_bounded_is_a_range_and_not_judged() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic).scaled(0.1), at_most=total(traffic)))
    told = judged(fleet, (0, 3, 80.0))
    assert (told.usage, told.at_most, told.zone) == (8, 80, Zone.UNOBSERVABLE)
    assert math.isnan(told.utilization)


def test_of_two_metrics_the_one_that_is_there_stands_in_for_the_other() -> None:
    fleet = Fleet()
    put(fleet, seen(highest(traffic, more_traffic)))
    assert judged(fleet, (0, 3, 80.0), (2, 3)).usage == 80


def test_freed_places_disturb_no_judgement() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic)), resource="b")
    put(fleet, seen(total(traffic), refused=total(refusals)))
    fleet.drop(key("b"))
    assert judged(fleet, (0, 3, 50.0)).zone is Zone.WITHIN


def test_an_empty_fleet_is_judged() -> None:
    judge(Fleet(), NOW)
