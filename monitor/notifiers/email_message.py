"""A notification as an e-mail: text, and the same as HTML."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from monitor.alerting.notice import Notice, Notification
from monitor.notifiers.text import facts, further, links, plain, rest, sentence, state, title

STYLE = "font-family: sans-serif; font-size: 14px"


def message(notification: Notification, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The message; its id is the notification's, so that what is sent again can be told from news."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = title(notification)
    mail["Date"] = format_datetime(datetime.fromtimestamp(notification.at, UTC))
    mail["Message-ID"] = f"<{identity(notification.id)}@{sender.rpartition('@')[2].strip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies
    mail.set_content(plain(notification))
    mail.add_alternative(html(notification), subtype="html")
    return mail


def identity(id: str) -> str:
    """The id as it may stand in a Message-ID; a digest where it holds what may not."""
    return id if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", id) else sha256(id.encode()).hexdigest()


def html(notification: Notification) -> str:
    parts = [part for notice in notification.notices for part in _of_notice(notice)]
    parts.append(f"<p>{escape(rest(notification))}</p>" if rest(notification) else "")
    return f'<!doctype html><html><body style="{STYLE}">{"".join(parts)}</body></html>\n'


def _of_notice(notice: Notice) -> Iterator[str]:
    yield f"<p><b>{escape(state(notice))}:</b> {escape(sentence(notice))}</p>"
    yield "<table>"
    for name, value in facts(notice).items():
        yield f'<tr><th align="left">{escape(name)}</th><td>{escape(value)}</td></tr>'
    yield "</table>"
    if steps := further(notice):
        yield "<p>Remedy:</p><ul>" + "".join(f"<li>{escape(step)}</li>" for step in steps) + "</ul>"
    named = (f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in links(notice).items())
    yield f"<p>{' · '.join(named)}</p>"
