"""The summary as one self-contained HTML page: no script and no request; light, dark and print styles."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.lib.version import VERSION
from monitor.render.jinja import html_environment
from monitor.render.svg import utilization_bar, utilization_sparkline
from monitor.render.text import dollars, time_element
from monitor.report.check_tables import forecast_text
from monitor.report.summary import Summary, SummaryRow

ZONE_MEANINGS = {
    "saturated": "demand is throttled now",
    "near": "at or near the limit",
    "above": "above the target band",
    "within": "in the target band",
    "below": "below the target band",
    "stale": "no recent sample",
    "unobservable": "AWS does not report the usage",
}


def bar_svg(row: Row) -> Markup:
    """Return the utilization of a row as a bar."""
    return utilization_bar(row.utilization, row.band, row.zone.word)


def sparkline_svg(entry: SummaryRow) -> Markup:
    """Return the last three hours of a series as a small chart."""
    return utilization_sparkline(entry.history.utilization, entry.history.throttled, entry.row.band)


def long_timestamp(seconds: float) -> str:
    """Return a time in epoch seconds as text in UTC, with its year."""
    return f"{datetime.fromtimestamp(seconds, UTC):%d %B %Y, %H:%M UTC}"


@cache
def template_environment() -> Environment:
    """Return the Jinja environment of the page, with its filters and globals."""
    environment = html_environment(Path(__file__).parent)
    filters = (
        long_timestamp,
        dollars,
        bar_svg,
        sparkline_svg,
        time_element,
        format_percent,
        escape_unprintable,
        forecast_text,
    )
    environment.filters |= {function.__name__: function for function in filters}
    environment.globals |= {"version": VERSION, "zone_meanings": ZONE_MEANINGS}
    return environment


def as_html(summary: Summary) -> str:
    """Return the HTML page."""
    return template_environment().get_template("page.html").render(summary=summary, scan=summary.scan)
