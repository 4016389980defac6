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
from monitor.report.lookback_scan import LookbackReport
from rules.alert_rules import Severity
from rules.plurals import agreeing, count_of


class EpisodeOutcome(NamedTuple):
    """An episode, with its alert and its forecast.

    span: the alert that would have fired with the configuration; None if no alert would have fired.
    foresight: the forecasts before the episode; None if no forecast was made.
    """

    episode: Episode
    series: Series
    span: AlertSpan | None
    foresight: Foresight | None

    @property
    def fired_after(self) -> int | None:
        """Minutes from the episode's begin to its alert, negative if it fired before; None without alert."""
        return self.span.begin - self.episode.begin if self.span else None


@dataclass(frozen=True, slots=True)
class SeriesEpisodes:
    """The episodes of one series, by begin."""

    series: Series
    episodes: Sequence[EpisodeOutcome]

    @property
    def worst(self) -> EpisodeOutcome:
        """The worst episode: see `episode_sort_key`."""
        return max(self.episodes, key=lambda outcome: episode_sort_key(outcome.episode))

    @property
    def peak(self) -> float:
        """The highest utilization; NaN if none is known."""
        peaks = (outcome.episode.peak for outcome in self.episodes)
        return max((peak for peak in peaks if not isnan(peak)), default=nan)

    @property
    def longest_minutes(self) -> int:
        """Minutes of the longest episode."""
        return max(outcome.episode.minutes for outcome in self.episodes)

    @property
    def throttled_count(self) -> int:
        """The number of episodes in which demand was throttled."""
        return sum(outcome.episode.is_throttling for outcome in self.episodes)

    @property
    def throttled_demand(self) -> float | None:
        """The total of throttled demand; None if it is not known."""
        amounts = (outcome.episode.throttled_demand for outcome in self.episodes)
        known_amounts = [amount for amount in amounts if not isnan(amount)]
        return sum(known_amounts) if known_amounts else None

    @property
    def forecast_count(self) -> int:
        """The number of episodes with a forecast before them."""
        return sum(outcome.foresight is not None for outcome in self.episodes)

    @property
    def foreseen_count(self) -> int:
        """The number of episodes that a forecast before them foresaw."""
        foresights = (outcome.foresight for outcome in self.episodes)
        return sum(foresight is not None and foresight.lead is not None for foresight in foresights)


class WaySummary(NamedTuple):
    """The alerts of one way of judging: the configured one, or one to compare with it.

    alerts: the number of alerts, by their highest severity.
    notices: the number of notices.
    alerted_by_begin: the number of episodes whose alert fired when the episode began or earlier.
    alerted_later: the number of episodes whose alert fired after their begin.
    later_minutes: the median of the minutes from begin to alert, over `alerted_later`; None if that is 0.
    without_alert: the number of episodes without an alert.
    """

    name: str
    alerts: Mapping[Severity, int]
    notices: int
    alerted_by_begin: int
    alerted_later: int
    later_minutes: float | None
    without_alert: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookbackSummary:
    """The content of `headroom lookback`. series: the series with episodes, the worst first."""

    report: LookbackReport
    series: Sequence[SeriesEpisodes]
    ways: Sequence[WaySummary]

    @property
    def headline(self) -> str:
        """One sentence with the numbers of episodes."""
        lookback = self.report.lookback
        throttling = sum(episode.is_throttling for episode in lookback.episodes)
        near = len(lookback.episodes) - throttling
        days = f"{lookback.days:.0f} days of {count_of(len(lookback.series), 'series')}"
        if not lookback.episodes:
            return f"In {days} nothing was throttled and nothing was near its limit."
        unlisted = lookback.unlisted_episode_count
        more = f", and {unlisted:,} further ones" if unlisted else ""
        return (
            f"In {days}: {count_of(throttling, 'episode')} of throttling and {near:,} of being near a limit"
            f"{more}, on {len(self.series):,} of the series."
        )

    @property
    def foresight(self) -> str:
        """One or two sentences on how early forecasts would have foreseen the episodes."""
        return foresight_text(self.report.lookback.forecasts)

    @property
    def notes(self) -> Sequence[str]:
        """Sentences that a reader needs to understand the numbers."""
        return [*_notes(self.report)]


def summarize_lookback(report: LookbackReport) -> LookbackSummary:
    """Summarize the episodes by series, and the alerts by way of judging."""
    lookback = report.lookback
    foresights = lookback.forecasts.foresights if lookback.forecasts else ()
    foresight_by_episode = {(foresight.slot, foresight.begin): foresight for foresight in foresights}
    spans = _SpanIndex(lookback.ways[0].spans)
    outcomes_by_slot: dict[int, list[EpisodeOutcome]] = defaultdict(list)
    for episode in lookback.episodes:
        series = lookback.series[episode.slot]
        foresight = foresight_by_episode.get((episode.slot, episode.begin))
        outcome = EpisodeOutcome(episode, series, spans.of(episode), foresight)
        outcomes_by_slot[episode.slot].append(outcome)
    series_episodes = [
        SeriesEpisodes(lookback.series[slot], outcomes) for slot, outcomes in outcomes_by_slot.items()
    ]
    return LookbackSummary(
        report=report,
        series=sorted(series_episodes, key=_urgency),
        ways=[_way_summary(way, lookback.episodes) for way in lookback.ways],
    )


