"""Tests of `format_percent`, which writes a ratio in percent."""

import pytest

from monitor.lib.percent import format_percent


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (0.0000001, "<0.01 %"),
        (0.0001, "0.01 %"),
        (0.0042, "0.42 %"),
        (0.05, "5 %"),
        (0.0999, "10 %"),
        (0.1, "10 %"),
        (0.914, "91 %"),
        (1.0, "100 %"),
        (12.5, "1250 %"),
    ],
)
def test_a_ratio_is_formatted_in_percent(ratio: float | None, expected: str) -> None:
    assert format_percent(ratio) == expected
