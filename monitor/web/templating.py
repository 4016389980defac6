"""Renders the templates of the pages; declares the templates' filters and globals, and the pages' headers."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from monitor.alerting.links import runbook_of_alert
from monitor.lib.anchors import anchor, runbook_path
from monitor.lib.durations import format_duration
from monitor.lib.percent import format_percent
from monitor.lib.text import replace_surrogates
from monitor.lib.version import VERSION
from monitor.render.jinja import html_environment
from monitor.render.text import dollars, format_rate, time_element
from monitor.web.header import AUTOMATIC, PAGES, THEMES, next_theme
from monitor.web.list_view import search_url
from rules.band import Zone
from rules.plurals import agreeing, count_of
from rules.signals import AWS_DOCS
from rules.units import parse_unit

PACKAGE_DIR = Path(__file__).parent
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NO_DATA = "no data"  # shown instead of a zone where a service was never read
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with a stricter policy, browsers do not send the Origin of a form
    "Cross-Origin-Opener-Policy": "same-origin",
}
ZONES_WORST_FIRST = tuple(sorted(Zone, reverse=True))


@cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """Return the content and the media type of each asset, by its name."""
    files = (path for path in (PACKAGE_DIR / "static").iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in files}


@cache
def asset(name: str) -> str:
    """Return the address of an asset, which changes with its content."""
    return f"/static/{name}?v={sha256(assets()[name][0]).hexdigest()[:12]}"


def code_spans(text: str) -> Markup:
    """Return text in which each part between backticks is a code element."""
    parts = text.split("`")  # parts with an odd index were between backticks
    code, plain = Markup("<code>{}</code>"), Markup("{}")
    return Markup("").join((code if index % 2 else plain).format(part) for index, part in enumerate(parts))


def doc_title(url: str) -> str:
    """Return a title for a page of documentation, from its address: `AWS: http api throttling`."""
    owner = "AWS: " if url.startswith(AWS_DOCS) else ""
    file_name = url.rstrip("/").rpartition("/")[2].removesuffix(".html")
    return owner + file_name.replace("-", " ").replace("_", " ")


@cache
def environment() -> Environment:
    """Return the Jinja environment of the pages, with their filters and globals."""
    env = html_environment(PACKAGE_DIR / "templates")
    env.filters |= {
        "rate": format_rate,
        "percent": format_percent,
        "time": time_element,
        "clock_element": lambda seconds: Markup(
            '<span data-time="{0:%Y-%m-%dT%H:%M:%SZ}">{0:%H:%M} UTC</span>'
        ).format(datetime.fromtimestamp(seconds, UTC)),
        "clock_text": lambda seconds: f"{datetime.fromtimestamp(seconds, UTC):%H:%M} UTC",
        "code_spans": code_spans,
        "duration": format_duration,
        "dollars": dollars,
        "count_of": count_of,
        "agreeing": agreeing,
        "doc_title": doc_title,
        "anchor": anchor,
        "runbook": runbook_of_alert,
        "runbook_path": runbook_path,
        "class_name": lambda value: type(value).__name__,
        "bytes_text": parse_unit("bytes").format,
    }
    env.globals |= {
        "now": lambda: int(time.time()),
        "asset": asset,
        "zones": ZONES_WORST_FIRST,
        "Zone": Zone,
        "version": VERSION,
        "NO_DATA": NO_DATA,
        "header_pages": PAGES,
        "themes": THEMES,
        "search_url": search_url,
        "next_theme": next_theme,
    }
    return env


def render(template: str, **variables: Any) -> bytes:
    """Render a page."""
    return replace_surrogates(
        environment().get_template(template).render({"theme": AUTOMATIC} | variables)
    ).encode()
