"""The judgement of a fleet, compared with a plain judgement of each series alone, and in single cases."""

import math
from dataclasses import replace
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Unobservable, Usage, count_difference, highest, total, zero_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import CONFIRMED_FOR, judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band, Tolerance
from rules.units import COUNT
from tests.monitor.fleet.points import NAN, Model, exceeds_tolerance, newest_minute, result, worst_recent
from tests.monitor.fleet.usages import usage_of
from tests.monitor.fleet.usages import usages as usages_over
from tests.registries import STREAM_WRITE_BYTES
from tests.resources import resource as resource_of

NOW = 29_000_000
STALE_AFTER = 15
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES, limit=Limit(100.0, LimitSource.API, 0), band=Band(), stale_after=STALE_AFTER
)
NO_LIMIT = replace(SETTINGS, limit=None)

METRICS = [Metric("AWS/Test", f"M{n}", "Sum", zero_when_absent=n % 2 == 1) for n in range(4)]
traffic, throttles, more_traffic, _ = METRICS
COLUMNS = ("usage", "upper_bound", "utilization", "saturation", "minute", "zone")

Write = tuple[int, int, float]  # number of a metric, minutes ago, value
Read = tuple[int, int]  # number of a metric, minutes ago

numbers = st.integers(0, len(METRICS) - 1)
writes = st.tuples(numbers, st.integers(0, 25), st.integers(0, 120).map(float))
reads = st.tuples(numbers, st.integers(0, 25))
usages = usages_over(METRICS, [1.0, 0.5, -1.0], depth=2)


def throttled_sum_of(usage: Usage) -> Usage:
    """Return throttled demand as a sum of counts."""
    return total(*usage.metrics).scaled(0.5)


def throttled_difference_of(usage: Usage) -> Usage:
    """Return throttled demand as a difference of counts."""
    return count_difference(*usage.metrics).scaled(0.5)


observations = st.builds(
    Observed,
    signal=st.just("rate"),
    resource=st.just("a"),
    usage=st.one_of(usages, st.just(Unobservable("off"))),
    throttled=st.one_of(st.none(), usages, usages.map(throttled_sum_of), usages.map(throttled_difference_of)),
    served=st.one_of(st.none(), usages.map(throttled_sum_of)),
    upper_bound=st.one_of(st.none(), st.none(), usages),
)
all_settings = st.builds(
    SeriesSettings,
    signal=st.just(STREAM_WRITE_BYTES),
    limit=st.sampled_from([None, Limit(64.0, LimitSource.API, 0), Limit(100.0, LimitSource.API, 0)]),
    band=st.sampled_from([Band(), Band(low=0.0, high=0.25, near=0.5)]),
    stale_after=st.sampled_from([3, STALE_AFTER]),
    tolerance=st.sampled_from([Tolerance(rate=0, share=0), Tolerance(rate=8, share=0.25)]),
)
inventories = st.tuples(observations, all_settings, st.integers(0, CONFIRMED_FOR + 5))


class Judgement(NamedTuple):
    """The columns of one series after a judgement, in the order of COLUMNS."""

    usage: float
    upper_bound: float
    utilization: float
    saturation: float
    minute: int
    zone: Zone


def key(resource: object = "a") -> Key:
    """Return the key of a series of a resource."""
    return Key("123456789012", "eu-west-1", "test", "rate", str(resource))


def put(
    fleet: Fleet,
    observed: Observed,
    series_settings: SeriesSettings = SETTINGS,
    resource: object = "a",
    minutes_ago: int = 0,
) -> None:
    """Register a series. minutes_ago: how long ago an inventory confirmed it."""
    fleet.put(key(resource), observed, series_settings, NOW - minutes_ago)


def observed_with(
    usage: Usage | float | Unobservable, throttled: Usage | None = None, upper_bound: Usage | None = None
) -> Observed:
    """Return what a collector observes of a resource with this usage."""
    return Observed(
        signal="rate", resource=resource_of("a"), usage=usage, throttled=throttled, upper_bound=upper_bound
    )


def write(fleet: Fleet, step: Write | Read, model: Model | None = None) -> None:
    """Write a point, or mark a metric as read; do nothing for a metric that no series uses."""
    row = fleet.metrics(key().cell).get(metric_query(METRICS[step[0]]))
    if row is None:
        return
    minute = NOW - step[1]
    match step:
        case (_, _, value):
            fleet.rings.write(np.array([row]), np.array([minute]), np.array([value], np.float32))
            if model:
                model.write([(row, minute, value)])
        case _:
            fleet.rings.mark_read(np.array([row]), minute)
            if model:
                model.mark_read([row], minute)


