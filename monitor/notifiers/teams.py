"""Microsoft Teams, through a workflow's webhook: a message with an Adaptive Card.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from monitor.alerting.notice import Notice, Notification
from monitor.notifiers.answer import Answer
from monitor.notifiers.json_body import encoded, size
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import SecretUrl
from monitor.notifiers.text import facts, fitting, further, links, rest, sentence, state, title
from monitor.outbound import Outbound

LARGEST = 28_000  # bytes of a message; Teams takes 28 KB
COLORS = {"critical": "Attention", "warning": "Warning", "info": "Accent"}


class Teams(Base):
    """A channel or chat of Teams."""

    type: Literal["teams"] = "teams"
    url: SecretUrl = Field(description="The URL of the workflow's webhook trigger, which is a secret.")

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        body = encoded(payload(notification, self))
        return await client.post(self.url.get_secret_value(), body, self.policy)


def payload(notification: Notification, receiver: Teams) -> dict[str, Any]:
    """What is sent, ready for JSON."""
    head = title(notification)
    return fitting(notification, lambda fewer: _message(fewer, head), size, LARGEST)


def _message(notification: Notification, head: str) -> dict[str, Any]:
    blocks = [_block(_run(head, size="Large", weight="Bolder"))]
    for notice in notification.notices:
        blocks.extend(_of_notice(notice))
    if said := rest(notification):
        blocks.append(_block(_run(said, isSubtle=True)))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": card}],
    }


def _of_notice(notice: Notice) -> Iterator[dict[str, Any]]:
    color = COLORS[notice.severity] if notice.firing else "Good"
    head = _run(f"{state(notice)}: ", weight="Bolder", color=color)
    yield _block(head, _run(sentence(notice)), separator=True)
    for name, value in facts(notice).items():
        yield _block(_run(f"{name}: ", weight="Bolder"), _run(value), spacing="None")
    for step in further(notice):
        yield _block(_run("Remedy: ", weight="Bolder"), _run(step), spacing="Small")
    named = [
        _run(f"{name}  ", selectAction={"type": "Action.OpenUrl", "url": url})
        for name, url in links(notice).items()
    ]
    if named:
        yield _block(*named, spacing="Small")


def _block(*runs: dict[str, Any], **style: Any) -> dict[str, Any]:
    """A paragraph. Unlike a TextBlock's, its text is not read as Markdown: nothing need be escaped."""
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
