"""The content of `headroom lookback`, independent of its format."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import median
from typing import NamedTuple

from monitor.fleet.fleet import Series
from monitor.lib.durations import format_duration
from monitor.lookback.backtest import Backtest, Foresight
from monitor.lookback.episodes import Episode
from monitor.lookback.lookback import WayResult
from monitor.lookback.notices import AlertSpan
from monitor.render.text import count_of
from monitor.report.lookback_scan import LookbackReport
from rules.alert_rules import Severity


class EpisodeOutcome(NamedTuple):
    """An episode, with its alert and its forecast.

    span: the alert that fired by the configuration; None: none did. foresight: None where no forecast was
    made.
    """

    episode: Episode
    series: Series
    span: AlertSpan | None
    foresight: Foresight | None

    @property
    def fired_after(self) -> int | None:
        """Minutes from the begin until an alert fired; below 0 if it fired before. None: none fired."""
        return self.span.begin - self.episode.begin if self.span else None


@dataclass(frozen=True, slots=True)
class SeriesEpisodes:
    """The episodes of one series, by begin."""

    series: Series
    episodes: Sequence[EpisodeOutcome]

    @property
    def worst(self) -> EpisodeOutcome:
        """The episode with most throttled demand, or else with the highest peak."""
        return max(self.episodes, key=lambda one: episode_severity(one.episode))

    @property
    def peak(self) -> float:
        """The highest utilization; NaN where none is known."""
        return max((one.episode.peak for one in self.episodes if not isnan(one.episode.peak)), default=nan)

    @property
    def longest(self) -> int:
        """Minutes of the longest episode."""
        return max(one.episode.minutes for one in self.episodes)

    @property
    def throttling(self) -> int:
        """The number of episodes in which demand was throttled."""
        return sum(one.episode.is_throttling for one in self.episodes)

    @property
    def throttled_demand(self) -> float | None:
        """Throttled demand in all; None where it is not known."""
        known = [
            one.episode.throttled_demand for one in self.episodes if not isnan(one.episode.throttled_demand)
        ]
        return sum(known) if known else None

    @property
    def foreseen(self) -> tuple[int, int]:
        """The number of episodes that were foreseen, and of those before which a forecast was made."""
        found = [one.foresight for one in self.episodes if one.foresight]
        return sum(one.lead is not None for one in found), len(found)


class WaySummary(NamedTuple):
    """The alerts of one way of judging.

    alerts: their number, by the highest severity of each. notices: their number. before: the number of
    episodes whose alert fired when they began or earlier. later: of those whose alert fired afterwards, and
    after how many minutes (median). without_alert: of those on which none fired.
    """

    name: str
    alerts: Mapping[Severity, int]
    notices: int
    before: int
    later: int
    later_minutes: float | None
    without_alert: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookbackSummary:
    """The content of a look-back. series: those with episodes, the worst first."""

    report: LookbackReport
    series: Sequence[SeriesEpisodes]
    ways: Sequence[WaySummary]

    @property
    def headline(self) -> str:
        """One sentence on what happened."""
        found = self.report.lookback
        throttling = sum(one.is_throttling for one in found.episodes)
        near = len(found.episodes) - throttling
        days = f"{found.days:.0f} days of {count_of(len(found.series), 'series')}"
        if not found.episodes:
            return f"In {days} nothing was throttled and nothing was near its limit."
        more = f", and {found.more_episodes:,} further ones" if found.more_episodes else ""
        return (
            f"In {days}: {count_of(throttling, 'episode')} of throttling and {near:,} of being near a limit"
            f"{more}, on {len(self.series):,} of them."
        )

    @property
    def foresight(self) -> str:
        """One or two sentences on how early forecasts would have foreseen the episodes."""
        return foresight_text(self.report.lookback.forecasts)

    @property
    def notes(self) -> Sequence[str]:
        """Sentences without which the rest can be misunderstood."""
        return [*_notes(self.report)]


def summarize_lookback(report: LookbackReport) -> LookbackSummary:
    """Summarize what happened."""
    found = report.lookback
    foresights = found.forecasts.foresights if found.forecasts else ()
    by_begin = {(one.slot, one.begin): one for one in foresights}
    spans = _SpanIndex(found.ways[0].spans)
    by_slot: dict[int, list[EpisodeOutcome]] = defaultdict(list)
    for episode in found.episodes:
        series = found.series[episode.slot]
        foresight = by_begin.get((episode.slot, episode.begin))
        by_slot[episode.slot].append(EpisodeOutcome(episode, series, spans.of(episode), foresight))
    grouped = [SeriesEpisodes(found.series[slot], some) for slot, some in by_slot.items()]
    return LookbackSummary(
        report=report,
        series=sorted(grouped, key=_urgency),
        ways=[_way_summary(way, found.episodes) for way in found.ways],
    )


def episode_severity(episode: Episode) -> tuple[bool, float, float, int]:
    """Return a sort key: throttling above being near, then by throttled demand, peak and length."""
    demand, peak = (0.0 if isnan(one) else one for one in (episode.throttled_demand, episode.peak))
    return episode.is_throttling, demand if episode.is_throttling else 0.0, peak, episode.minutes


def _urgency(one: SeriesEpisodes) -> tuple[bool, int, float, str]:
    """Return a sort key: throttling first, then the longest time, then the highest peak."""
    minutes = sum(outcome.episode.minutes for outcome in one.episodes)
    return not one.throttling, -minutes, -(0.0 if isnan(one.peak) else one.peak), one.series.key.id


class _SpanIndex:
    """Finds the alert of an episode."""

    def __init__(self, spans: Sequence[AlertSpan]) -> None:
        self._spans: dict[int, list[AlertSpan]] = defaultdict(list)
        for span in spans:
            self._spans[span.slot].append(span)
        self._begins = {slot: [span.begin for span in some] for slot, some in self._spans.items()}

    def of(self, episode: Episode) -> AlertSpan | None:
        """Return the alert that fired when an episode began, or the first one that began within it."""
        spans, begins = self._spans.get(episode.slot, []), self._begins.get(episode.slot, [])
        number = bisect_right(begins, episode.begin)
        before = spans[number - 1] if number else None
        if before and (before.end is None or before.end > episode.begin):
            return before
        after = spans[number] if number < len(spans) else None
        return after if after and after.begin < episode.end else None


def _way_summary(way: WayResult, episodes: Sequence[Episode]) -> WaySummary:
    spans = way.spans
    index = _SpanIndex(spans)
    found = [(index.of(episode), episode) for episode in episodes]
    after = [span.begin - episode.begin for span, episode in found if span]
    later = [minutes for minutes in after if minutes > 0]
    return WaySummary(
        name=way.name,
        alerts=Counter(span.severity for span in spans),
        notices=len(way.notices) + way.more,
        before=len(after) - len(later),
        later=len(later),
        later_minutes=median(later) if later else None,
        without_alert=len(found) - len(after),
    )


def foresight_text(forecasts: Backtest | None) -> str:
    """Return how early forecasts would have foreseen the episodes."""
    if forecasts is None:
        return "No forecast could be made: that takes two days of history, and later moments to compare with."
    count, foreseen = len(forecasts.foresights), forecasts.foreseen
    ahead = f", median {format_duration(median(foreseen) * 60)} ahead" if foreseen else ""
    alarms = count_of(forecasts.false_alarms, "false alarm")
    days = f"{forecasts.series_days:,.0f} series-days"
    text = f"Forecasts made of the data before would have foreseen {len(foreseen):,} "
    text += f"of {count_of(count, 'episode')}"
    text += f"{ahead}, with {alarms} in {days}."
    if forecasts.without_forecast:
        further = count_of(forecasts.without_forecast, "further episode")
        text += f" {further} began before there was enough history, or too soon after the one before."
    return text


def _notes(report: LookbackReport) -> Iterator[str]:
    found, plan = report.lookback, report.plan
    published = f", but for {found.published_limits:,} whose limit CloudWatch publishes for each minute"
    yield (
        "AWS's APIs do not tell limits of the past: usage is compared with the limit in force now"
        + (published if found.published_limits else "")
        + "."
    )
    all_days = found.days * len(found.series)
    yield f"Usage is known for {found.known_days:,.0f} of {all_days:,.0f} series-days."
    if found.without_samples:
        yield f"{count_of(found.without_samples, 'series')} had no sample."
    if plan.without_past:
        yield f"{count_of(plan.without_past, 'series')} are known from AWS's APIs alone, which keep no past."
    if plan.step > 1:
        yield f"Samples are means of {plan.step} minutes: shorter peaks do not show."
    yield (
        "Times are those of samples. A running Headroom notifies some minutes later, when CloudWatch has "
        "published them, and only as routes, silences and acknowledgements allow."
    )
    if found.forecasts:
        yield (
            f"A forecast was made every {found.forecasts.step} min whether demand would come near the limit, "
            "or as high as when some was throttled before; of series that never had half as much, once a day."
        )