def judgement_of(fleet: Fleet, resource: object = "a") -> Judgement:
    """Return the judgement of a series."""
    slot = fleet.series[key(resource)].slot
    judgement = Judgement(*(getattr(fleet, name)[slot].item() for name in COLUMNS))
    return judgement._replace(zone=Zone(judgement.zone))


def write_and_judge(fleet: Fleet, *steps: Write | Read, now: int = NOW) -> Judgement:
    """Write points and readings, judge, and return the judgement."""
    for step in steps:
        write(fleet, step)
    judge(fleet, now)
    return judgement_of(fleet)


def judge_alone(fleet: Fleet, model: Model, slot: int, now: int) -> Judgement:
    """Return the judgement of one series, computed for it alone, by the rules of docs/design.md."""
    usage_formula, throttled, upper_formula, served = (
        usage_of(formula) if (formula := formulas.get(slot)) else None
        for formulas in (fleet.usages, fleet.throttled, fleet.upper_bounds, fleet.served)
    )
    oldest, no_minute = now - int(fleet.stale_after[slot]), NOW - 10 * WINDOW
    sampled_formula = usage_formula or throttled  # without a usage, throttled demand alone is judged
    used_at = newest_minute(model, sampled_formula) if sampled_formula else no_minute
    if upper_formula and used_at - RECENT_MINUTES < newest_minute(model, upper_formula) < used_at:
        used_at = newest_minute(model, upper_formula)
    usage = result(model, usage_formula, used_at) if usage_formula else NAN
    upper_bound = result(model, upper_formula, used_at) if upper_formula else NAN
    throttled_at, saturation = worst_recent(model, throttled, used_at) if throttled else (no_minute, NAN)
    tolerated = fleet.tolerated_rate[slot].item(), fleet.tolerated_share[slot].item()
    is_saturated = bool(
        throttled and saturation > 0 and exceeds_tolerance(model, throttled, used_at, served, tolerated)
    )
    minute = max(used_at, throttled_at) if is_saturated else used_at
    is_unconfirmed = fleet.confirmed[slot] < now - CONFIRMED_FOR
    if used_at < oldest or is_unconfirmed:
        usage = upper_bound = NAN
    if minute < oldest or is_unconfirmed:
        saturation = NAN
    limit = fleet.limit[slot].item()
    utilization = NAN if upper_formula else usage / limit
    zone = zone_by_band(fleet, slot, utilization)
    if saturation > 0 and is_saturated:
        zone = Zone.SATURATED
    elif upper_formula and not math.isnan(limit):
        zone = zone_by_bounds(fleet, slot, usage / limit, upper_bound / limit)
    elif not fleet.observable[slot]:
        zone = Zone.UNOBSERVABLE
    return Judgement(usage, upper_bound, utilization, saturation, minute, zone)


def zone_by_band(fleet: Fleet, slot: int, utilization: float) -> Zone:
    """Return the zone of a utilization, by the definition in the glossary."""
    if math.isnan(utilization):
        return Zone.STALE
    value = np.float32(utilization)
    if value >= fleet.near[slot]:
        return Zone.NEAR
    if value > fleet.high[slot]:
        return Zone.ABOVE
    return Zone.WITHIN if value >= fleet.low[slot] else Zone.BELOW


def zone_by_bounds(fleet: Fleet, slot: int, lowest: float, highest: float) -> Zone:
    """Return the zone that a lower and an upper bound prove."""
    lowest_zone = Zone.BELOW if math.isnan(lowest) else zone_by_band(fleet, slot, lowest)
    highest_zone = Zone.NEAR if math.isnan(highest) else zone_by_band(fleet, slot, highest)
    if math.isnan(lowest) and math.isnan(highest):
        return Zone.UNOBSERVABLE
    if lowest_zone > Zone.WITHIN:
        return lowest_zone
    return highest_zone if lowest_zone <= highest_zone <= Zone.WITHIN else Zone.UNOBSERVABLE


def assert_same(judgement: Judgement, expected: Judgement) -> None:
    """Check that two judgements are equal."""
    assert judgement.zone is expected.zone
    if not all(map(math.isnan, expected[:4])):  # without any number, the minute does not matter
        assert judgement.minute == expected.minute
    np.testing.assert_array_equal(np.array(judgement[:4], np.float32), np.array(expected[:4], np.float32))


