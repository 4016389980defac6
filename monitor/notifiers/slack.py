"""Sends messages to Slack through an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from html import escape
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from monitor.lib.json_body import encode_json
from monitor.lib.text import truncate
from monitor.notifiers.notice import Notice, Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.text import (
    build_within,
    facts,
    links,
    omitted_text,
    sentence,
    state,
    title,
    unstated_steps,
)
from monitor.outbound.result import DeliveryResult
from monitor.schema.secrets import SecretUrl

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient

# Characters. Slack accepts longer texts (3000) and fields (2000), but rejects messages of more than about
# 12,000 (msg_blocks_too_long; the exact limit is not documented). A single notice must fit into a message.
MAX_HEADER = 150
MAX_TEXT = 2500
MAX_FIELD = 300
MAX_LINKS = 2000
MAX_MESSAGE = 10_000  # of the JSON of all blocks
MAX_FIELDS = 10  # the number of fields of a section


class Slack(BaseReceiver):
    """A channel of Slack, through an incoming webhook."""

    type: Literal["slack"] = "slack"
    url: SecretUrl = Field(
        description="The incoming webhook's URL, which is a secret.",
        examples=["https://hooks.slack.com/services/T0000/B0000/example"],
    )

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        body = encode_json(payload(notification, self))
        return await client.post(self.url.get_secret_value(), body, self.policy)


def payload(notification: Notification, receiver: Slack) -> dict[str, Any]:
    """Return the message, ready for JSON. Its texts are `plain_text`, in which asterisks need no escaping."""
    title_text = title(notification)
    header = {"type": "header", "text": _plain(title_text, MAX_HEADER)}
    blocks = build_within(notification, _blocks, _character_count, MAX_MESSAGE)
    return {"text": _escape(title_text, MAX_TEXT), "blocks": [header, *blocks]}


def _blocks(notification: Notification) -> list[dict[str, Any]]:
    blocks = [block for notice in notification.notices for block in _notice_blocks(notice)]
    if omitted := omitted_text(notification):
        blocks.append({"type": "context", "elements": [_plain(omitted, MAX_TEXT)]})
    return blocks


def _notice_blocks(notice: Notice) -> list[dict[str, Any]]:
    lines = [f"{state(notice)}: {sentence(notice)}", *(f"Remedy: {step}" for step in unstated_steps(notice))]
    fields = [f"{name}: {value}" for name, value in facts(notice).items()]
    section = {
        "type": "section",
        "text": _plain("\n".join(lines), MAX_TEXT),
        "fields": [_plain(field, MAX_FIELD) for field in fields[:MAX_FIELDS]],
    }
    anchors = [f"<{_escape(url)}|{_escape(name)}>" for name, url in links(notice).items()]
    while len(joined_links := " · ".join(anchors)) > MAX_LINKS:
        anchors.pop()
    links_block = {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": joined_links, "verbatim": True}],
    }
    return [section, links_block] if joined_links else [section]


def _character_count(blocks: list[dict[str, Any]]) -> int:
    return len(encode_json(blocks).decode())


def _plain(text: str, max_length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escape(text, max_length), "emoji": False}


def _escape(text: str, max_length: int = MAX_TEXT) -> str:
    """Escape &, < and > as Slack requires; truncate to `max_length` characters, but not within an entity."""
    text = truncate(text, max_length)
    while len(escaped := escape(text, quote=False)) > max_length:
        excess = len(escaped) - max_length
        # A character becomes at most five (&amp;). One more is cut to make room for the ellipsis.
        text = truncate(text, len(text) - (excess + 4) // 5 - 1)
    return escaped
