"""What all pages share: the templates and what they may call, headers, and the assets."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.alerting.phrases import span
from monitor.telemetry import VERSION
from monitor.text import encodable
from monitor.units import amount, percent
from rules.band import Zone
from rules.limits import catalogue

FOLDER = Path(__file__).parent
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
NOT_SEEN = "not seen"  # said of a cell or service where AWS lets us see nothing
POLICY = "; ".join(
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
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with less, browsers hide the Origin of a form
    "Cross-Origin-Opener-Policy": "same-origin",
}
WORST_FIRST = tuple(sorted(Zone, reverse=True))


@cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """The files that pages refer to, by name, each with its media type."""
    files = (path for path in (FOLDER / "static").iterdir() if path.suffix in TYPES)
    return {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in files}


@cache
def asset(name: str) -> str:
    """The address of an asset; another one once its content is."""
    return f"/static/{name}?v={sha256(assets()[name][0]).hexdigest()[:12]}"


def moment(seconds: float | None) -> str:
    """A time in epoch seconds: in UTC, until the script shows it in the viewer's zone."""
    if seconds is None:
        return "never"
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%d %b %H:%M} UTC</time>').format(at, at)


def title_of(service: str) -> str:
    """What AWS calls a service."""
    known = catalogue().get(service)
    return known.title if known else service


def page_of(url: str) -> str:
    """What a page of the documentation is about, from its address: `http api throttling`."""
    return url.rstrip("/").rpartition("/")[2].removesuffix(".html").replace("-", " ").replace("_", " ")


def dollars(amount: float) -> str:
    """US dollars, with as many digits as say something."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.3g}"


@cache
def environment() -> Environment:
    """The templates, with automatic escaping."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "amount": amount,
        "percent": percent,
        "moment": moment,
        "span": span,
        "dollars": dollars,
        "title_of": title_of,
        "page_of": page_of,
    }
    made.globals |= {"now": lambda: int(time.time())}
    made.globals |= {"asset": asset, "zones": WORST_FIRST, "version": VERSION, "not_seen": NOT_SEEN}
    return made


def render(template: str, **facts: Any) -> bytes:
    """One page."""
    return encodable(environment().get_template(template).render(facts)).encode()
