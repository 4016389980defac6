"""Slack, through an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from html import escape
from typing import Any, Literal

from pydantic import Field

from monitor.alerting.notice import Notice, Notification
from monitor.notifiers.answer import Answer
from monitor.notifiers.json_body import encoded
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import SecretUrl
from monitor.notifiers.text import cut, facts, fitting, further, links, rest, sentence, state, title
from monitor.outbound import Outbound

# Characters. Slack takes longer ones (3000 of a text, 2000 of a field), but refuses a message from about
# 12,000 on (msg_blocks_too_long; where exactly is not documented): one notice alone has to stay below.
LONGEST_HEADER = 150
LONGEST_TEXT = 2500
LONGEST_FIELD = 300
LONGEST_LINKS = 2000
LARGEST = 10_000
MOST_FIELDS = 10


class Slack(Base):
    """A channel of Slack."""

    type: Literal["slack"] = "slack"
    url: SecretUrl = Field(description="The incoming webhook's URL, which is a secret.")

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        body = encoded(payload(notification, self))
        return await client.post(self.url.get_secret_value(), body, self.policy)


def payload(notification: Notification, receiver: Slack) -> dict[str, Any]:
    """What is sent, ready for JSON. Texts are plain, not mrkdwn: an asterisk in a name is an asterisk."""
    head = title(notification)
    header = {"type": "header", "text": _plain(head, LONGEST_HEADER)}
    blocks = fitting(notification, _blocks, _characters, LARGEST)
    return {"text": _escaped(head, LONGEST_TEXT), "blocks": [header, *blocks]}


def _blocks(notification: Notification) -> list[dict[str, Any]]:
    blocks = [block for notice in notification.notices for block in _of_notice(notice)]
    if said := rest(notification):
        blocks.append({"type": "context", "elements": [_plain(said, LONGEST_TEXT)]})
    return blocks


def _of_notice(notice: Notice) -> list[dict[str, Any]]:
    lines = [f"{state(notice)}: {sentence(notice)}", *(f"Remedy: {step}" for step in further(notice))]
    fields = [f"{name}: {value}" for name, value in facts(notice).items()]
    section = {
        "type": "section",
        "text": _plain("\n".join(lines), LONGEST_TEXT),
        "fields": [_plain(field, LONGEST_FIELD) for field in fields[:MOST_FIELDS]],
    }
    named = [f"<{_escaped(url)}|{_escaped(name)}>" for name, url in links(notice).items()]
    while len(told := " · ".join(named)) > LONGEST_LINKS:
        named.pop()
    linked = {"type": "context", "elements": [{"type": "mrkdwn", "text": told, "verbatim": True}]}
    return [section, linked] if told else [section]


def _characters(blocks: list[dict[str, Any]]) -> int:
    return len(encoded(blocks).decode())


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escaped(text, most), "emoji": False}


def _escaped(text: str, most: int = LONGEST_TEXT) -> str:
    """In every text object, &, < and > are written as entities; what is cut must not end inside one."""
    kept = cut(text, most)
    while len(escaped := escape(kept, quote=False)) > most:
        kept = cut(kept, len(kept) - (len(escaped) - most + 4) // 5 - 1)
    return escaped
