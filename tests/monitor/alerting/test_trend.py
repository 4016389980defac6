"""Trends: which shapes of usage are rising or falling, and for how long."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from monitor.alerting.trend import Trend, find_trends

NOW = 29_000_000  # a Unix minute
WINDOW = 180  # minutes


def trend(minutes: npt.ArrayLike, values: npt.ArrayLike) -> Trend | None:
    """Return the trend of one series."""
    (result,) = find_trends(np.array([minutes]), np.array([values]))
    return result


def trend_of_shape(shape: Callable[[int], float], noise: float = 0.0, length: int = WINDOW) -> Trend | None:
    """Return the trend of a usage.

    shape: returns the usage of a minute, given how many minutes ago it was. noise: the standard deviation of
    added noise. length: the number of minutes.
    """
    minutes_ago = np.arange(length)[::-1]
    random = np.random.default_rng(7)
    values = np.array([shape(int(minutes)) for minutes in minutes_ago]) + random.normal(0, noise, length)
    return trend(NOW - minutes_ago, values)


def rising_shape(minutes: int, low: float = 20.0, high: float = 90.0) -> Callable[[int], float]:
    """Return a shape that rises from `low` to `high` in the last `minutes`, and is `low` before."""
    return lambda minutes_ago: low if minutes_ago > minutes else high - (high - low) * minutes_ago / minutes


# Name, shape, and direction and minutes of its trend.
SHAPES: list[tuple[str, Callable[[int], float], str, int]] = [
    ("flat", lambda minutes_ago: 50.0, "", 0),
    ("zero", lambda minutes_ago: 0.0, "", 0),
    ("a climb", rising_shape(22), "rising", 22),
    ("a long climb", rising_shape(400, 0.0), "rising", 179),
    ("a fall", lambda minutes_ago: 100.0 - rising_shape(40)(minutes_ago), "falling", 40),
    ("a climb that ended", lambda minutes_ago: rising_shape(20)(max(minutes_ago - 30, 0)), "", 0),
    ("a climb after a fall", lambda minutes_ago: abs(minutes_ago - 30.0) + 10, "rising", 30),
    ("a jump in the last two minutes", lambda minutes_ago: 50.0 if minutes_ago > 1 else 90.0, "", 0),
    (
        "a climb with one spike",
        lambda minutes_ago: rising_shape(60)(minutes_ago) + 40 * (minutes_ago == 30),
        "rising",
        60,
    ),
    ("a hardly visible slope", lambda minutes_ago: 50.0 - minutes_ago / 400, "", 0),
    ("a slight slope", lambda minutes_ago: 50.0 - minutes_ago / 100, "", 0),
]


@pytest.mark.parametrize(
    ("shape", "direction", "minutes"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES]
)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_trend_has_the_direction_and_duration_of_its_shape(
    shape: Callable[[int], float], direction: str, minutes: int, noise: float
) -> None:
    found_trend = trend_of_shape(shape, noise)
    if not direction or found_trend is None:
        assert found_trend is None and not direction
    else:
        assert found_trend.direction == direction
        assert abs(found_trend.minutes - minutes) <= max(3, minutes / 5)


def test_missing_samples_do_not_end_a_trend() -> None:
    values = np.linspace(10, 90, 60)
    values[10:30] = np.nan
    found_trend = trend(np.arange(NOW - 60, NOW), values)
    assert found_trend and found_trend.direction == "rising" and found_trend.minutes >= 55


@pytest.mark.parametrize("values", [[], [np.nan] * 9, [1, 2, 3, 4]])
def test_fewer_than_five_samples_have_no_trend(values: list[float]) -> None:
    assert trend(np.arange(len(values)), values) is None


def test_noise_alone_rarely_has_a_trend() -> None:
    random = np.random.default_rng(11)
    trends = [trend(np.arange(WINDOW), 50 + random.normal(0, 8, WINDOW)) for _ in range(200)]
    assert sum(found_trend is not None for found_trend in trends) <= 10


def test_a_series_has_the_same_trend_alone_and_among_many_series() -> None:
    """Other series do not change the trend of a series, whatever their minutes and missing samples are."""
    random = np.random.default_rng(5)
    minutes = NOW + np.arange(WINDOW) + random.integers(0, 900, (300, 1))
    steps = random.normal(0, 1, (300, WINDOW)) * random.choice([0, 0.1, 1], (300, 1))
    values = 50 + steps.cumsum(axis=1) + random.normal(0, 1, (300, WINDOW))
    values[random.random(values.shape) < random.choice([0, 0.2, 0.97, 1], (300, 1))] = np.nan
    computed_alone = [trend(*arrays) for arrays in zip(minutes, values, strict=True)]
    assert find_trends(minutes, values) == computed_alone
    assert {found_trend.direction for found_trend in computed_alone if found_trend} == {"rising", "falling"}
    assert None in computed_alone
