"""The formats of `headroom lookback`: a table for people, JSON and an HTML page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.text import Text

from monitor.fleet.fleet import Series
from monitor.lib.durations import format_duration
from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.lookback.notices import AlertSpan, PastNotice
from monitor.render.styles import STYLES
from monitor.report.html import template_environment
from monitor.report.lookback_summary import (
    EpisodeOutcome,
    LookbackSummary,
    SeriesEpisodes,
    WaySummary,
)
from monitor.report.terminal import console_of, print_table
from rules.alert_rules import Severity
from rules.band import Zone

MAX_SERIES, MAX_EPISODES = 40, 15  # the maximum numbers listed for people
SERIES_COLUMNS = (
    "episodes",
    "throttled",
    "longest",
    "peak",
    "demand throttled",
    "foreseen",
    "signal",
    "resource",
    "location",
)
EPISODE_COLUMNS = (
    "began (UTC)",
    "length",
    "peak",
    "usage of limit",
    "demand throttled",
    "alert",
    "foreseen",
    "signal",
    "resource",
)
WAY_COLUMNS = (
    "way",
    *Severity,
    "notices",
    "episodes with an alert from the start",
    "with a later alert",
    "without an alert",
)
NUMERIC_COLUMNS = {*SERIES_COLUMNS[:6], *EPISODE_COLUMNS[1:3], "demand throttled", *WAY_COLUMNS[1:]}


def moment(minute: int) -> str:
    """Return a minute since 1970 as text for people, in UTC."""
    return f"{datetime.fromtimestamp(minute * 60, UTC):%d %b %H:%M}"


def duration(minutes: float) -> str:
    """Return minutes as text."""
    return format_duration(minutes * 60)


def throttled_demand_text(series: Series, amount: float | None) -> str:
    """Return an amount of throttled demand as text; a dash if CloudWatch does not count throttled demand."""
    if amount is None or isnan(amount) or series.settings.signal.saturation_is_state:
        return "-"
    return f"{amount:,.0f}"


def peak_text(peak: float) -> str:
    """Return a utilization as text; a dash if it is not known."""
    return "-" if isnan(peak) else format_percent(peak)


def alert_text(outcome: EpisodeOutcome) -> str:
    """Return the severity of an episode's alert, and when it fired relative to the episode's begin."""
    minutes = outcome.fired_after
    if outcome.span is None or minutes is None:
        return "none"
    if not minutes:
        return f"{outcome.span.severity} at its start"
    return f"{outcome.span.severity} {duration(abs(minutes))} {'before' if minutes < 0 else 'after'}"


def foreseen_text(outcome: EpisodeOutcome) -> str:
    """Return how long before an episode a forecast foresaw it."""
    if outcome.foresight is None:
        return "-"
    return "no" if outcome.foresight.lead is None else f"{duration(outcome.foresight.lead)} ahead"


def usage_text(outcome: EpisodeOutcome) -> str:
    """Return the usage at an episode's peak and the limit, as text."""
    episode, unit = outcome.episode, outcome.series.settings.signal.unit
    if isnan(episode.usage) or isnan(episode.limit):
        return "-"
    return unit.format_fraction(episode.usage, episode.limit)


def series_texts(entry: SeriesEpisodes) -> tuple[str, ...]:
    """Return the episodes of a series as tables show them, in the order of SERIES_COLUMNS."""
    key, forecast_count = entry.series.key, entry.forecast_count
    return (
        f"{len(entry.episodes):,}",
        f"{entry.throttled_count:,}",
        duration(entry.longest_minutes),
        peak_text(entry.peak),
        throttled_demand_text(entry.series, entry.throttled_demand),
        f"{entry.foreseen_count:,} of {forecast_count:,}" if forecast_count else "-",
        f"{key.service}.{key.signal}",
        key.display_name,
        f"{key.account}/{key.region}",
    )


def episode_texts(outcome: EpisodeOutcome) -> tuple[str, ...]:
    """Return an episode as tables show it, in the order of EPISODE_COLUMNS."""
    episode, key = outcome.episode, outcome.series.key
    return (
        moment(episode.begin),
        duration(episode.minutes) + (" so far" if episode.ongoing else ""),
        peak_text(episode.peak),
        usage_text(outcome),
        throttled_demand_text(outcome.series, episode.throttled_demand) if episode.is_throttling else "-",
        alert_text(outcome),
        foreseen_text(outcome),
        f"{key.service}.{key.signal}",
        key.display_name,
    )


