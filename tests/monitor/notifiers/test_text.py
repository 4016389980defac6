"""The text of notifications: facts with their numbers, and no injected markup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lib.text import short_line, single_line, truncate
from monitor.notifiers.notice import NoticeKind
from monitor.notifiers.text import build_within, facts, links, plain_text, remedy, state, unstated_steps
from tests.monitor.notifiers.loopback import NOW, notice, notification, resolved_notice


def test_the_plain_text_of_a_notification_lists_facts_and_remedy_and_links() -> None:
    assert plain_text(notification(notice(), more=4)) == (
        "Firing, warning: Kinesis stream clicks (prod, eu-west-1) writes 3.6 MiB/s of 4 MiB/s (90 %).\n"
        "  Usage: 3.6 MiB/s of 4 MiB/s (90 %)\n"
        "  Throttled: 12 per second\n"
        "  Resource: clicks\n"
        "  Account: prod (123456789012)\n"
        "  Region: eu-west-1\n"
        "  Signal: kinesis.stream_write_bytes\n"
        "  Zone: near\n"
        "  Since: 2026-01-02 02:42:05 UTC\n"
        "  Last sample: 2026-01-02 03:03:05 UTC\n"
        "  Limit source: DescribeStreamSummary\n"
        "  Labels: team=core\n"
        "  Remedy: Add shards.\n"
        "  Remedy: Or switch to on-demand.\n"
        "  page: https://headroom.example.com/s/1?a=1&b=2\n"
        "  runbook: https://runs.example.com\n"
        "  docs: https://docs.example.com/kinesis\n"
        "\n"
        "and 4 more\n"
    )


@pytest.mark.parametrize(
    ("changes", "usage"),
    [
        ({"usage": 0.0, "utilization": 0.0}, "0 B/s of 4 MiB/s (0 %)"),
        ({"utilization": None}, "3.6 MiB/s of 4 MiB/s (-)"),
        ({"limit": None, "utilization": None}, "3.6 MiB/s, limit unknown"),
        ({"usage": None}, "unknown, of 4 MiB/s"),
        ({"usage": None, "limit": None}, None),
    ],
)
def test_usage_is_shown_with_the_limit_if_known(changes: dict[str, float | None], usage: str | None) -> None:
    assert facts(notice(**changes)).get("Usage") == usage


def test_a_resolved_notice_has_its_reason_and_no_remedy() -> None:
    resolution = resolved_notice()
    assert state(resolution) == "Resolved"
    assert next(iter(facts(resolution).items())) == ("Reason", "the limit was raised from 4 MiB/s to 8 MiB/s")
    assert remedy(resolution) == []


def test_a_remedy_in_the_summary_is_not_repeated() -> None:
    assert unstated_steps(notice()) == ["Add shards.", "Or switch to on-demand."]
    with_step = notice(
        summary="Kinesis stream clicks writes 3.6 MiB/s of 4 MiB/s (90 %). Remedy: Add shards."
    )
    assert unstated_steps(with_step) == ["Or switch to on-demand."]
    assert plain_text(notification(with_step)).count("Remedy: Add shards.") == 1
    assert unstated_steps(resolved_notice()) == []


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_a_state(kind: NoticeKind) -> None:
    assert state(notice(kind=kind)).split(",")[0] in (
        *("Firing", "Worsened", "Eased", "Resolved", "Still firing"),
    )


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "https://[::1", "ftp://x"),
        *("HTTP:", "https:///path"),
        *("https://x/a b", "https://x/|name>", 'https://x/"', "https://x/<b>", "https://x/\n", "https://ü/"),
        "https://x/" + "a" * 2000,
    ],
)
def test_only_valid_and_short_http_links_are_shown(url: str) -> None:
    assert links(notice(links={"page": url}, docs="")) == {}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a\r\nb\tc\x00d\x1b[31me\x7f", "a b c d [31me"),
        ("a\u202egnp.exe", "a gnp.exe"),
        ("a\u2028b\u200bc\ufeffd", "a b c d"),
        ("a\ud800b", "a b"),
        ("Größe € 漢字 🚨", "Größe € 漢字 🚨"),
    ],
)
def test_line_breaks_and_unprintable_characters_become_single_spaces(text: str, cleaned: str) -> None:
    assert single_line(text) == cleaned


@given(st.text(st.characters()), st.integers(1, 50))
def test_any_text_becomes_a_short_line_that_can_be_encoded(text: str, max_length: int) -> None:
    short = short_line(text, max_length)
    assert len(short) <= max_length
    assert short.encode().decode().isprintable()


def test_a_truncated_text_ends_with_an_ellipsis() -> None:
    assert (truncate("abcdef", 6), truncate("abcdef", 5)) == ("abcdef", "abcd…")


@pytest.mark.parametrize(
    ("max_size", "listed_count", "omitted_count"), [(10, 4, 5), (4, 4, 5), (2, 2, 7), (1, 1, 8), (0, 1, 8)]
)
def test_as_many_notices_as_fit_are_listed_and_the_others_counted(
    max_size: int, listed_count: int, omitted_count: int
) -> None:
    four_notices = notification(*[notice()] * 4, more=5, at=NOW)
    listed_and_more = build_within(
        four_notices,
        lambda shortened: (len(shortened.notices), shortened.more),
        lambda pair: pair[0],
        max_size,
    )
    assert listed_and_more == (listed_count, omitted_count)


def test_the_resource_of_an_alert_on_an_account_is_the_whole_account() -> None:
    assert facts(notice(labels={"signal": "x", "resource": ""}))["Resource"] == "whole account"


def test_an_alert_without_a_resource_shows_none() -> None:
    assert "Resource" not in facts(notice(labels={"signal": "blind"}))


def test_a_resource_is_shown_with_its_id_if_its_name_is_ambiguous() -> None:
    labels = {"signal": "x", "resource": "orders/prod", "resource_id": "a1b2/prod", "tag_team": "web"}
    shown_facts = facts(notice(labels=labels))
    assert (shown_facts["Resource"], shown_facts["Labels"]) == ("orders/prod (a1b2/prod)", "team=web")
