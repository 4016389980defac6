import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.band import ZONES, Floats, Zone, zones

NAN = float("nan")


def one(utilization: float, saturation: float, low: float, high: float, critical: float) -> Zone:
    """The zone of one series, as the glossary words it."""
    if saturation > 0:
        return Zone.SATURATED
    if math.isnan(utilization):
        return Zone.STALE
    if utilization >= critical:
        return Zone.CRITICAL
    if utilization > high:
        return Zone.ABOVE
    if utilization >= low:
        return Zone.WITHIN
    return Zone.BELOW


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def judged(utilization: float, saturation: float = NAN) -> Zone:
    (zone,) = zones(floats(utilization), floats(saturation), floats(0.4), floats(0.7), floats(0.9))
    return Zone(zone)


ratio = st.floats(0, 2, width=32)
bounds = st.lists(ratio, min_size=3, max_size=3, unique=True).map(sorted)


@st.composite
def series(draw: st.DrawFn) -> tuple[float, ...]:
    """Utilization, often exactly at a bound, saturation and band of one series."""
    band = draw(bounds)
    utilization = draw(st.one_of(ratio, st.sampled_from(band), st.just(NAN)))
    saturation = draw(st.sampled_from([NAN, 0.0, 2.0**-30, 0.5]))
    return utilization, saturation, *band


@given(st.lists(series(), max_size=40))
def test_many_series_are_judged_as_each_one_alone(many: list[tuple[float, ...]]) -> None:
    columns = np.array(many, np.float32).reshape(-1, 5).T
    assert zones(*columns).tolist() == [one(*each) for each in many]


@pytest.mark.parametrize(
    ("utilization", "zone"),
    [
        (0.0, Zone.BELOW),
        (0.399999, Zone.BELOW),
        (0.4, Zone.WITHIN),
        (0.7, Zone.WITHIN),
        (0.700001, Zone.ABOVE),
        (0.899999, Zone.ABOVE),
        (0.9, Zone.CRITICAL),
        (1.5, Zone.CRITICAL),
        (float("inf"), Zone.CRITICAL),
        (NAN, Zone.STALE),
    ],
)
def test_the_bounds_of_the_band_belong_to_it_and_critical_to_critical(utilization: float, zone: Zone) -> None:
    assert judged(utilization) is zone


@given(st.integers(1, 100_000), st.sampled_from([(4, Zone.WITHIN), (7, Zone.WITHIN), (9, Zone.CRITICAL)]))
def test_usage_at_exactly_a_bound_is_at_the_bound_in_float32(tenth: int, case: tuple[int, Zone]) -> None:
    tenths, zone = case
    utilization = np.float32(tenths * tenth) / np.float32(10 * tenth)
    assert judged(float(utilization)) is zone


@pytest.mark.parametrize("utilization", [NAN, 0.0, 0.5, 3.0])
@pytest.mark.parametrize(("saturation", "refused"), [(NAN, False), (0.0, False), (0.001, True)])
def test_refused_demand_outranks_any_utilization(
    utilization: float, saturation: float, refused: bool
) -> None:
    assert (judged(utilization, saturation) is Zone.SATURATED) is refused


def test_the_zones_are_exported_with_the_documented_numbers() -> None:
    exported = {word: int(zone) for word, zone in ZONES.items() if zone >= Zone.BELOW}
    assert exported == {"below": -1, "within": 0, "above": 1, "critical": 2, "saturated": 3}
    assert set(ZONES) - set(exported) == {"stale", "unobservable"}