def way_texts(way: WaySummary) -> tuple[str, ...]:
    """Return the alerts of one way of judging as tables show them, in the order of WAY_COLUMNS."""
    later = f"{way.alerted_later:,}"
    later += f" (median {duration(way.later_minutes)} after)" if way.later_minutes is not None else ""
    alerts = (f"{way.alerts.get(severity, 0):,}" for severity in Severity)
    return (
        way.name,
        *alerts,
        f"{way.notices:,}",
        f"{way.alerted_by_begin:,}",
        later,
        f"{way.without_alert:,}",
    )


def worst_episodes(summary: LookbackSummary) -> list[EpisodeOutcome]:
    """Return the worst episode of each of the worst series, ordered by the episodes' begin."""
    return sorted(
        (entry.worst for entry in summary.series[:MAX_EPISODES]), key=lambda outcome: outcome.episode.begin
    )


def write_lookback_table(summary: LookbackSummary, out: TextIO) -> None:
    """Write the summary as text; in piped output, each row of a table is one line."""
    console = console_of(out)
    console.print(Text(summary.headline, "bold"))
    console.print(Text(summary.foresight))
    if summary.series:
        _print_series(console, summary)
        _print_episodes(console, "The worst episode of each series", worst_episodes(summary))
    _print_ways(console, summary.ways)
    lists = {
        "What to know": summary.notes,
        "Failed reads of AWS": summary.report.failures.listed_sentences,
    }
    for title, lines in lists.items():
        if lines:
            console.print(Text(f"\n{title}", "bold"))
        for line in lines:
            console.print(Text(escape_unprintable(f"- {line}")))


def _unlisted_line(number: int) -> Iterator[str]:
    if number > 0:
        yield f"{number:,} more; `--format json` lists all"


def _print_series(console: Console, summary: LookbackSummary) -> None:
    console.print(Text("\nSeries with episodes", "bold"))
    rows = [_series_row(entry) for entry in summary.series[:MAX_SERIES]]
    print_table(console, SERIES_COLUMNS, rows, NUMERIC_COLUMNS)
    for line in _unlisted_line(len(summary.series) - MAX_SERIES):
        console.print(Text(line))


def _series_row(entry: SeriesEpisodes) -> list[Text]:
    style = STYLES[Zone.SATURATED if entry.throttled_count else Zone.NEAR]
    episode_count, *texts = map(escape_unprintable, series_texts(entry))
    return [Text(episode_count, style), *map(Text, texts)]


def _print_episodes(console: Console, title: str, episodes: Sequence[EpisodeOutcome]) -> None:
    console.print(Text(f"\n{title}", "bold"))
    rows = [[*map(Text, map(escape_unprintable, episode_texts(outcome)))] for outcome in episodes]
    print_table(console, EPISODE_COLUMNS, rows, NUMERIC_COLUMNS)


def _print_ways(console: Console, ways: Sequence[WaySummary]) -> None:
    console.print(Text("\nAlerts that would have fired, by their highest severity", "bold"))
    print_table(console, WAY_COLUMNS, [[*map(Text, way_texts(way))] for way in ways], NUMERIC_COLUMNS)


def timestamp(minute: int) -> str:
    """Return a minute since 1970 in ISO 8601."""
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _known_number(value: float | None) -> float | None:
    """Return a number for JSON: None instead of NaN."""
    return None if value is None or isnan(value) else value


