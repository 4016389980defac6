"""`headroom cost --what-if`: what it takes."""

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
def test_an_invalid_what_if_is_refused(text: str, expected: str) -> None:
    result = headroom("cost", "--what-if", text)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.replace("│", " ").split())
