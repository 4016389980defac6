"""Durations as text: at most two units."""

import pytest

from monitor.lib.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (40, "40 s"),
        (60, "1 min"),
        (61, "1 min"),
        (22 * 60, "22 min"),
        (3600, "1 h"),
        (3 * 3600 + 10 * 60 + 5, "3 h 10 min"),
        (86400, "1 d"),
        (86400 + 60, "1 d"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_a_duration_is_written_in_two_units_at_most(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected
