"""Sends an Adaptive Card to Microsoft Teams through a workflow's webhook.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from monitor.lib.json_body import encode_json, json_size
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

MAX_MESSAGE_BYTES = 28_000  # Teams accepts 28 KB
COLORS = {"critical": "Attention", "warning": "Warning", "info": "Accent"}


class Teams(BaseReceiver):
    """A channel or chat of Microsoft Teams, as an Adaptive Card to the webhook trigger of a workflow."""

    type: Literal["teams"] = "teams"
    url: SecretUrl = Field(
        description="The URL of the workflow's webhook trigger, which is a secret.",
        examples=[
            "https://example.westeurope.logic.azure.com/workflows/example/triggers/manual/paths/invoke"
        ],
    )

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        body = encode_json(payload(notification, self))
        return await client.post(self.url.get_secret_value(), body, self.policy)


def payload(notification: Notification, receiver: Teams) -> dict[str, Any]:
    """Return the message, ready for JSON."""
    title_text = title(notification)
    return build_within(
        notification, lambda shortened: _message(shortened, title_text), json_size, MAX_MESSAGE_BYTES
    )


def _message(notification: Notification, title_text: str) -> dict[str, Any]:
    blocks = [_block(_text_run(title_text, size="Large", weight="Bolder"))]
    for notice in notification.notices:
        blocks.extend(_notice_blocks(notice))
    if omitted := omitted_text(notification):
        blocks.append(_block(_text_run(omitted, isSubtle=True)))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}],
    }


def _notice_blocks(notice: Notice) -> Iterator[dict[str, Any]]:
    color = COLORS[notice.severity] if notice.firing else "Good"
    state_run = _text_run(f"{state(notice)}: ", weight="Bolder", color=color)
    yield _block(state_run, _text_run(sentence(notice)), separator=True)
    for name, value in facts(notice).items():
        yield _block(_text_run(f"{name}: ", weight="Bolder"), _text_run(value), spacing="None")
    for step in unstated_steps(notice):
        yield _block(_text_run("Remedy: ", weight="Bolder"), _text_run(step), spacing="Small")
    link_runs = [
        _text_run(f"{name}  ", selectAction={"type": "Action.OpenUrl", "url": url})
        for name, url in links(notice).items()
    ]
    if link_runs:
        yield _block(*link_runs, spacing="Small")


def _block(*runs: dict[str, Any], **style: Any) -> dict[str, Any]:
    """Build a paragraph. Unlike a TextBlock's, its text is not Markdown, so nothing needs escaping."""
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _text_run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
