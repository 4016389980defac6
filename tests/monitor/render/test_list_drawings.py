"""The drawings of lists, and the words about forecasts: unknown values do not look like known values."""

import re

import numpy as np
import pytest

from monitor.fleet.reach import Reach
from monitor.render.forecast_words import forecast_words, time_range
from monitor.render.list_drawings import NO_SAMPLE, gauge, sparkline_drawing, time_position, time_to_limit
from rules.signals import Band

NOW = 1_000_000  # minutes since the epoch
# Each Reach: probabilities by horizon, minutes of the quantiles, days of history, effective ceiling.
LIKELY = Reach((0.1, 0.92, 0.95, 0.95), (NOW + 40, NOW + 60, NOW + 120), 14.0)
UNLIKELY = Reach((0.0, 0.1, 0.2, 0.31), (NOW + 2900, NOW + 3600, NOW + 4300), 14.0)
AT_LIMIT = Reach((1.0, 1.0, 1.0, 1.0), (NOW, NOW, NOW), 14.0)
NOT_REACHED = Reach((0.0, 0.0, 0.0, 0.0), (), 14.0)
JUST_BELOW = Reach((0.99, 0.99, 0.99, 0.99), (), 14.0)  # the limit was reached some minutes ago


def plain(text: str) -> str:
    """Return a text with a plain space for each no-break space, and `-` for each en dash."""
    return text.replace("\u00a0", " ").replace("\u2013", "-")


@pytest.mark.parametrize(
    ("reach", "when", "probability", "colour_zone"),
    [
        (LIKELY, "40 min - 2 h", "92 %", "near"),
        (UNLIKELY, "2 - 3 d", "31 %", "above"),
        (AT_LIMIT, "at its limit", "", "saturated"),
        (Reach((1.0, 1.0, 1.0, 1.0), (), 14.0, 800.0), "at its ceiling", "", "saturated"),
        (NOT_REACHED, "not within 3 d", "", ""),
        (JUST_BELOW, "within 1 h", "99 %", "near"),
        (Reach((0.0, 0.0, 0.0, 0.3), (), 14.0), "within 3 d", "30 %", "above"),
        (Reach((), (), 0.4), "history too short", "", ""),
        (Reach((), (), 13.0), "not known", "", ""),
        (Reach(), "not known", "", ""),
    ],
)
def test_each_outcome_of_a_forecast_has_its_own_words(
    reach: Reach, when: str, probability: str, colour_zone: str
) -> None:
    words = forecast_words(reach, NOW)
    assert (plain(words.when), plain(words.probability), words.colour_zone) == (
        when,
        probability,
        colour_zone,
    )
    assert words.is_known == (when not in ("history too short", "not known"))


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (0, 0, "1 min"),
        (5, 45, "5 - 45 min"),
        (100, 425, "100 min - 7.1 h"),
        (130, 500, "2.2 - 8.3 h"),
        (1000, 5000, "17 h - 3.5 d"),
        (2880, 2881, "2 d"),
    ],
)
def test_a_range_in_one_unit_names_the_unit_once(first: int, last: int, text: str) -> None:
    assert plain(time_range(first, last)) == text


def test_times_have_positions_on_a_scale_from_ten_minutes_to_14_days() -> None:
    positions = [time_position(minutes) for minutes in (0, 10, 60, 1440, 7 * 1440, 14 * 1440, 99 * 1440)]
    assert positions == [0, 0, 23.5, 65.3, 90.9, 100, 100]


@pytest.mark.parametrize(
    ("reach", "mark"),
    [
        (LIKELY, "span"),
        (UNLIKELY, "maybe"),
        (JUST_BELOW, "span"),
        (AT_LIMIT, "now"),
        (NOT_REACHED, None),
    ],
)
def test_an_improbable_time_is_pale_and_a_limit_that_is_not_reached_has_no_mark(
    reach: Reach, mark: str | None
) -> None:
    classes = re.findall('<rect class="([a-z]+)"', time_to_limit(reach, NOW))
    assert classes == ([mark] if mark else [])


@pytest.mark.parametrize(("utilization", "width"), [(0.5, "50"), (7.0, "100"), (-1.0, "0")])
def test_the_full_width_of_a_gauge_is_the_limit(utilization: float, width: str) -> None:
    assert gauge(utilization, Band()) == f'<svg class="gauge"><rect width="{width}%"/></svg>'


def test_a_gauge_draws_the_own_band_of_a_series_instead_of_the_default_band() -> None:
    drawn = gauge(0.5, Band(low=0.2, high=0.45))
    assert drawn.startswith('<svg class="gauge own"><rect width="50%"/><rect x="20%" width="25%"/>')


def test_missing_minutes_are_drawn_as_a_gap_without_a_line() -> None:
    usage = np.full(180, 0.5, np.float32)
    usage[60:120] = np.nan
    drawn = sparkline_drawing(usage, np.zeros(180, np.float32))
    assert '<path class="gap" d="M10 22h10"/>' in drawn
    assert 'class="u" d="M0 22l10 0M20 22l10 0"' in drawn  # two parts with a gap between them
    assert "ref" not in drawn


def test_throttled_minutes_are_marked_even_if_the_usage_is_unknown() -> None:
    usage, throttled = np.full(180, 0.5, np.float32), np.zeros(180, np.float32)
    usage[:90] = np.nan
    throttled[6:12] = 3.0
    assert '<path class="ref" d="M1 42h1"/>' in sparkline_drawing(usage, throttled)


def test_a_series_without_samples_has_words_in_place_of_a_line() -> None:
    unknown = np.full(180, np.nan, np.float32)
    assert sparkline_drawing(unknown, unknown) == NO_SAMPLE


def test_usage_beyond_the_limit_lowers_the_line_of_the_limit() -> None:
    drawn = sparkline_drawing(np.full(180, 2.0, np.float32), np.zeros(180, np.float32))
    assert '<svg class="spark over"><path d="M0 22H30"/>' in drawn
    assert "over" not in sparkline_drawing(np.full(180, 1.0, np.float32), np.zeros(180, np.float32))
