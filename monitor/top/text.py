"""Numbers, names and times as text; control characters in names are escaped."""

import time
from datetime import datetime

from monitor.api.models import SeriesModel
from monitor.fleet.key import WHOLE_ACCOUNT
from monitor.lib.durations import format_duration
from monitor.lib.text import escape_unprintable
from monitor.render.text import format_rate, shorten, usage_of_limit
from rules.band import Zone
from rules.units import unit_named


def usage_and_limit(series: SeriesModel) -> str:
    """Return usage and limit, such as `3.5k of 4k requests/s`."""
    unit = unit_named(series.unit)
    text = usage_of_limit(unit, series.usage, series.upper_bound, series.limit, series.bounded)
    return escape_unprintable(text)


def throttled_text(series: SeriesModel) -> str:
    """Return the throttled demand per second."""
    if series.saturation is None:
        return "unknown"
    return format_rate(series.saturation) if series.saturation else "0"


def resource_name(series: SeriesModel) -> str:
    """Return the name of the resource, or words for a limit of the whole account."""
    return escape_unprintable(series.resource) or WHOLE_ACCOUNT


def series_name(series: SeriesModel) -> str:
    """Return signal and resource, with a long name shortened to about one line."""
    return f"{signal_name(series)} of {shorten(resource_name(series))}"


def signal_name(series: SeriesModel) -> str:
    """Return the signal with its service, such as `kinesis.stream_write_bytes`."""
    return escape_unprintable(f"{series.service}.{series.signal}")


def duration_text(since: float | None, zone: Zone) -> str:
    """Return how long a series has been in its zone.

    since: when the zone began; None if before the known history, which is `over 3 h`, or `-` for a stale or
    unobservable series.
    """
    if since is None:
        return "over 3 h" if zone > Zone.STALE else "-"
    return format_duration(time.time() - since)


def time_and_age(at: datetime | float | None) -> str:
    """Return a datetime, or epoch seconds, as local time with its age; `never` for None."""
    if at is None:
        return "never"
    seconds = at.timestamp() if isinstance(at, datetime) else at
    return f"{time_text(seconds)}, {format_duration(time.time() - seconds)} ago"


def time_text(seconds: float) -> str:
    """Return the local time of day, with the date unless it is today."""
    at, now = datetime.fromtimestamp(seconds), datetime.now()
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%d %b %H:%M}"