def episode_sort_key(episode: Episode) -> tuple[bool, float, float, int]:
    """Return a sort key, the worst last: whether demand was throttled, and how much; then peak and length."""
    demand, peak = (0.0 if isnan(value) else value for value in (episode.throttled_demand, episode.peak))
    return episode.is_throttling, demand if episode.is_throttling else 0.0, peak, episode.minutes


def _urgency(entry: SeriesEpisodes) -> tuple[bool, int, float, str]:
    """Return a sort key, the worst first: whether demand was throttled, minutes in episodes, and peak."""
    minutes = sum(outcome.episode.minutes for outcome in entry.episodes)
    peak = 0.0 if isnan(entry.peak) else entry.peak
    return not entry.throttled_count, -minutes, -peak, entry.series.key.id


class _SpanIndex:
    """Finds the alert of an episode."""

    def __init__(self, spans: Sequence[AlertSpan]) -> None:
        self._spans: dict[int, list[AlertSpan]] = defaultdict(list)
        for span in spans:
            self._spans[span.slot].append(span)
        self._begins = {slot: [span.begin for span in slot_spans] for slot, slot_spans in self._spans.items()}

    def of(self, episode: Episode) -> AlertSpan | None:
        """Return the alert that was firing when an episode began, or else the first that fired during it."""
        spans, begins = self._spans.get(episode.slot, []), self._begins.get(episode.slot, [])
        next_index = bisect_right(begins, episode.begin)
        previous_span = spans[next_index - 1] if next_index else None
        if previous_span and (previous_span.end is None or previous_span.end > episode.begin):
            return previous_span
        next_span = spans[next_index] if next_index < len(spans) else None
        return next_span if next_span and next_span.begin < episode.end else None


def _way_summary(way: WayResult, episodes: Sequence[Episode]) -> WaySummary:
    spans = way.spans
    index = _SpanIndex(spans)
    spans_of_episodes = [(index.of(episode), episode) for episode in episodes]
    minutes_to_alerts = [span.begin - episode.begin for span, episode in spans_of_episodes if span]
    later_minutes = [minutes for minutes in minutes_to_alerts if minutes > 0]
    return WaySummary(
        name=way.name,
        alerts=Counter(span.severity for span in spans),
        notices=len(way.notices) + way.unlisted_notice_count,
        alerted_by_begin=len(minutes_to_alerts) - len(later_minutes),
        alerted_later=len(later_minutes),
        later_minutes=median(later_minutes) if later_minutes else None,
        without_alert=len(episodes) - len(minutes_to_alerts),
    )


def foresight_text(forecasts: Backtest | None) -> str:
    """Return sentences on how early forecasts would have foreseen the episodes."""
    if forecasts is None:
        return "No forecast could be made: that takes two days of history, and later moments to compare with."
    count, leads = len(forecasts.foresights), forecasts.leads
    ahead = f", median {format_duration(median(leads) * 60)} ahead" if leads else ""
    alarms = count_of(forecasts.false_alarms, "false alarm")
    days = f"{forecasts.series_days:,.0f} series-days"
    text = (
        f"Forecasts from the data before each episode would have foreseen {len(leads):,} of "
        f"{count_of(count, 'episode')}{ahead}, with {alarms} in {days}."
    )
    if forecasts.without_forecast:
        further = count_of(forecasts.without_forecast, "further episode")
        text += f" {further} began before there was enough history, or too soon after the one before."
    return text


def _notes(report: LookbackReport) -> Iterator[str]:
    lookback, plan = report.lookback, report.plan
    published_count = lookback.published_limit_count
    exception = f", except for {published_count:,} series whose limit CloudWatch publishes for each minute"
    yield (
        "AWS's APIs do not tell limits of the past: usage is compared with the limit in force now"
        f"{exception if published_count else ''}."
    )
    all_days = lookback.days * len(lookback.series)
    yield f"Usage is known for {lookback.known_days:,.0f} of {all_days:,.0f} series-days."
    if lookback.without_samples_count:
        yield f"{count_of(lookback.without_samples_count, 'series')} had no sample."
    if plan.without_past_count:
        count = plan.without_past_count
        known = f"{count_of(count, 'series')} {agreeing(count, 'is', 'are')} known"
        yield f"{known} from AWS's APIs alone, which keep no past."
    if plan.step > 1:
        yield f"Samples are means of {plan.step} minutes: shorter peaks do not show."
    yield (
        "Times are those of samples. A running Headroom notifies some minutes later, when CloudWatch has "
        "published them, and only as routes, silences and acknowledgements allow."
    )
    if lookback.forecasts:
        yield (
            f"Every {lookback.forecasts.step} min, a forecast was made whether demand would come near the "
            "limit or reach the level at which it was throttled before; for series whose demand never came "
            "to half of that level, once a day."
        )
