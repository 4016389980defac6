"""Slack's blocks: their content, and that they respect Slack's limits."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notifiers.slack import Slack, payload
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import build_receiver, notice, notification, resolved_notice

RECEIVER = build_receiver(Slack, url="https://hooks.example.com/x")
# The greatest number of characters of a text, by its place.
MAX_LENGTHS = {"header": 150, "text": 3000, "fields": 2000, "elements": 3000}
LINK = r"(?i)<https?://[!-;=?-~]+\|[^<>]*>"


def texts(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every text object with its place: header, text, fields or elements."""
    for block in blocks:
        if block["type"] == "header":
            yield "header", block["text"]
        elif "text" in block:
            yield "text", block["text"]
        for place in ("fields", "elements"):
            yield from ((place, text) for text in block.get(place, ()))


def check_limits(message: dict[str, Any]) -> None:
    """Check the rules of Slack's reference for blocks and text objects."""
    blocks = message["blocks"]
    assert 0 < len(blocks) <= 50
    assert len(json.dumps(blocks, ensure_ascii=False)) <= 11_000
    assert message["text"]
    for block in blocks:
        for place in {"fields", "elements"} & block.keys():
            assert 1 <= len(block[place]) <= 10
    for place, text in texts(blocks):
        assert 0 < len(text["text"]) <= MAX_LENGTHS[place]
        plain = re.sub(LINK, "", text["text"]) if text["type"] == "mrkdwn" else text["text"]
        assert not set("<>") & set(plain)
        assert not re.search(r"&(?!amp;|lt;|gt;)", plain)


def test_a_message_has_blocks_for_notices_and_links() -> None:
    message = payload(notification(notice(), resolved_notice(), more=2), RECEIVER)
    check_limits(message)
    assert message["text"] == "[3 firing] prod eu-west-1 kinesis"
    header_block, firing_block, links_block, resolution_block, _, omitted = message["blocks"]
    assert header_block["text"]["text"] == "[3 firing] prod eu-west-1 kinesis"
    text = firing_block["text"]["text"]
    assert text.startswith(
        "Firing, warning: Kinesis stream clicks (prod, eu-west-1) writes 3.6 MiB/s of 4 MiB/s"
    )
    assert text.endswith("\nRemedy: Add shards.\nRemedy: Or switch to on-demand.")
    assert firing_block["fields"][0]["text"] == "Usage: 3.6 MiB/s of 4 MiB/s (90 %)"
    [links_text] = links_block["elements"]
    assert links_text["text"].startswith(
        "<https://headroom.example.com/s/1?a=1&amp;b=2|page> · <https://runs"
    )
    assert resolution_block["text"]["text"].startswith("Resolved: ")
    assert resolution_block["fields"][0]["text"].startswith("Reason: the limit was raised")
    assert omitted["elements"][0]["text"] == "and 2 more"


def test_a_notice_without_links_has_no_block_of_links() -> None:
    message = payload(notification(notice(links={}, docs="")), RECEIVER)
    assert [block["type"] for block in message["blocks"]] == ["header", "section"]


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_make_a_valid_message(text: str) -> None:
    check_limits(payload(notification(hostile_notice(text), group={"account_name": text}), RECEIVER))


@given(st.text())
def test_any_text_makes_a_valid_message(text: str) -> None:
    check_limits(payload(notification(hostile_notice(text), group={"account_name": text}), RECEIVER))


def test_a_mention_in_a_name_is_escaped() -> None:
    message = json.dumps(payload(notification(hostile_notice("<!channel> & <@U1>")), RECEIVER))
    assert "<!" not in message
    assert "<@" not in message
    assert "<!channel> & <@U1>" in unescape(message)


@pytest.mark.parametrize("text", TEXTS)
def test_notices_that_do_not_fit_are_counted(text: str) -> None:
    message = payload(notification(*[hostile_notice(text)] * 20, more=5), RECEIVER)
    check_limits(message)
    listed_count = sum(block["type"] == "section" for block in message["blocks"])
    omitted = message["blocks"][-1]["elements"][0]["text"]
    assert omitted == f"and {25 - listed_count} more"
