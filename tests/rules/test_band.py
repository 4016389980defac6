"""The zones of utilizations, of bounds of a utilization, and of throttled demand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.arrays import Floats
from rules.band import ZONES, Zone, bounded_zones, excess, zones

NAN = float("nan")


def zone_of_one(utilization: float, saturation: float, low: float, high: float, near: float) -> Zone:
    """Return the zone of one series, as the glossary defines it."""
    if saturation > 0:
        return Zone.SATURATED
    if math.isnan(utilization):
        return Zone.STALE
    if utilization >= near:
        return Zone.NEAR
    if utilization > high:
        return Zone.ABOVE
    if utilization >= low:
        return Zone.WITHIN
    return Zone.BELOW


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def zone_in_default_band(utilization: float, saturation: float = NAN) -> Zone:
    """Return the zone of a utilization and a saturation in the default band."""
    (zone,) = zones(floats(utilization), floats(saturation) > 0, floats(0.4), floats(0.7), floats(0.9))
    return Zone(zone)


ratio = st.floats(0, 2, width=32)
bounds = st.lists(ratio, min_size=3, max_size=3, unique=True).map(sorted)


@st.composite
def series(draw: st.DrawFn) -> tuple[float, ...]:
    """Draw the utilization (often exactly at a bound), the saturation and the band of one series."""
    band = draw(bounds)
    utilization = draw(st.one_of(ratio, st.sampled_from(band), st.just(NAN)))
    saturation = draw(st.sampled_from([NAN, 0.0, 2.0**-30, 0.5]))
    return utilization, saturation, *band


@given(st.lists(series(), max_size=40))
def test_many_series_have_the_zones_of_single_series(rows: list[tuple[float, ...]]) -> None:
    columns = np.array(rows, np.float32).reshape(-1, 5).T
    utilization, saturation, *band = columns
    assert zones(utilization, saturation > 0, *band).tolist() == [zone_of_one(*each) for each in rows]


@given(ratio, ratio, st.booleans(), bounds)
def test_bounds_prove_the_mildest_possible_zone_above_the_band_or_else_the_worst_possible_zone(
    first: float, second: float, throttled: bool, band: list[float]
) -> None:
    lowest, highest = sorted((first, second))
    edges = [floats(edge) for edge in band]
    (proven,) = bounded_zones(floats(lowest), floats(highest), np.array([throttled]), edges)
    possible_zones = {
        zone_of_one(usage, float(throttled), *band)
        for usage in (lowest, highest, *band)
        if lowest <= usage <= highest
    }
    if proven == Zone.UNOBSERVABLE:
        assert len(possible_zones) > 1
    elif proven > Zone.WITHIN:
        assert min(possible_zones) == proven
    else:
        assert max(possible_zones) == proven


@pytest.mark.parametrize(
    ("lowest", "highest", "zone"),
    [
        (NAN, NAN, Zone.STALE),
        (NAN, 0.1, Zone.BELOW),
        (NAN, 0.5, Zone.WITHIN),
        (NAN, 0.75, Zone.UNOBSERVABLE),
        (0.5, NAN, Zone.UNOBSERVABLE),
        (0.95, NAN, Zone.NEAR),
    ],
)
def test_zone_of_a_usage_with_a_missing_bound(lowest: float, highest: float, zone: Zone) -> None:
    edges = [floats(edge) for edge in (0.4, 0.7, 0.9)]
    assert bounded_zones(floats(lowest), floats(highest), np.array([False]), edges).tolist() == [zone]


EXCESSES = [
    pytest.param(1.0, 30_000.0, 0.0, id="a small share of the demand"),
    pytest.param(0.02, 0.04, 0.0, id="a low rate, though half of the demand"),
    pytest.param(50.0, 30_000.0, 50.0, id="above both tolerances"),
    pytest.param(50.0, NAN, 50.0, id="unknown demand"),
    pytest.param(0.0, 0.0, 0.0, id="no demand"),
]


@pytest.mark.parametrize(("throttled", "demand", "expected"), EXCESSES)
def test_only_throttled_demand_beyond_the_tolerance_counts(
    throttled: float, demand: float, expected: float
) -> None:
    found = excess(floats(throttled), floats(demand), floats(0.05), floats(0.001))
    assert found.tolist() == [expected]


def test_unknown_throttled_demand_has_an_unknown_excess() -> None:
    assert np.isnan(excess(floats(NAN), floats(5.0), floats(0.05), floats(0.001))).all()


@pytest.mark.parametrize(
    ("utilization", "zone"),
    [
        (0.0, Zone.BELOW),
        (0.399999, Zone.BELOW),
        (0.4, Zone.WITHIN),
        (0.7, Zone.WITHIN),
        (0.700001, Zone.ABOVE),
        (0.899999, Zone.ABOVE),
        (0.9, Zone.NEAR),
        (1.5, Zone.NEAR),
        (float("inf"), Zone.NEAR),
        (NAN, Zone.STALE),
    ],
)
def test_the_bounds_belong_to_the_band_and_the_near_edge_to_near(utilization: float, zone: Zone) -> None:
    assert zone_in_default_band(utilization) is zone


@given(st.integers(1, 100_000), st.sampled_from([(4, Zone.WITHIN), (7, Zone.WITHIN), (9, Zone.NEAR)]))
def test_usage_at_exactly_a_bound_is_at_the_bound_in_float32(
    limit_tenth: int, tenths_and_zone: tuple[int, Zone]
) -> None:
    tenths, zone = tenths_and_zone
    utilization = np.float32(tenths * limit_tenth) / np.float32(10 * limit_tenth)
    assert zone_in_default_band(float(utilization)) is zone


@pytest.mark.parametrize("utilization", [NAN, 0.0, 0.5, 3.0])
@pytest.mark.parametrize(("saturation", "is_throttled"), [(NAN, False), (0.0, False), (0.001, True)])
def test_throttled_demand_outranks_any_utilization(
    utilization: float, saturation: float, is_throttled: bool
) -> None:
    assert (zone_in_default_band(utilization, saturation) is Zone.SATURATED) is is_throttled


def test_the_zones_are_exported_with_the_documented_numbers() -> None:
    exported = {word: int(zone) for word, zone in ZONES.items() if zone >= Zone.BELOW}
    assert exported == {"below": -1, "within": 0, "above": 1, "near": 2, "saturated": 3}
    assert set(ZONES) - set(exported) == {"stale", "unobservable"}
