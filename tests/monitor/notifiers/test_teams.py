"""Teams' card: its content, and that its size is within Teams' maximum."""

from typing import Any

import pytest

from monitor.lib.json_body import json_size
from monitor.notifiers.notice import Severity
from monitor.notifiers.teams import Teams, payload
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import build_receiver, notice, notification, resolved_notice

RECEIVER = build_receiver(Teams, url="https://flows.example.com/x")


def lines(message: dict[str, Any]) -> list[str]:
    """Return the text of the card, one line per block."""
    [attachment] = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert all(block["type"] == "RichTextBlock" and block["inlines"] for block in card["body"])
    return ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]


def text_runs(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of text in all blocks of a card."""
    return [run for block in message["attachments"][0]["content"]["body"] for run in block["inlines"]]


def test_a_message_has_texts_and_links() -> None:
    message = payload(notification(notice(), resolved_notice(), more=2), RECEIVER)
    texts = lines(message)
    assert texts[0] == "[3 firing] prod eu-west-1 kinesis"
    assert texts[1].startswith("Firing, warning: Kinesis stream clicks (prod, eu-west-1) writes 3.6 MiB/s of")
    assert "Usage: 3.6 MiB/s of 4 MiB/s (90 %)" in texts
    assert "Remedy: Add shards." in texts
    assert any(line.startswith("Resolved: ") for line in texts)
    assert texts[-1] == "and 2 more"
    link_actions = [run["selectAction"] for run in text_runs(message) if "selectAction" in run]
    assert {"type": "Action.OpenUrl", "url": "https://runs.example.com"} in link_actions


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_has_a_color(severity: Severity) -> None:
    colors = [
        run["color"]
        for run in text_runs(payload(notification(notice(severity=severity)), RECEIVER))
        if "color" in run
    ]
    assert colors in (["Attention"], ["Warning"], ["Accent"])


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("count", [1, 20])
def test_hostile_texts_make_a_valid_message_within_the_maximum_size_of_teams(text: str, count: int) -> None:
    message = payload(
        notification(*[hostile_notice(text)] * count, more=5, group={"account_name": text}), RECEIVER
    )
    assert json_size(message) <= 28 * 1024
    texts = lines(message)
    listed_count = sum(line.startswith("Firing, warning: ") for line in texts)
    assert listed_count >= 1
    assert texts[-1] == f"and {count + 5 - listed_count} more"
