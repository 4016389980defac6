"""A series in words: where it stands, why its limit is what it is, what to do, and its alert."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitor.api_alert_models import AlertModel
from monitor.cli_alerts import CARE
from monitor.report import STYLES, printable
from monitor.top.closeup import Closeup
from monitor.top.words import ago, lasted, named, refused, usage
from monitor.units import amount, percent
from monitor.web.detail import SOURCES

HEADING = "bold underline"
STORY = 10  # notices of its alert
CAME_BY = {"stream": ", by stream", "poll": ", by poll", None: ""}


def title(closeup: Closeup, alert: AlertModel | None) -> Text:
    """Which series it is, and where it stands now."""
    told = closeup.told
    where = f"{told.account_name or told.account} · {told.region} · {told.service}.{told.signal}"
    since = alert.since.timestamp() if alert else closeup.since
    now = f" for {lasted(since, closeup.zone)}: {percent(told.utilization)}, {usage(told)}"
    return Text.assemble(
        (named(told), "bold"),
        f"  {printable(told.about.title)}\n",
        (printable(where), "dim"),
        "\n",
        (told.zone, STYLES[closeup.zone]),
        printable(f"{now}{left(closeup)}; refused {refused(told)}"),
        "\n",
        printable(", ".join([f"alert {alert.state}", alert.severity, *care(alert)]) if alert else "no alert"),
    )


def left(closeup: Closeup) -> str:
    """Limit less usage, once both are known."""
    told = closeup.told
    if told.utilization is None or told.limit is None or told.usage is None:
        return ""
    headroom = told.limit - told.usage
    return f"; {amount(headroom, told.unit) if headroom > 0 else 'nothing'} left"


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what is below it; commands are on a line of their own, to be copied."""

    heading: str
    lines: Sequence[str]
    commands: Sequence[str] = ()


def facts(closeup: Closeup, alert: AlertModel | None) -> Text:
    """All that is known of a series, but for what the chart shows."""
    text = Text()
    for part in _parts(closeup, alert):
        text.append(f"{part.heading}\n", HEADING)
        for line in part.lines:
            text.append(f"{printable(line)}\n")
        for command in part.commands:
            text.append(f"  {printable(command)}\n", "bold")
        text.append("\n")
    return text


def _parts(closeup: Closeup, alert: AlertModel | None) -> Iterator[Part]:
    told, about = closeup.told, closeup.told.about
    if hidden := told.unobservable:
        yield Part("Not judged", [hidden.reason], [hidden.enable] if hidden.enable else [])
    remedy = [f"{number}. {one}" for number, one in enumerate(about.remedy, 1)]
    yield Part("What to do", [about.why, *remedy], [closeup.command] if closeup.command else [])
    yield Part("Why this limit", list(_limit(closeup)))
    if about.caveats:
        yield Part("Mind", [f"- {one}" for one in about.caveats])
    yield Part("Its alert", list(_alert(closeup, alert)))
    links = {
        **(alert.links if alert else {}),
        **{f"AWS documentation {number}": url for number, url in enumerate(about.docs, 1)},
    }
    yield Part("Read more", [f"{name}: {url}" for name, url in links.items()])


def _limit(closeup: Closeup) -> Iterator[str]:
    told, limit, band = closeup.told, closeup.limit, closeup.told.band
    if limit:
        yield f"{amount(limit.value, told.unit)} ({told.about.kind}): {SOURCES[limit.source]}"
        yield f"Source: {limit.source}, read {ago(limit.read_at)}"
        low, high, critical = (
            f"{percent(edge)} ({amount(limit.value * edge, told.unit)})"
            for edge in (band.low, band.high, band.critical)
        )
        yield f"Target band: {low} to {high}; critical from {critical}"
    else:
        yield "It is not known."
    yield f"Newest sample: {ago(told.sampled_at)}{CAME_BY[told.sample_source]}"
    yield f"How refusals show: {told.about.saturation}"
    if told.tags:
        yield "Tags: " + ", ".join(f"{name}={value}" for name, value in told.tags.items())


def _alert(closeup: Closeup, alert: AlertModel | None) -> Iterator[str]:
    yield f"{alert.state} since {ago(alert.since)}" if alert else "No alert fires."
    for one in closeup.history[:STORY]:
        yield f"{ago(one.at)}: {one.kind}: {one.summary}"


def care(alert: AlertModel) -> list[str]:
    """What was said of an alert."""
    return [f"{what} {who}" for name, what in CARE.items() if (who := getattr(alert, name))]
