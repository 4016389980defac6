"""What people read, whatever the receiver: the sentence first, then the facts, the remedy and the links."""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from monitor.alerting.notice import Kind, Notice, Notification
from monitor.units import amount, percent

Built = TypeVar("Built")

LONGEST = 1000  # characters of a sentence
LONGEST_FACT = 300  # characters of a fact or a step of the remedy
LONGEST_URL = 2000
KNOWN = ("account", "account_name", "region", "service", "signal", "resource", "severity")

STATES = {
    Kind.FIRING: "Firing",
    Kind.WORSENED: "Worse",
    Kind.EASED: "Better, still firing",
    Kind.RESOLVED: "Resolved",
    Kind.REPEATED: "Still firing",
}


def clean(text: str) -> str:
    """One line, without control characters, lone surrogates and marks that reorder what is read."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in text)
    return " ".join(text.split())


def cut(text: str, most: int) -> str:
    """At most so many characters; an ellipsis says that there were more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def line(text: str, most: int = LONGEST_FACT) -> str:
    """One clean line of at most so many characters; of a text far longer, the end is not looked at."""
    return cut(clean(text[: 2 * most]), most)


def title(notification: Notification) -> str:
    return line(notification.title)


def state(notice: Notice) -> str:
    """`Firing, critical`; what is resolved has no severity."""
    said = STATES[notice.kind]
    return f"{said}, {notice.severity}" if notice.firing else said


def sentence(notice: Notice) -> str:
    return line(notice.summary, LONGEST)


def moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def facts(notice: Notice) -> dict[str, str]:
    """What is known, by the name that people read, the most telling first; what is not known is left out."""
    labels = notice.labels
    named = labels.get("account_name")
    known = {
        "Because": notice.reason,
        "Usage": _usage(notice),
        "Refused": "" if notice.refused is None else amount(notice.refused, "per second"),
        "Resource": labels.get("resource", ""),
        "Account": f"{named} ({labels.get('account', '')})" if named else labels.get("account", ""),
        "Region": labels.get("region", ""),
        "Signal": ".".join(filter(None, (labels.get("service"), labels.get("signal")))),
        "Zone": notice.zone,
        "Since": moment(notice.since),
        "Last sample": "" if notice.sampled is None else moment(notice.sampled),
        "Limit from": notice.source,
        "Labels": ", ".join(
            f"{name.removeprefix('tag_')}={value}" for name, value in labels.items() if name not in KNOWN
        ),
    }
    return {name: line(value) for name, value in known.items() if line(value)}


def _usage(notice: Notice) -> str:
    if notice.usage is None:
        return "" if notice.limit is None else f"unknown, of {amount(notice.limit, notice.unit)}"
    used = amount(notice.usage, notice.unit)
    if notice.limit is None:
        return f"{used}, limit unknown"
    return f"{used} of {amount(notice.limit, notice.unit)} ({percent(notice.utilization)})"


def remedy(notice: Notice) -> list[str]:
    """The steps, while there is something to do."""
    return [line(step) for step in notice.remedy] if notice.firing else []


def further(notice: Notice) -> list[str]:
    """The steps that the sentence does not say already."""
    said = sentence(notice)
    return [step for step in remedy(notice) if step not in said]


def links(notice: Notice) -> dict[str, str]:
    """Named URLs, those of the web alone; the documentation's comes last."""
    named = {**notice.links, "docs": notice.docs}
    return {line(name): url for name, url in named.items() if _is_link(url)}


def _is_link(url: str) -> bool:
    try:
        good = urlsplit(url).scheme in ("http", "https") and url.isascii() and url.isprintable()
    except ValueError:
        return False
    return good and len(url) <= LONGEST_URL and not set(url) & set(" <>\"'|\\^`")


def rest(notification: Notification) -> str:
    """What is said of those that are not listed; empty when all are."""
    return f"and {notification.more} more" if notification.more else ""


def plain(notification: Notification) -> str:
    """All of it as text without markup."""
    paragraphs = ["\n".join(_paragraph(notice)) for notice in notification.notices]
    return "\n\n".join(filter(None, [*paragraphs, rest(notification)])) + "\n"


def _paragraph(notice: Notice) -> Iterator[str]:
    yield f"{state(notice)}: {sentence(notice)}"
    yield from (f"  {name}: {value}" for name, value in facts(notice).items())
    yield from (f"  Remedy: {step}" for step in further(notice))
    yield from (f"  {name}: {url}" for name, url in links(notice).items())


def fitting(
    notification: Notification,
    build: Callable[[Notification], Built],
    size: Callable[[Built], int],
    most: int,
) -> Built:
    """What `build` makes of as many notices as fit into `most`, at least of one; the others are counted."""
    notices = notification.notices

    def listing(count: int) -> Built:
        more = notification.more + len(notices) - count
        return build(replace(notification, notices=notices[:count], more=more))

    whole = build(notification)
    if size(whole) <= most or len(notices) <= 1:
        return whole
    fit = bisect_right(range(1, len(notices)), most, key=lambda count: size(listing(count)))
    return listing(max(fit, 1))
