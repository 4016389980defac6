"""The summary as one HTML page that needs nothing else: no script, no request; light, dark and on paper."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.report import printable, used
from monitor.rows import Row, signal_of
from monitor.strokes import bar, spark
from monitor.summary.summary import Line, Summary, name
from monitor.telemetry import VERSION
from monitor.units import amount, percent
from monitor.web.shell import dollars, moment

MEANING = {
    "saturated": "demand is refused now",
    "critical": "at the limit, or nearly",
    "above": "above the target band",
    "within": "as wanted",
    "below": "below the target band",
    "stale": "no recent sample",
    "unobservable": "cannot be seen",
}


def drawn_bar(row: Row) -> Markup:
    return bar(row.utilization, row.band, row.zone.word)


def drawn_spark(line: Line) -> Markup:
    return spark(line.course.utilization, line.course.saturation, line.row.band)


def day(seconds: float) -> str:
    """A moment with its year."""
    return f"{datetime.fromtimestamp(seconds, UTC):%d %B %Y, %H:%M UTC}"


@cache
def environment() -> Environment:
    """The template, with automatic escaping."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters = (
        amount,
        day,
        dollars,
        drawn_bar,
        drawn_spark,
        moment,
        name,
        percent,
        printable,
        signal_of,
        used,
    )
    made.filters |= {one.__name__: one for one in filters}
    made.globals |= {"version": VERSION, "meaning": MEANING}
    return made


def as_html(summary: Summary) -> str:
    return environment().get_template("page.html").render(summary=summary, look=summary.look)
