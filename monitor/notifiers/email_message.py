"""Builds the e-mail of a notification, as plain text and as HTML."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from monitor.notifiers.notice import Notice, Notification
from monitor.notifiers.text import (
    facts,
    links,
    omitted_text,
    plain_text,
    sentence,
    state,
    title,
    unstated_steps,
)

STYLE = "font-family: sans-serif; font-size: 14px"


def build_message(notification: Notification, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Build the message. Repeated attempts have the same Message-ID."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = title(notification)
    mail["Date"] = format_datetime(datetime.fromtimestamp(notification.at, UTC))
    mail["Message-ID"] = f"<{message_id(notification.id)}@{sender.rpartition('@')[2].strip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies
    mail.set_content(plain_text(notification))
    mail.add_alternative(html_body(notification), subtype="html")
    return mail


def message_id(id: str) -> str:
    """Return the id if a Message-ID may contain its characters, else its digest."""
    return id if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", id) else sha256(id.encode()).hexdigest()


def html_body(notification: Notification) -> str:
    """Return the HTML part."""
    parts = [part for notice in notification.notices for part in _notice_html(notice)]
    parts.append(f"<p>{escape(omitted_text(notification))}</p>" if omitted_text(notification) else "")
    return f'<!doctype html><html><body style="{STYLE}">{"".join(parts)}</body></html>\n'


def _notice_html(notice: Notice) -> Iterator[str]:
    yield f"<p><b>{escape(state(notice))}:</b> {escape(sentence(notice))}</p>"
    yield "<table>"
    for name, value in facts(notice).items():
        yield f'<tr><th align="left">{escape(name)}</th><td>{escape(value)}</td></tr>'
    yield "</table>"
    if steps := unstated_steps(notice):
        yield "<p>Remedy:</p><ul>" + "".join(f"<li>{escape(step)}</li>" for step in steps) + "</ul>"
    anchors = (f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in links(notice).items())
    yield f"<p>{' · '.join(anchors)}</p>"