@given(
    st.lists(inventories, min_size=1, max_size=4),
    st.lists(st.one_of(writes, reads), max_size=20),
    st.integers(0, 20),
)
def test_many_series_are_judged_like_each_series_alone(
    inventory: list[tuple[Observed, SeriesSettings, int]], steps: list[Write | Read], minutes_later: int
) -> None:
    fleet = Fleet()
    for resource, (observed, series_settings, minutes_ago) in enumerate(inventory):
        put(fleet, observed, series_settings, resource, minutes_ago)
    model = Model(fleet.rings.zero_when_absent[: fleet.rings.size].tolist(), share_namespace=True)
    for step in steps:
        write(fleet, step, model)
    judge(fleet, NOW + minutes_later)
    for resource in range(len(inventory)):
        assert_same(
            judgement_of(fleet, resource),
            judge_alone(fleet, model, fleet.series[key(resource)].slot, NOW + minutes_later),
        )


@given(
    st.lists(inventories, min_size=1, max_size=4),
    st.lists(st.one_of(writes, reads), max_size=20, unique_by=lambda step: (len(step), *step[:2])),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 19), max_size=6),
)
def test_a_judgement_depends_on_the_samples_and_never_on_earlier_judgements(
    inventory: list[tuple[Observed, SeriesSettings, int]],
    steps: list[Write | Read],
    random: Random,
    pauses: list[int],
) -> None:
    judged_once, judged_often = Fleet(), Fleet()
    for fleet in (judged_once, judged_often):
        for resource, (observed, series_settings, minutes_ago) in enumerate(inventory):
            put(fleet, observed, series_settings, resource, minutes_ago)
    points, polls = ([step for step in steps if len(step) == size] for size in (3, 2))
    for step in points + polls:
        write(judged_once, step)
    for step_number, step in enumerate(random.sample(points, len(points)) + polls):
        write(judged_often, step)
        if step_number in pauses:
            judge(judged_often, NOW - step_number)
    for fleet in (judged_once, judged_often):
        judge(fleet, NOW)
    for name in COLUMNS:
        np.testing.assert_array_equal(
            getattr(judged_once, name)[: judged_once.size], getattr(judged_often, name)[: judged_once.size]
        )


def test_usage_divided_by_the_limit_is_a_utilization_with_a_zone() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)))
    judgement = write_and_judge(fleet, (0, 3, 80.0))
    assert (judgement.usage, judgement.minute) == (80, NOW - 3)
    assert judgement.utilization == pytest.approx(0.8)
    assert judgement.zone is Zone.ABOVE


@pytest.mark.parametrize(("minutes_ago", "zone"), [(STALE_AFTER, Zone.WITHIN), (STALE_AFTER + 1, Zone.STALE)])
def test_a_sample_is_judged_until_it_is_stale(minutes_ago: int, zone: Zone) -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)))
    assert write_and_judge(fleet, (0, minutes_ago, 50.0)).zone is zone
    assert math.isnan(judgement_of(fleet).usage) is (zone is Zone.STALE)
    assert judgement_of(fleet).minute == NOW - minutes_ago  # the minute of the sample, however old


def test_a_series_without_a_sample_is_stale_and_not_0_percent_used() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    assert write_and_judge(fleet, (1, 3)).zone is Zone.STALE  # a read that proves that nothing was throttled
    assert math.isnan(judgement_of(fleet).utilization)


@pytest.mark.parametrize(
    ("minutes_ago", "zone"), [(CONFIRMED_FOR, Zone.WITHIN), (CONFIRMED_FOR + 1, Zone.STALE)]
)
def test_a_series_that_no_inventory_confirms_becomes_stale(minutes_ago: int, zone: Zone) -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)), minutes_ago=minutes_ago)
    assert write_and_judge(fleet, (0, 3, 50.0)).zone is zone


def test_throttled_demand_outranks_a_low_utilization() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    judgement = write_and_judge(fleet, (0, 3, 17.0), (1, 3, 6.0))
    assert judgement.zone is Zone.SATURATED
    assert judgement.saturation == 6
    assert judgement.utilization == pytest.approx(0.17)


def test_throttled_demand_saturates_a_series_for_some_minutes_so_that_no_poll_misses_it() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    zones = [write_and_judge(fleet, (1, 12, 6.0), (0, 12, 17.0)).zone]
    for minutes_ago in range(11, 5, -1):
        zones.append(write_and_judge(fleet, (0, minutes_ago, 17.0), (1, minutes_ago)).zone)
    assert zones == [Zone.SATURATED] * RECENT_MINUTES + [Zone.BELOW] * 2


