"""Results: the outcome of each response, and when to try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.outbound.result import (
    MAX_RETRY_AFTER,
    DeliveryOutcome,
    best_result,
    delivered_result,
    excerpt,
    parse_retry_after,
    refused_result,
    result_of_status,
    retry_result,
    worst_result,
)
from tests.monitor.notifiers.loopback import NOW

STATUSES = [
    *((status, DeliveryOutcome.DELIVERED) for status in (200, 201, 202, 204, 299)),
    *((status, DeliveryOutcome.REFUSED) for status in (300, 301, 302, 303, 307, 308)),
    *(
        (status, DeliveryOutcome.REFUSED)
        for status in (400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 451)
    ),
    *((status, DeliveryOutcome.RETRY) for status in (408, 425, 429, 500, 501, 502, 503, 504, 529, 599)),
]


@pytest.mark.parametrize(("status", "outcome"), STATUSES)
def test_each_http_status_has_its_outcome(status: int, outcome: DeliveryOutcome) -> None:
    result = result_of_status("https://x", status, "why", 5)
    assert result.outcome is outcome
    assert result.status == status
    assert result.sentence == f"https://x answered {status}: why"
    assert result.retry_after == (5 if outcome is DeliveryOutcome.RETRY else None)
    assert result.reason == ("" if outcome is DeliveryOutcome.DELIVERED else f"http_{status}")


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 12, MAX_RETRY_AFTER),
        ("9" * 300, MAX_RETRY_AFTER),
        ("9" * 400, None),
        ("1\x1c", None),
        ("1\0", None),
        ("\x0b12 ", None),
        ("1\t", 1),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60),
        ("Fri, 02 Jan 2026 04:05:05 +0100", 60),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60),
        ("Fri Jan  2 03:05:05 2026", 60),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0),
        ("Fri, 02 Jan 2099 03:05:05 GMT", MAX_RETRY_AFTER),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, wait: float | None) -> None:
    assert parse_retry_after(header, NOW) == wait


@given(st.text())
def test_any_retry_after_is_parsed_within_bounds_or_ignored(header: str) -> None:
    wait = parse_retry_after(header, NOW)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER


def test_of_several_results_a_retry_outranks_a_refusal() -> None:
    accepted, retried, refusal = (
        delivered_result("a"),
        retry_result("timeout", "b"),
        refused_result("http_400", "c"),
    )
    assert worst_result([accepted, refusal, retried]) is retried
    assert worst_result([accepted, refusal]) is refusal
    assert best_result([refusal, retried, accepted]) is accepted
    assert best_result([refusal, retried]) is retried


def test_an_excerpt_is_one_short_line_without_secrets() -> None:
    text = "no\r\nsuch \x1b[31mhook: hunter2hunter2 or hunter2hunter2/services " + "x" * 500
    shown = excerpt(text, ["hunter2hunter2", "hunter2hunter2/services", "no"])
    assert shown.startswith("no such [31mhook: *** or *** x")
    assert len(shown) == 200


def test_a_secret_across_the_end_of_an_excerpt_is_redacted() -> None:
    assert "hunter" not in excerpt("x" * 195 + "hunter2hunter2", ["hunter2hunter2"])
