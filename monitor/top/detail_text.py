"""One series as text: its state, the source of its limit, remedies, and its alert."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitor.api.alert_models import AlertModel
from monitor.lib.partitions import partition_of
from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.render.styles import STYLES
from monitor.render.text import HANDLING_TEXTS, SOURCE_TEXTS
from monitor.top.detail import SeriesDetail
from monitor.top.text import duration_text, resource_name, throttled_text, time_and_age, usage_and_limit

HEADING_STYLE = "bold underline"
SAMPLE_SOURCES = {"stream": ", by stream", "poll": ", by poll", None: ""}


def heading_text(detail: SeriesDetail, alert: AlertModel | None) -> Text:
    """Return the name of the series and its current state."""
    model = detail.model
    location = f"{model.account_name or model.account} · {model.region} · {model.service}.{model.signal}"
    since = alert.since.timestamp() if alert else detail.since
    duration, utilization = duration_text(since, detail.zone), format_percent(model.utilization)
    state = f" for {duration}: {utilization}, {usage_and_limit(model)}"
    alert_state = "no alert"
    if alert:
        alert_state = ", ".join([f"alert {alert.state}", alert.severity, *handling_phrases(alert)])
    return Text.assemble(
        (resource_name(model), "bold"),
        f"  {escape_unprintable(model.catalogue_entry.title)}\n",
        (escape_unprintable(location), "dim"),
        "\n",
        (model.zone, STYLES[detail.zone]),
        escape_unprintable(f"{state}{headroom_text(detail)}; throttled {throttled_text(model)}"),
        "\n",
        escape_unprintable(alert_state),
    )


def headroom_text(detail: SeriesDetail) -> str:
    """Return the headroom, limit minus usage, as a phrase; empty when either is unknown."""
    model = detail.model
    if model.utilization is None or model.limit is None or model.usage is None:
        return ""
    headroom = model.limit - model.usage
    return f"; headroom {detail.unit.format(headroom) if headroom > 0 else '0'}"


@dataclass(frozen=True, slots=True)
class DetailSection:
    """A heading and the text below it. Each command has a line of its own, so that it can be copied."""

    heading: str
    lines: Sequence[str]
    commands: Sequence[str] = ()


def detail_text(detail: SeriesDetail, alert: AlertModel | None) -> Text:
    """Return the remedies, limit, caveats, alert and links of a series."""
    text = Text()
    for section in _sections(detail, alert):
        text.append(f"{section.heading}\n", HEADING_STYLE)
        for line in section.lines:
            text.append(f"{escape_unprintable(line)}\n")
        for command in section.commands:
            text.append(f"  {escape_unprintable(command)}\n", "bold")
        text.append("\n")
    return text


def _sections(detail: SeriesDetail, alert: AlertModel | None) -> Iterator[DetailSection]:
    model, entry = detail.model, detail.model.catalogue_entry
    if cause := model.unobservable:
        yield DetailSection(
            "Usage is only bounded" if model.bounded else "Unobservable",
            [cause.reason],
            [*filter(None, (cause.enable_command, cause.enable_cost))],
        )
    remedies = [f"{number}. {remedy}" for number, remedy in enumerate(entry.remedy, 1)]
    yield DetailSection("Remedies", [entry.why, *remedies], [detail.command] if detail.command else [])
    yield DetailSection("Limit", list(_limit_lines(detail)))
    if entry.caveats:
        yield DetailSection("Caveats", [f"- {caveat}" for caveat in entry.caveats])
    yield DetailSection("Alert", list(_alert_lines(detail, alert)))
    docs = map(partition_of(model.aws_region).localized_url, entry.docs)
    links = {
        **(alert.links if alert else {}),
        **{f"documentation {number}": url for number, url in enumerate(docs, 1)},
    }
    yield DetailSection("Links", [f"{name}: {url}" for name, url in links.items()])


def _limit_lines(detail: SeriesDetail) -> Iterator[str]:
    model, limit, band = detail.model, detail.limit, detail.model.band
    if limit:
        value, kind = detail.unit.format(limit.value), model.catalogue_entry.kind
        yield f"{value} ({kind}): {SOURCE_TEXTS[limit.source]}"
        yield f"Source: {limit.source}, read {time_and_age(limit.read_at)}"
        low, high, near = (
            f"{format_percent(edge)} ({detail.unit.format(limit.value * edge)})"
            for edge in (band.low, band.high, band.near)
        )
        yield f"Target band: {low} to {high}; near the limit from {near}"
    else:
        yield "The limit is unknown."
    yield from _forecast_lines(detail)
    if model.quota_request:
        yield f"Requested: {model.quota_request.summary}"
    if model.largest:
        yield f"Largest of all: {model.largest}"
    yield f"Newest sample: {time_and_age(model.sampled_at)}{SAMPLE_SOURCES[model.sample_source]}"
    yield f"Throttling: {model.catalogue_entry.saturation}"
    if model.tags:
        yield "Tags: " + ", ".join(f"{name}={value}" for name, value in model.tags.items())


def _forecast_lines(detail: SeriesDetail) -> Iterator[str]:
    forecast = detail.model.forecast
    if forecast.effective_ceiling is not None:
        ceiling = detail.unit.format(forecast.effective_ceiling)
        yield f"Effective ceiling: {ceiling}, inferred: demand was throttled at this usage in 14 days"
    if forecast.summary:
        chances = [f"{100 * chance:.0f} % within {period}" for period, chance in forecast.probability.items()]
        chances_text = f" ({', '.join(chances)})" if chances else ""
        yield f"Forecast: {forecast.summary}{chances_text}"


def _alert_lines(detail: SeriesDetail, alert: AlertModel | None) -> Iterator[str]:
    yield f"{alert.state} since {time_and_age(alert.since)}" if alert else "No alert."
    for notice in detail.notices:
        yield f"{time_and_age(notice.at)}: {notice.kind}: {notice.summary}"


def handling_phrases(alert: AlertModel) -> list[str]:
    """Return a phrase for each cause that suppresses notifications, such as `acknowledged by ada`."""
    return [f"{phrase} {value}" for name, phrase in HANDLING_TEXTS.items() if (value := getattr(alert, name))]
