"""The fleet: series that are registered, changed and dropped, and the metrics that they share."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Observed, Op, Unobservable, Usage, highest, ratio, total
from monitor.fleet.columns import INITIAL_CAPACITY
from monitor.fleet.fleet import Fleet
from monitor.fleet.formula import Formula, Shape
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.usages import usages as usages_over
from tests.registries import STREAM_WRITE_BYTES
from tests.resources import resource

NOW = 29_000_000
CELL = "123456789012", "eu-west-1"
OTHER_CELL = "123456789012", "us-east-1"
SETTINGS = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(100.0, LimitSource.API, 0), band=Band())

METRICS = [Metric("AWS/Test", f"M{n}", "Sum", zero_when_absent=n % 2 == 1) for n in range(5)]
traffic, throttles = METRICS[0], METRICS[1]

usages = usages_over(METRICS, [1.0, -1.0, 0.1])
keys = st.builds(
    Key,
    st.just(CELL[0]),
    st.sampled_from([CELL[1], OTHER_CELL[1]]),
    st.just("test"),
    st.just("rate"),
    st.sampled_from("abc"),
)
observations = st.builds(
    Observed,
    signal=st.just("rate"),
    resource=st.just("a"),
    usage=st.one_of(usages, st.floats(0, 9), st.just(Unobservable("off"))),
    throttled=st.one_of(st.none(), usages),
    upper_bound=st.one_of(st.none(), usages),
)


def key(name: str = "a", cell: tuple[str, str] = CELL) -> Key:
    return Key(*cell, "test", "rate", name)


def observation_of(usage: Usage | float | Unobservable, **fields: Any) -> Observed:
    """Return what a collector observes of a resource with this usage."""
    return Observed(signal="rate", resource=resource("a"), usage=usage, **fields)


def metrics_needed_by(observation: Observed) -> set[bytes]:
    """Return the metrics that a series needs from CloudWatch."""
    formulas = [
        formula
        for formula in (observation.usage, observation.throttled, observation.upper_bound)
        if isinstance(formula, Usage)
    ]
    return {metric_query(metric) for formula in formulas for metric in formula.metrics}


def formulas_in(fleet: Fleet, slot: int) -> list[tuple[list[bytes], Formula] | None]:
    """Return the metrics and the formula of usage, throttled demand and upper bound that a slot has.

    A usage that is a number has a row, too, but no metric: `number` stands for it.
    """
    query_by_row = {row: query for cell in (CELL, OTHER_CELL) for query, row in fleet.metrics(cell).items()}
    formulas = (column.get(slot) for column in (fleet.usages, fleet.throttled, fleet.upper_bounds))
    return [
        ([query_by_row.get(row, b"number") for row in formula.rows], replace(formula, rows=()))
        if formula
        else None
        for formula in formulas
    ]


def formulas_of(observation: Observed) -> list[tuple[list[bytes], Formula] | None]:
    """Return metrics and formula of usage, throttled demand and upper bound, as observed."""

    def formula_of(usage: Usage | float | Unobservable | None) -> tuple[list[bytes], Formula] | None:
        if isinstance(usage, Usage):
            return [*map(metric_query, usage.metrics)], Formula.of(usage, ())
        return (
            ([b"number"], Formula(Shape(Op.SUM, (None,)), (), (1.0,))) if isinstance(usage, float) else None
        )

    return [
        formula_of(usage) for usage in (observation.usage, observation.throttled, observation.upper_bound)
    ]


@pytest.mark.parametrize("rejected_metric", [traffic, throttles])
def test_a_rejected_metric_anywhere_in_a_formula_makes_the_series_unobservable(
    rejected_metric: Metric,
) -> None:
    fleet = Fleet()
    share = highest(ratio(total(traffic), throttles), METRICS[2])
    fleet.put(key(), observation_of(share), SETTINGS, NOW)
    fleet.mark_rejected(CELL, metric_query(rejected_metric), "rejected")
    assert fleet.series[key()].unobservable == Unobservable("rejected")
    fleet.put(key(), observation_of(share), SETTINGS, NOW + 1)
    assert fleet.series[key()].unobservable == Unobservable("rejected")


@given(st.lists(st.tuples(keys, st.one_of(st.none(), observations)), max_size=25))
def test_series_added_changed_and_dropped_in_any_order_leave_a_consistent_fleet(
    steps: list[tuple[Key, Observed | None]],
) -> None:
    fleet, observation_by_key = Fleet(), dict[Key, Observed]()
    for changed_key, observation in steps:
        if observation:
            fleet.put(changed_key, observation, SETTINGS, NOW)
            observation_by_key[changed_key] = observation
        elif changed_key in observation_by_key:
            fleet.drop(changed_key)
            del observation_by_key[changed_key]
        assert len(fleet) == len(observation_by_key)
        assert {fleet.by_slot[series.slot].key for series in fleet.series.values()} == set(observation_by_key)
        for cell in (CELL, OTHER_CELL):
            needed_metrics = {
                metric
                for series_key, observation in observation_by_key.items()
                if series_key.cell == cell
                for metric in metrics_needed_by(observation)
            }
            assert set(fleet.metrics(cell)) == needed_metrics
        for series_key in observation_by_key:
            assert formulas_in(fleet, fleet.series[series_key].slot) == formulas_of(
                observation_by_key[series_key]
            )


@given(st.lists(st.tuples(keys, observations), max_size=12))
def test_the_rows_and_slots_of_dropped_series_are_empty_and_reused(
    steps: list[tuple[Key, Observed]],
) -> None:
    fleet = Fleet()
    for series_key, observation in steps:
        fleet.put(series_key, observation, SETTINGS, NOW)
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    fleet.rings.write(rows, np.full(rows.size, NOW, np.int32), np.full(rows.size, 50, np.float32))
    judge(fleet, NOW)
    for series_key in list(fleet.series):
        fleet.drop(series_key)
    row_count, slot_count = fleet.rings.size, fleet.size
    assert fleet.allocate() == slot_count  # slots of dropped series are not reused before `reclaim`
    assert len(fleet.reclaim()) == slot_count
    for _ in range(row_count):
        row = fleet.rings.allocate()
        assert row < row_count
        assert np.isnan(fleet.rings.points.get(np.array([row]), np.arange(WINDOW))).all()
        assert fleet.rings.read_through[row] == fleet.rings.latest_minute[row] == NEVER
        assert not fleet.rings.zero_when_absent[row]
    for _ in range(slot_count):
        slot = fleet.allocate()
        assert slot < slot_count
        assert np.isnan([fleet.usage[slot], fleet.limit[slot], fleet.saturation[slot]]).all()


def test_a_metric_that_two_series_use_is_requested_once_until_both_are_dropped() -> None:
    fleet = Fleet()
    fleet.put(key("a"), observation_of(total(traffic), throttled=total(throttles)), SETTINGS, NOW)
    fleet.put(key("b"), observation_of(highest(traffic)), SETTINGS, NOW)
    assert set(fleet.metrics(CELL)) == {metric_query(traffic), metric_query(throttles)}
    fleet.drop(key("a"))
    assert set(fleet.metrics(CELL)) == {metric_query(traffic)}
    fleet.drop(key("b"))
    assert not fleet.metrics(CELL)


def test_a_series_that_is_put_again_keeps_its_points() -> None:
    fleet = Fleet()
    fleet.put(key(), observation_of(total(traffic)), SETTINGS, NOW)
    row = fleet.metrics(CELL)[metric_query(traffic)]
    fleet.rings.write(np.array([row]), np.array([NOW]), np.array([50], np.float32))
    fleet.put(key(), observation_of(total(traffic), throttled=total(throttles)), SETTINGS, NOW)
    judge(fleet, NOW)
    assert fleet.usage[fleet.series[key()].slot] == 50


def test_the_same_metric_in_two_cells_is_requested_in_each() -> None:
    fleet = Fleet()
    fleet.put(key(cell=CELL), observation_of(total(traffic)), SETTINGS, NOW)
    fleet.put(key(cell=OTHER_CELL), observation_of(total(traffic)), SETTINGS, NOW)
    assert set(fleet.metrics(CELL)) == set(fleet.metrics(OTHER_CELL))
    assert set(fleet.metrics(CELL).values()).isdisjoint(fleet.metrics(OTHER_CELL).values())


def test_a_shared_metric_has_the_longest_publication_delay_of_its_series() -> None:
    fleet = Fleet()
    fleet.put(
        key("a"),
        observation_of(total(traffic)),
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band(), delay=5),
        NOW,
    )
    fleet.put(
        key("b"),
        observation_of(total(traffic)),
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band(), delay=3),
        NOW,
    )
    assert fleet.rings.delay[fleet.metrics(CELL)[metric_query(traffic)]] == 5


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_usage_that_is_not_finite_is_no_sample(number: float) -> None:
    fleet = Fleet()
    fleet.put(key(), observation_of(number), SETTINGS, NOW)
    judge(fleet, NOW)
    assert fleet.zone[0] == Zone.STALE


def test_a_usage_returned_by_an_api_is_a_sample_of_the_minute_in_which_it_was_read() -> None:
    fleet = Fleet()
    fleet.put(key(), observation_of(95.0), SETTINGS, NOW)
    fleet.put(key(), observation_of(50.0), SETTINGS, NOW + 1)
    judge(fleet, NOW + 2)
    assert (fleet.usage[0], fleet.minute[0], fleet.zone[0]) == (50, NOW + 1, Zone.WITHIN)
    assert not fleet.metrics(CELL)


def test_a_new_limit_holds_from_the_next_judgement() -> None:
    fleet = Fleet()
    fleet.put(key(), observation_of(50.0), SETTINGS, NOW)
    fleet.put(
        key(),
        observation_of(50.0),
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(50.0, LimitSource.OVERRIDE, 0), band=Band()),
        NOW,
    )
    judge(fleet, NOW)
    assert fleet.zone[0] == Zone.NEAR


@pytest.mark.parametrize(
    ("observation", "series_settings", "is_changed"),
    [
        (observation_of(total(traffic)), SETTINGS, False),
        (observation_of(total(throttles)), SETTINGS, False),  # metrics are not exported
        (observation_of(Unobservable("off", "turn it on")), SETTINGS, True),
        (observation_of(total(traffic), upper_bound=total(traffic)), SETTINGS, True),
        (
            observation_of(total(traffic)),
            SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band()),
            True,
        ),
        (
            observation_of(total(traffic)),
            SeriesSettings(signal=STREAM_WRITE_BYTES, limit=SETTINGS.limit, band=Band(high=0.8)),
            True,
        ),
        (
            observation_of(total(traffic)),
            SeriesSettings(signal=STREAM_WRITE_BYTES, limit=SETTINGS.limit, band=Band(), tags={"team": "a"}),
            True,
        ),
    ],
)
def test_the_version_changes_with_the_exported_facts_of_a_series(
    observation: Observed, series_settings: SeriesSettings, is_changed: bool
) -> None:
    fleet = Fleet()
    fleet.put(key(), observation_of(total(traffic)), SETTINGS, NOW)
    earlier_version = fleet.version
    fleet.put(key(), observation, series_settings, NOW)
    assert (fleet.version != earlier_version) is is_changed


def test_the_version_grows_when_a_series_is_added_and_when_it_is_dropped() -> None:
    fleet = Fleet()
    versions = [fleet.version]
    fleet.put(key(), observation_of(total(traffic)), SETTINGS, NOW)
    versions.append(fleet.version)
    fleet.drop(key())
    versions.append(fleet.version)
    assert versions == sorted(set(versions))


def test_the_columns_grow_with_the_series() -> None:
    fleet = Fleet()
    for n in range(INITIAL_CAPACITY + 1):
        fleet.put(key(str(n)), observation_of(float(n)), SETTINGS, NOW)
    judge(fleet, NOW)
    assert fleet.usage[: fleet.size].tolist() == [float(n) for n in range(INITIAL_CAPACITY + 1)]


def test_the_id_of_a_key_is_stable_alphanumeric_and_unique() -> None:
    assert key().id == key().id
    assert key().id.isalnum()
    assert key("a\ud800").id.isalnum()  # AWS's JSON may contain lone surrogates, which UTF-8 cannot encode
    assert Key("1", "r", "s", "a", "b").id != Key("1", "r", "s", "ab", "").id
