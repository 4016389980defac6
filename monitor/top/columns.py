"""The columns of the list of series."""

from rich.text import Text

from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.render.sparkline import LENGTH
from monitor.render.styles import STYLES
from monitor.top.bars import bar, sparkline_text
from monitor.top.snapshot import SeriesRow
from monitor.top.table import Column, ellipsize_middle
from monitor.top.text import duration_text, resource_name, signal_name, throttled_text, usage_and_limit
from rules.band import Zone

PERCENT_WIDTH = 7  # characters of a utilization as a number


def _zone(row: SeriesRow, width: int) -> Text:
    return Text(row.model.zone, STYLES[row.zone])


def _utilization(row: SeriesRow, width: int) -> Text:
    utilization = row.model.utilization
    if utilization is None:
        return Text("unknown".rjust(width), "dim")
    band = row.detail.model.band if row.detail else None
    return bar(utilization, band, row.zone, width - PERCENT_WIDTH).append(
        format_percent(utilization).rjust(PERCENT_WIDTH), "bold"
    )


def _history(row: SeriesRow, width: int) -> Text:
    return sparkline_text(row.detail.history, row.zone) if row.detail else Text()


def _usage(row: SeriesRow, width: int) -> Text:
    return Text(usage_and_limit(row.model))


def _throttled(row: SeriesRow, width: int) -> Text:
    rate = row.model.saturation
    calm_style = "dim" if rate is None else ""
    return Text(throttled_text(row.model), STYLES[Zone.SATURATED] if rate else calm_style)


def _since(row: SeriesRow, width: int) -> Text:
    return Text(duration_text(row.since, row.zone) if row.detail or row.alert else "")


def _forecast(row: SeriesRow, width: int) -> Text:
    forecast = row.model.forecast
    return Text(short_forecast(forecast.summary), "" if forecast.probability else "dim")


def short_forecast(summary: str) -> str:
    """Return a forecast without the words that are the same for most series: `in 3-5 h, 80 %`."""
    for words in ("reaches the limit ", "reaches the ", "is "):
        if summary.startswith(words):
            return summary.removeprefix(words)
    return summary


def _signal(row: SeriesRow, width: int) -> Text:
    full_name = signal_name(row.model)
    return Text(full_name if len(full_name) <= width else escape_unprintable(row.model.signal))


def _resource(row: SeriesRow, width: int) -> Text:
    return Text(ellipsize_middle(resource_name(row.model), width))


def _region(row: SeriesRow, width: int) -> Text:
    return Text(escape_unprintable(row.model.region))


def _account(row: SeriesRow, width: int) -> Text:
    return Text(
        escape_unprintable(row.detail.model.account_name if row.detail else "")
        or escape_unprintable(row.model.account)
    )


COLUMNS = (
    Column(name="zone", render=_zone, rank=0, width=12),
    Column(name="utilization", render=_utilization, rank=1, width=17),
    Column(name="three hours", render=_history, rank=8, width=LENGTH),
    Column(name="usage", render=_usage, rank=6, width=24, max_width=36),
    Column(name="throttled", render=_throttled, rank=3, width=9, align_right=True),
    Column(name="since", render=_since, rank=5, width=11),
    Column(name="forecast", render=_forecast, rank=7, width=16, max_width=24),
    Column(name="signal", render=_signal, rank=4, width=16, max_width=38),
    Column(name="resource", render=_resource, rank=2, width=18, max_width=36),
    Column(name="region", render=_region, rank=9, width=14),
    Column(name="account", render=_account, rank=10, width=12, max_width=20),
)
# The columns by sort key of the API, where the column has another name than the sort key.
COLUMN_BY_SORT = {
    "urgency": "zone",
    "saturation": "throttled",
    "reach": "forecast",
    "service": "signal",
}
