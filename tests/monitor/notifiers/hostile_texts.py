"""Texts that try to break the formats that contain them."""

from typing import Any

from monitor.notifiers.notice import Notice
from tests.monitor.notifiers.loopback import notice

TEXTS = [
    "",
    " ",
    "<!channel> <@U123> <https://evil.example.com|click> & *bold* _it_ ~s~ `c` > q",
    "[click](https://evil.example.com) **bold** {{DATE(2017-02-14T06:08:00Z)}} \\",
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "a\x00b\x1b[31mc\x7f\u202ed\u2028e",
    "Größe 漢字 🚨 é",
    "x" * 10_000,
    "&<>" * 5_000,
    "🚨" * 10_000,
    "ü " * 10_000,
]


def hostile_notice(text: str, **changes: Any) -> Notice:
    """Return a notice with this text in every field whose text AWS or a user can set."""
    labels = {**notice().labels, "resource": text, "account_name": text, "tag_x": text}
    fields: dict[str, Any] = {
        "summary": text,
        "labels": labels,
        "resolution_reason": text,
        "source": text,
        "zone": text,
        "remedy": (text,) * 5,
        "docs": text,
        "links": {text: "https://example.com/" + "a" * 1500, "page": text},
    }
    return notice(**fields | changes)