def test_old_throttled_demand_does_not_saturate_a_newer_sample() -> None:
    fleet = Fleet()
    throttled = total(more_traffic)  # stands for throttles that have no points while nothing is throttled
    put(fleet, observed_with(total(traffic), throttled=throttled))
    assert write_and_judge(fleet, (2, 10, 6.0), (0, 11 - RECENT_MINUTES, 17.0)).zone is Zone.SATURATED
    assert write_and_judge(fleet, (0, 10 - RECENT_MINUTES, 17.0)).zone is Zone.BELOW


@pytest.mark.parametrize(
    ("counted_throttles", "saturation", "zone"), [(6.0, 6.0, Zone.SATURATED), (0.0, NAN, Zone.BELOW)]
)
def test_a_count_of_only_some_throttles_is_unknown_if_it_is_0(
    counted_throttles: float, saturation: float, zone: Zone
) -> None:
    fleet = Fleet()
    put(fleet, replace(observed_with(total(traffic), throttled=total(throttles)), throttled_incomplete=True))
    judgement = write_and_judge(fleet, (0, 3, 17.0), (1, 3, counted_throttles))
    assert judgement.saturation == pytest.approx(saturation, nan_ok=True)
    assert judgement.zone is zone


def test_a_series_with_throttled_demand_and_no_usage_is_saturated() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    assert write_and_judge(fleet, (1, 3, 6.0)).zone is Zone.SATURATED
    assert math.isnan(judgement_of(fleet).usage)
    assert judgement_of(fleet).minute == NOW - 3


def test_a_stale_usage_stays_unknown_while_throttled_demand_comes() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    judgement = write_and_judge(fleet, (0, 100, 80.0), (1, 3, 6.0))
    assert (judgement.zone, judgement.minute, judgement.saturation) == (Zone.SATURATED, NOW - 3, 6)
    assert math.isnan(judgement.usage)
    assert math.isnan(judgement.utilization)


def test_a_series_without_a_known_limit_shows_its_usage_and_cannot_be_judged() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)), NO_LIMIT)
    judgement = write_and_judge(fleet, (0, 3, 80.0))
    assert (judgement.zone, judgement.usage) == (Zone.UNOBSERVABLE, 80)
    assert math.isnan(judgement.utilization)


def test_a_metric_that_is_zero_when_absent_is_0_once_it_was_read_and_aws_publishes() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(throttles)))
    put(fleet, observed_with(total(traffic)), resource="of the same namespace")
    assert write_and_judge(fleet).zone is Zone.STALE
    assert write_and_judge(fleet, (1, 3)).zone is Zone.STALE  # the whole namespace may be late
    judgement = write_and_judge(fleet, (0, 3, 50.0))
    assert (judgement.usage, judgement.minute, judgement.zone) == (0, NOW - 3, Zone.BELOW)


def test_an_unobservable_series_has_no_usage_rather_than_0() -> None:
    fleet = Fleet()
    put(fleet, observed_with(Unobservable("group metrics are off")))
    assert write_and_judge(fleet).zone is Zone.UNOBSERVABLE
    assert math.isnan(judgement_of(fleet).usage)


@pytest.mark.parametrize(
    ("messages", "zone"),
    [
        pytest.param(30.0, Zone.BELOW, id="even the upper bound is below the band"),
        pytest.param(80.0, Zone.UNOBSERVABLE, id="the bounds 8 and 80 prove no zone"),
        pytest.param(699.0, Zone.UNOBSERVABLE, id="only the lower bound is in the band"),
        pytest.param(800.0, Zone.ABOVE, id="even the lower bound is above the band"),
        pytest.param(1200.0, Zone.NEAR, id="even the lower bound is near the limit"),
    ],
)
def test_a_usage_that_is_only_bounded_is_judged_by_what_its_bounds_prove(messages: float, zone: Zone) -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic).scaled(0.1), upper_bound=total(traffic)))
    judgement = write_and_judge(fleet, (0, 3, messages))
    assert judgement.usage == pytest.approx(messages / 10)
    assert (judgement.upper_bound, judgement.zone) == (messages, zone)
    assert math.isnan(judgement.utilization)


