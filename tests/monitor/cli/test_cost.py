"""`headroom cost --what-if`: the values that it rejects."""

import pytest

from tests.monitor.cli.invocation import headroom


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max_interval=2h", "expected at most 3600, found 7200"),
        ("max_interval=soon", "expected a duration"),
        ("max_intervall=1h", "unknown key max_intervall; did you mean max_interval"),
        ("stream=kinesiss", "unknown service kinesiss"),
        ("hourly", "unknown key hourly"),
    ],
)
def test_an_invalid_value_of_what_if_is_rejected(text: str, expected: str) -> None:
    result = headroom("cost", "--what-if", text)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.replace("│", " ").split())
