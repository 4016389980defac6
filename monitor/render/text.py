"""Times, amounts of money, names and sources as text for pages, reports and terminals."""

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

from rules.limits import LimitSource
from rules.units import PER_SECOND, Unit, parse_unit

SOURCE_TEXTS: Mapping[LimitSource, str] = {
    LimitSource.OVERRIDE: "set in Headroom's configuration",
    LimitSource.METRIC: "published by CloudWatch, for each minute",
    LimitSource.API: "read from the service's API",
    LimitSource.APPLIED: "the value that Service Quotas applies to this account",
    LimitSource.DEFAULT: "Service Quotas' default for new accounts",
    LimitSource.DOCUMENTED: "documented by AWS; no closer source could be read",
}

HANDLING_TEXTS = {  # by field of an alert in the API
    "acknowledged_by": "acknowledged by",
    "silenced_by": "silenced by",
    "inhibited_by": "inhibited by",
}
MAX_NAME_LENGTH = 96  # characters of a resource's name in a list

OptionalNumber = float | None


def time_element(seconds: float | None) -> str:
    """Return a time element of epoch seconds, in UTC, or `never` for None.

    The pages' script shows the time in the viewer's time zone.
    """
    if seconds is None:
        return "never"
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%d %b %H:%M} UTC</time>').format(at, at)


def dollars(amount: float) -> str:
    """Return an amount of US dollars: with cents, or below one dollar with three significant digits."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.3g}"


def shorten(name: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return a name, with an ellipsis in place of its middle if it is longer than `max_length` characters."""
    half = max_length // 2
    return name if len(name) <= max_length else f"{name[:half]} … {name[-half:]}"


def format_rate(rate: float) -> str:
    """Return a rate as text without the name of its unit: `12.5 /s`."""
    return PER_SECOND.format(rate)


def per_request_text(unit: Unit, amount: float) -> str:
    """Return the amount that one request uses, without the `/s` of a limit: `0.4 write units`."""
    return parse_unit(str(unit).removesuffix("/s")).format(amount)


def usage_of_limit(
    unit: Unit, usage: float | None, upper_bound: float | None, limit: float | None, bounded: bool
) -> str:
    """Return usage and limit as text: `3.5k of 4k requests/s`.

    bounded: whether the usage is known only by its bounds; see `Unit.format_range`.
    """
    if usage is not None and limit is not None and not bounded:
        return unit.format_fraction(usage, limit)
    limit_text = "an unknown limit" if limit is None else unit.format(limit)
    return f"{unit.format_range(usage, upper_bound, bounded)} of {limit_text}"