@pytest.mark.parametrize("amount", [0.0, 30.0, 80.0, 1200.0])
@pytest.mark.parametrize(
    ("usage", "upper_bound", "text"),
    [
        pytest.param(total(traffic), None, "at least", id="at least"),
        pytest.param(zero_of(traffic), total(traffic), "at most", id="at most"),
    ],
)
def test_a_usage_whose_bounds_are_only_shown_is_judged_by_throttled_demand_alone(
    amount: float, usage: Usage, upper_bound: Usage | None, text: str
) -> None:
    fleet = Fleet()
    put(fleet, replace(observed_with(usage, total(throttles), upper_bound), judged=False))
    judgement = write_and_judge(fleet, (0, 3, amount), (1, 3))
    assert judgement.zone is Zone.UNOBSERVABLE
    assert max(judgement.usage, judgement.upper_bound if upper_bound else 0) == amount
    assert COUNT.format_range(judgement.usage, number(judgement.upper_bound), bounded=True).startswith(text)
    slots, minutes = np.array([0], np.int32), np.array([NOW - 3], np.int32)
    columns_for_alerts = fleet.judged_at(slots, minutes)
    assert np.isnan(columns_for_alerts.utilization_lower_bound).all()
    assert np.isnan(columns_for_alerts.utilization_upper_bound).all()
    assert write_and_judge(fleet, (1, 2, 5.0)).zone is Zone.SATURATED
    assert write_and_judge(fleet, now=NOW + 2 * STALE_AFTER).zone is Zone.UNOBSERVABLE


def number(value: float) -> float | None:
    """Return the value, or None for NaN."""
    return None if math.isnan(value) else value


TOLERANT = replace(SETTINGS, tolerance=Tolerance(rate=2.0, share=0.01))


@pytest.mark.parametrize(
    ("served", "throttled", "zone"),
    [
        pytest.param(50.0, 1.0, Zone.WITHIN, id="low rate, large share"),
        pytest.param(10_000.0, 50.0, Zone.NEAR, id="high rate, small share: the band applies"),
        pytest.param(50.0, 2.0, Zone.SATURATED, id="rate and share exceed the tolerance"),
        pytest.param(None, 2.0, Zone.SATURATED, id="unknown share"),
    ],
)
def test_throttled_demand_is_always_shown_but_saturates_a_series_only_beyond_the_tolerance(
    served: float | None, throttled: float, zone: Zone
) -> None:
    fleet = Fleet()
    observed = replace(observed_with(total(traffic), throttled=total(throttles)), served=total(more_traffic))
    put(fleet, observed, TOLERANT)
    usage = 95.0 if zone is Zone.NEAR else 50.0
    judgement = write_and_judge(
        fleet, (0, 3, usage), (1, 3, throttled), *([(2, 3, served)] if served else [])
    )
    assert (judgement.zone, judgement.saturation) == (zone, throttled)


def test_throttled_demand_is_compared_with_the_served_demand_of_its_own_minute() -> None:
    """The minute with the most throttled demand may be tolerable while a minute with less is not."""
    fleet = Fleet()
    observed = replace(observed_with(total(traffic), throttled=total(throttles)), served=total(more_traffic))
    put(fleet, observed, TOLERANT)
    intolerable, tolerable = [(1, 4, 5.0), (2, 4, 100.0)], [(1, 3, 6.0), (2, 3, 10_000.0)]
    assert write_and_judge(fleet, (0, 3, 50.0), *intolerable, *tolerable).zone is Zone.SATURATED


def test_throttled_demand_is_compared_with_the_previous_served_demand_until_its_own_is_known() -> None:
    fleet = Fleet()
    observed = replace(observed_with(total(traffic), throttled=total(throttles)), served=total(more_traffic))
    put(fleet, observed, TOLERANT)
    assert write_and_judge(fleet, (0, 3, 50.0), (2, 4, 10_000.0), (1, 3, 5.0)).zone is Zone.WITHIN


def test_the_maximum_leaves_out_a_metric_without_a_point() -> None:
    fleet = Fleet()
    put(fleet, observed_with(highest(traffic, more_traffic)))
    assert write_and_judge(fleet, (0, 3, 80.0), (2, 3)).usage == 80


def test_freed_slots_change_no_judgement() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)), resource="b")
    put(fleet, observed_with(total(traffic), throttled=total(throttles)))
    fleet.drop(key("b"))
    assert write_and_judge(fleet, (0, 3, 50.0)).zone is Zone.WITHIN


def test_an_empty_fleet_is_judged() -> None:
    judge(Fleet(), NOW)
