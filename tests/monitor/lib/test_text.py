"""External text is made safe to show."""

import pytest

from monitor.lib.text import replace_surrogates


@pytest.mark.parametrize(
    ("text", "expected"),
    [("orders", "orders"), ("a\udc80\ud800b", "a??b"), ("\U0001f600é\x00", "\U0001f600é\x00")],
)
def test_a_surrogate_becomes_a_question_mark(text: str, expected: str) -> None:
    assert replace_surrogates(text) == expected