def episode_record(outcome: EpisodeOutcome) -> dict[str, Any]:
    """Return an episode as a JSON object, with the names of /api/v1/look-back.

    Times are in UTC, leads and lengths in minutes.
    """
    episode, foresight, series = outcome.episode, outcome.foresight, outcome.series
    is_uncounted = series.settings.signal.saturation_is_state  # CloudWatch counts no throttled demand
    return {
        "series_id": series.key.id,
        "resource_id": series.key.subject.id,
        **series.key.labels,
        "kind": "throttled" if episode.is_throttling else "near",
        "begin": timestamp(episode.begin),
        "end": timestamp(episode.end),
        "minutes": episode.minutes,
        "ongoing": episode.ongoing,
        "throttled_minutes": episode.throttled_minutes,
        "peak_utilization": _known_number(episode.peak),
        "usage": _known_number(episode.usage),
        "limit": _known_number(episode.limit),
        "unit": series.settings.signal.unit.name,
        "throttled_demand": _known_number(None if is_uncounted else episode.throttled_demand),
        "alert": outcome.span and _span_record(outcome.span),
        "forecast_made": foresight is not None,
        "forecast_lead_minutes": foresight and foresight.lead,
    }


def _span_record(span: AlertSpan) -> dict[str, Any]:
    return {
        "fired": timestamp(span.begin),
        "ended": None if span.end is None else timestamp(span.end),
        "severity": span.severity,
    }


def notice_record(notice: PastNotice, series: Mapping[int, Series]) -> dict[str, Any]:
    """Return a notice as a JSON object."""
    labels = series[notice.slot].key.labels
    return {
        "at": timestamp(notice.minute),
        "kind": notice.kind,
        "severity": notice.severity,
        "zone": notice.zone.word,
        **labels,
    }


def document(summary: LookbackSummary) -> dict[str, Any]:
    """Return all results of a look-back as a JSON object."""
    report = summary.report
    lookback = report.lookback
    forecasts = lookback.forecasts
    episodes = [episode_record(outcome) for entry in summary.series for outcome in entry.episodes]
    return {
        "items": episodes,
        "total": len(episodes) + lookback.unlisted_episode_count,
        "begin": timestamp(lookback.minutes.start),
        "end": timestamp(lookback.minutes.stop),
        "series": len(lookback.series),
        "series_without_samples": lookback.without_samples_count,
        "series_without_past": report.plan.without_past_count,
        "known_series_days": round(lookback.known_days, 3),
        "metrics_requested": report.plan.metric_count,
        "cost_dollars": report.cost_dollars,
        "ways": [
            {
                "name": way.name,
                "alerts": {str(severity): way.alerts.get(severity, 0) for severity in Severity},
                "episodes_with_alert_by_begin": way.alerted_by_begin,
                "episodes_with_later_alert": way.alerted_later,
                "median_minutes_later": way.later_minutes,
                "episodes_without_alert": way.without_alert,
                "notices": [notice_record(notice, lookback.series) for notice in result.notices],
                "more_notices": result.unlisted_notice_count,
            }
            for way, result in zip(summary.ways, lookback.ways, strict=True)
        ],
        "forecasts": forecasts
        and {
            "episodes": len(forecasts.foresights),
            "foreseen": len(forecasts.leads),
            "median_lead_minutes": forecasts.median_lead,
            "episodes_without_forecast": forecasts.without_forecast,
            "false_alarms": forecasts.false_alarms,
            "series_days": round(forecasts.series_days, 3),
            "step_minutes": forecasts.step,
        },
        "notes": summary.notes,
        "failures": report.failures.by_failure,
    }


def write_lookback_json(summary: LookbackSummary, out: TextIO) -> None:
    """Write one document with every episode and every notice that would have been sent."""
    out.write(orjson.dumps(document(summary), option=orjson.OPT_INDENT_2).decode() + "\n")


def write_lookback_html(summary: LookbackSummary, out: TextIO) -> None:
    """Write one self-contained page."""
    page = template_environment().get_template("lookback.html")
    out.write(
        page.render(
            summary=summary,
            report=summary.report,
            series_columns=SERIES_COLUMNS,
            series=[(entry.throttled_count, series_texts(entry)) for entry in summary.series],
            episode_columns=EPISODE_COLUMNS,
            episodes=[
                (outcome.episode.is_throttling, episode_texts(outcome)) for outcome in worst_episodes(summary)
            ],
            way_columns=WAY_COLUMNS,
            ways=[way_texts(way) for way in summary.ways],
            numeric=NUMERIC_COLUMNS,
        )
    )


LOOKBACK_FORMATS: Mapping[str, Callable[[LookbackSummary, TextIO], None]] = {
    "table": write_lookback_table,
    "json": write_lookback_json,
    "html": write_lookback_html,
}
