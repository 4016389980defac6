"""Counts the firing alerts that silences match, and says why a silence matches nothing."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.alerting.engine import AlertEngine
from monitor.alerting.matchers import LabelSet, Matcher, all_match, parse_matcher_lists
from monitor.alerting.records import Silence
from monitor.fleet.fleet import Fleet, Series
from monitor.notifiers.notice import Notice, Severity
from rules.problem_text import suggestion

SEVERITY, RESOURCE, RESOURCE_ID = "severity", "resource", "resource_id"
MAX_COMPARISONS = 2_000_000  # of a silence with a series; after more, each `unmatched_reason` is empty
MAX_VALUES = 20_000  # values of a label that are searched for a similar value


@dataclass(frozen=True, slots=True)
class SilenceMatches:
    """The matches of a silence.

    alert_count: the number of firing alerts that the silence matches. unmatched_reason: a sentence on why
    it matches no alert and no series; empty if it matches an alert or a series, or if the search was not
    completed.
    """

    alert_count: int = 0
    unmatched_reason: str = ""


async def matches_of(
    engine: AlertEngine, fleet: Fleet, silences: Sequence[Silence]
) -> list[tuple[Silence, SilenceMatches]]:
    """Return each silence with its matches."""
    notices = [notice for notice in engine.alerts.values() if notice.firing]
    series, account_names = tuple(fleet.series.values()), dict(engine.notice_builder.account_names)
    matches = await asyncio.to_thread(find_matches, silences, notices, series, account_names)
    return list(zip(silences, matches, strict=True))


def find_matches(
    silences: Iterable[Silence],
    notices: Sequence[Notice],
    series: Collection[Series],
    account_names: Mapping[str, str],
) -> list[SilenceMatches]:
    """Return the matches of each silence. Call it in a thread: it can take long.

    notices: the notices of the firing alerts. A matcher on `severity` matches all series if it matches any
    severity, because alerts of a series can have any severity.
    """
    now = time.time()
    searches = [_MatchSearch(silence, parse_matcher_lists(silence.matchers)) for silence in silences]
    for search in searches:
        search.alert_count = sum(all_match(search.matchers, notice.labels) for notice in notices)
    unmatched = [search for search in searches if not search.alert_count and search.silence.ends > now]
    comparisons_left = MAX_COMPARISONS
    for watched_series in series if unmatched else ():
        labels = _labels(watched_series, account_names)
        comparisons_left -= len(unmatched)
        unmatched = [search for search in unmatched if not search.compare(labels)]
        if not unmatched or comparisons_left < 0:
            break
    unmatched_ids = {id(search) for search in unmatched} if comparisons_left >= 0 else set()
    return [
        SilenceMatches(
            search.alert_count, search.unmatched_reason(len(series)) if id(search) in unmatched_ids else ""
        )
        for search in searches
    ]


@dataclass(slots=True)
class _MatchSearch:
    """The search for alerts and series that a silence matches.

    alert_count: the number of firing alerts that the silence matches. matched_matchers: the matchers that
    match at least one of the compared series. label_names: those of the compared series. unmatched_values: by
    label name, the values that a matcher did not match.
    """

    silence: Silence
    matchers: Sequence[Matcher]
    alert_count: int = 0
    matched_matchers: set[Matcher] = field(default_factory=set)
    label_names: set[str] = field(default_factory=set)
    unmatched_values: dict[str, set[str]] = field(default_factory=dict)

    def compare(self, labels: LabelSet) -> bool:
        """Record which matchers match the labels of a series; return whether all of them do."""
        self.label_names.update(labels)
        all_matched = True
        for matcher in self.matchers:
            if _matcher_matches(labels, matcher):
                self.matched_matchers.add(matcher)
                continue
            all_matched = False
            values = self.unmatched_values.setdefault(matcher.name, set())
            if len(values) < MAX_VALUES:
                values.add(labels.get(matcher.name, ""))
        return all_matched

    def unmatched_reason(self, series_count: int) -> str:
        """Return a sentence on why the silence matches no series. series_count: the number of all series."""
        if not series_count:
            return "No series is watched yet, so it matches nothing."
        for matcher in self.matchers:
            if matcher not in self.matched_matchers:
                return self._reason_of_matcher(matcher)
        return "No series meets all of its conditions together."

    def _reason_of_matcher(self, matcher: Matcher) -> str:
        """Return a sentence on why a matcher matches no series."""
        if matcher.name == SEVERITY:
            return f"No alert has {matcher}{suggestion(matcher.value, Severity) or '.'}"
        if matcher.name not in self.label_names:
            return f"No series has a label {matcher.name}{suggestion(matcher.name, self.label_names) or '.'}"
        values = self.unmatched_values.get(matcher.name, set()) - {""}
        return f"No series has {matcher}{suggestion(matcher.value, sorted(values)) or '.'}"


def _matcher_matches(labels: LabelSet, matcher: Matcher) -> bool:
    if matcher.name == SEVERITY:
        return any(matcher.matches({SEVERITY: severity}) for severity in Severity)
    return matcher.matches(labels)


def _labels(series: Series, account_names: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series' alerts, without the severity."""
    labels = {**series.settings.tags, **series.key.labels}
    if name := account_names.get(series.key.account, ""):
        labels["account_name"] = name
    return labels
