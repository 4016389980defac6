"""The text of notifications for all receivers: the summary, then facts, remedy and links."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from monitor.fleet.key import WHOLE_ACCOUNT
from monitor.lib.percent import format_percent
from monitor.lib.text import short_line
from monitor.notifiers.notice import Notice, NoticeKind, Notification
from rules.units import counting_unit, unit_named

BuiltMessage = TypeVar("BuiltMessage")

MAX_SENTENCE = 1000  # characters
MAX_URL = 2000  # characters
PER_SECOND = counting_unit("per second")  # the unit of throttled demand
# The labels that have facts of their own, or are part of the state. The fact `Labels` lists all others.
LABELS_SHOWN_ELSEWHERE = (
    "account",
    "account_name",
    "region",
    "service",
    "signal",
    "resource",
    "resource_id",
    "severity",
)

STATE_TEXTS = {
    NoticeKind.FIRING: "Firing",
    NoticeKind.WORSENED: "Worsened",
    NoticeKind.EASED: "Eased, still firing",
    NoticeKind.RESOLVED: "Resolved",
    NoticeKind.REPEATED: "Still firing",
}


def title(notification: Notification) -> str:
    """Return the title of a notification on one line."""
    return short_line(notification.title)


def state(notice: Notice) -> str:
    """Return the state and severity, such as `Firing, critical`; without severity when resolved."""
    text = STATE_TEXTS[notice.kind]
    return f"{text}, {notice.severity}" if notice.firing else text


def sentence(notice: Notice) -> str:
    """Return the summary on one line."""
    return short_line(notice.summary, MAX_SENTENCE)


def utc_time(at: float) -> str:
    """Format epoch seconds for people, such as `2026-11-28 09:30:00 UTC`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def rfc3339(at: float) -> str:
    """Format epoch seconds as RFC 3339, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def facts(notice: Notice) -> dict[str, str]:
    """Return the known facts by their captions, the most important first."""
    labels = notice.labels
    facts_by_caption = {
        "Reason": notice.resolution_reason,
        "Usage": _usage(notice),
        "Throttled": "" if notice.throttled is None else PER_SECOND.format(notice.throttled),
        "Resource": _resource(labels),
        "Account": _account(labels),
        "Region": labels.get("region", ""),
        "Signal": ".".join(filter(None, (labels.get("service"), labels.get("signal")))),
        "Zone": notice.zone,
        "Since": utc_time(notice.since),
        "Last sample": "" if notice.sampled is None else utc_time(notice.sampled),
        "Limit source": notice.source,
        "Labels": ", ".join(
            f"{name.removeprefix('tag_')}={value}"
            for name, value in labels.items()
            if name not in LABELS_SHOWN_ELSEWHERE
        ),
    }
    lines = {caption: short_line(value) for caption, value in facts_by_caption.items()}
    return {caption: line for caption, line in lines.items() if line}


def _account(labels: Mapping[str, str]) -> str:
    name, account_id = labels.get("account_name"), labels.get("account", "")
    return f"{name} ({account_id})" if name else account_id


def _resource(labels: Mapping[str, str]) -> str:
    """Return the resource of a series, with its id if the name is ambiguous; empty for a blind spot."""
    if "resource" not in labels:
        return ""
    identity = labels.get("resource_id")
    return (labels["resource"] or WHOLE_ACCOUNT) + (f" ({identity})" if identity else "")


def _usage(notice: Notice) -> str:
    unit = unit_named(notice.unit)
    if notice.usage is None:
        return "" if notice.limit is None else f"unknown, of {unit.format(notice.limit)}"
    usage = unit.format(notice.usage)
    if notice.limit is None:
        return f"{usage}, limit unknown"
    return f"{usage} of {unit.format(notice.limit)} ({format_percent(notice.utilization)})"


def remedy(notice: Notice) -> list[str]:
    """Return the steps of the remedy; none when the alert is resolved."""
    return [short_line(step) for step in notice.remedy] if notice.firing else []


def unstated_steps(notice: Notice) -> list[str]:
    """Return the steps of the remedy that the summary does not contain."""
    summary = sentence(notice)
    return [step for step in remedy(notice) if step not in summary]


def links(notice: Notice) -> dict[str, str]:
    """Return the valid HTTP links by name; the documentation is the last."""
    urls = {**notice.links, "docs": notice.docs}
    return {short_line(name): url for name, url in urls.items() if _is_web_link(url)}


def _is_web_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_http = parts.scheme in ("http", "https") and bool(parts.netloc)
    has_url_characters = url.isascii() and url.isprintable() and not set(url) & set(" <>\"'|\\^`")
    return is_http and has_url_characters and len(url) <= MAX_URL


def omitted_text(notification: Notification) -> str:
    """Return the number of notices that are not listed, such as `and 3 more`; empty if all are listed."""
    return f"and {notification.more} more" if notification.more else ""


def plain_text(notification: Notification) -> str:
    """Return the whole notification as text without markup."""
    paragraphs = ["\n".join(_paragraph(notice)) for notice in notification.notices]
    return "\n\n".join(filter(None, [*paragraphs, omitted_text(notification)])) + "\n"


def _paragraph(notice: Notice) -> Iterator[str]:
    yield f"{state(notice)}: {sentence(notice)}"
    yield from (f"  {name}: {value}" for name, value in facts(notice).items())
    yield from (f"  Remedy: {step}" for step in unstated_steps(notice))
    yield from (f"  {name}: {url}" for name, url in links(notice).items())


def build_within(
    notification: Notification,
    build: Callable[[Notification], BuiltMessage],
    size: Callable[[BuiltMessage], int],
    max_size: int,
) -> BuiltMessage:
    """Build a message of as many notices as fit into `max_size`, but of at least one.

    build: returns the message of a notification. size: returns the size of a message.
    """
    notices = notification.notices

    def build_with(count: int) -> BuiltMessage:
        more = notification.more + len(notices) - count
        return build(replace(notification, notices=notices[:count], more=more))

    complete = build(notification)
    if size(complete) <= max_size or len(notices) <= 1:
        return complete
    counts = range(1, len(notices))  # of all notices, the message is too large
    fitting_count = bisect_right(counts, max_size, key=lambda count: size(build_with(count)))
    return build_with(max(fitting_count, 1))
