"""Trends: which shapes of usage are rising or falling, and for how long."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from monitor.alerting.trend import Trend, find_trends

NOW = 29_000_000
WINDOW = 180


def trend(minutes: npt.ArrayLike, values: npt.ArrayLike) -> Trend | None:
    """Return the trend of one series."""
    (result,) = find_trends(np.array([minutes]), np.array([values]))
    return result


def trend_of_shape(shape: Callable[[int], float], noise: float = 0.0, length: int = WINDOW) -> Trend | None:
    """Return the trend of a usage.

    shape: returns the usage a number of minutes ago. noise: the standard deviation of added noise.
    """
    ago = np.arange(length)[::-1]
    random = np.random.default_rng(7)
    values = np.array([shape(int(minutes)) for minutes in ago]) + random.normal(0, noise, length)
    return trend(NOW - ago, values)


def rise(minutes: int, low: float = 20.0, high: float = 90.0) -> Callable[[int], float]:
    """Return a shape that rises from `low` to `high` within the last `minutes`, and is flat before."""
    return lambda ago: low if ago > minutes else high - (high - low) * ago / minutes


SHAPES: list[tuple[str, Callable[[int], float], str, int]] = [
    ("flat", lambda ago: 50.0, "", 0),
    ("zero", lambda ago: 0.0, "", 0),
    ("a climb", rise(22), "rising", 22),
    ("a long climb", rise(400, 0.0), "rising", 179),
    ("a fall", lambda ago: 100.0 - rise(40)(ago), "falling", 40),
    ("a climb that ended", lambda ago: rise(20)(max(ago - 30, 0)), "", 0),
    ("a climb after a fall", lambda ago: abs(ago - 30.0) + 10, "rising", 30),
    ("a jump just now", lambda ago: 50.0 if ago > 1 else 90.0, "", 0),
    (
        "a climb with one spike",
        lambda ago: rise(60)(ago) + 40 * (ago == 30),
        "rising",
        60,
    ),
    ("a hardly visible slope", lambda ago: 50.0 - ago / 400, "", 0),
    ("a slight slope", lambda ago: 50.0 - ago / 100, "", 0),
]


@pytest.mark.parametrize(
    ("shape", "direction", "minutes"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES]
)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_trend_has_the_direction_and_duration_of_its_shape(
    shape: Callable[[int], float], direction: str, minutes: int, noise: float
) -> None:
    found = trend_of_shape(shape, noise)
    if not direction or found is None:
        assert found is None and not direction
    else:
        assert found.direction == direction
        assert abs(found.minutes - minutes) <= max(3, minutes / 5)


def test_missing_samples_do_not_end_a_trend() -> None:
    values = np.linspace(10, 90, 60)
    values[10:30] = np.nan
    found = trend(np.arange(NOW - 60, NOW), values)
    assert found and found.direction == "rising" and found.minutes >= 55


@pytest.mark.parametrize("values", [[], [np.nan] * 9, [1, 2, 3, 4]])
def test_fewer_than_five_samples_have_no_trend(values: list[float]) -> None:
    assert trend(np.arange(len(values)), values) is None


def test_noise_alone_rarely_has_a_trend() -> None:
    random = np.random.default_rng(11)
    trends = [trend(np.arange(WINDOW), 50 + random.normal(0, 8, WINDOW)) for _ in range(200)]
    assert sum(found is not None for found in trends) <= 10


def test_a_series_has_the_same_trend_alone_and_among_many_series() -> None:
    """Missing samples and other minutes of other series do not change the trend of a series."""
    random = np.random.default_rng(5)
    minutes = NOW + np.arange(WINDOW) + random.integers(0, 900, (300, 1))
    steps = random.normal(0, 1, (300, WINDOW)) * random.choice([0, 0.1, 1], (300, 1))
    values = 50 + steps.cumsum(axis=1) + random.normal(0, 1, (300, WINDOW))
    values[random.random(values.shape) < random.choice([0, 0.2, 0.97, 1], (300, 1))] = np.nan
    alone = [trend(*arrays) for arrays in zip(minutes, values, strict=True)]
    assert find_trends(minutes, values) == alone
    assert {found.direction for found in alone if found} == {"rising", "falling"}
    assert None in alone
