"""Numbers, names and times as the terminal shows them: in the page's words, with nothing that disturbs it."""

import time
from datetime import datetime

from collectors.base import ACCOUNT
from monitor.alerting.phrases import span
from monitor.api_models import Series
from monitor.report import printable
from monitor.units import amount
from monitor.web.overview import ranged, shortened
from rules.band import Zone


def usage(told: Series) -> str:
    """`3.5k of 4k requests/s`: what two numbers share of their unit is said once."""
    used = ranged(told.usage, told.at_most, told.unit)
    if told.limit is None:
        return printable(f"{used} of a limit not known")
    limit = amount(told.limit, told.unit)
    number, _, unit = used.partition(" ")
    same = unit == limit.partition(" ")[2] and not told.unit.startswith("bytes")
    return printable(f"{number if same else used} of {limit}")


def refused(told: Series) -> str:
    """Demand refused or kept waiting."""
    if told.saturation is None:
        return "not told"
    return amount(told.saturation, "/s") if told.saturation else "0"


def named(told: Series) -> str:
    """The resource."""
    return printable(told.resource) if told.resource != ACCOUNT else "whole account"


def called(told: Series) -> str:
    """The series, on about one line."""
    return f"{signal(told)} of {shortened(named(told))}"


def signal(told: Series) -> str:
    return printable(f"{told.service}.{told.signal}")


def lasted(since: float | None, zone: Zone) -> str:
    """For how long it has been so."""
    if since is None:
        return "over 3 h" if zone > Zone.STALE else "-"
    return span(time.time() - since)


def ago(moment: datetime | float | None) -> str:
    """When it was, by the clock here, and how long ago."""
    if moment is None:
        return "never"
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return f"{clock(seconds)}, {span(time.time() - seconds)} ago"


def clock(seconds: float) -> str:
    """The time of day here; with the date where that is not today's."""
    at, now = datetime.fromtimestamp(seconds), datetime.now()
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%d %b %H:%M}"
