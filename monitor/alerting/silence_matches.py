"""Finds what silences match: how many firing alerts; or why nothing, with the nearest label."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.alerting.engine import AlertEngine
from monitor.alerting.matchers import Matcher, all_match, parse_matcher_lists
from monitor.alerting.records import Silence
from monitor.fleet.fleet import Fleet, Series
from monitor.notifiers.notice import Notice, Severity
from rules.problem_text import suggestion

LabelSet = Mapping[str, str]
SEVERITY, RESOURCE, RESOURCE_ID = "severity", "resource", "resource_id"
MAX_TESTS = 2_000_000  # of a label set by a silence; beyond, nothing is said of what matches nothing
MAX_VALUES = 20_000  # of each label, among which the nearest is looked for


@dataclass(frozen=True, slots=True)
class SilenceMatches:
    """The matches of a silence.

    alerts: the number of firing alerts. unmatched: a sentence on why it matches no alert and no series; empty
    where it matches any, or where that was not looked for.
    """

    alerts: int = 0
    unmatched: str = ""


async def matches_of(
    engine: AlertEngine, fleet: Fleet, silences: Sequence[Silence]
) -> list[tuple[Silence, SilenceMatches]]:
    """Return what each silence matches."""
    notices = [one for one in engine.alerts.values() if one.firing]
    series, names = tuple(fleet.series.values()), dict(engine.notice_builder.account_names)
    found = await asyncio.to_thread(find_matches, silences, notices, series, names)
    return list(zip(silences, found, strict=True))


def find_matches(
    silences: Iterable[Silence],
    notices: Sequence[Notice],
    series: Collection[Series],
    account_names: Mapping[str, str],
) -> list[SilenceMatches]:
    """Return what each silence matches. notices: of the firing alerts. It may take long: for a thread.

    A condition on the severity alone is met by each series, as its alerts may have any.
    """
    now = time.time()
    examined = [_Examined(one, parse_matcher_lists(one.matchers)) for one in silences]
    for one in examined:
        one.alerts = sum(all_match(one.matchers, notice.labels) for notice in notices)
    remaining = [one for one in examined if not one.alerts and one.silence.ends > now]
    tests = MAX_TESTS
    for each in series if remaining else ():
        labels = _labels(each, account_names)
        tests -= len(remaining)
        remaining = [one for one in remaining if not one.is_met_by(labels)]
        if not remaining or tests < 0:
            break
    unmatched = {id(one) for one in remaining} if tests >= 0 else set()
    return [
        SilenceMatches(one.alerts, one.sentence(len(series)) if id(one) in unmatched else "")
        for one in examined
    ]


@dataclass(slots=True)
class _Examined:
    """A silence, and what was seen of the labels that its matchers name.

    alerts: the number of firing alerts that it matches. met: the matchers that a label set met. names: of all
    labels. values: of the labels that matchers name.
    """

    silence: Silence
    matchers: Sequence[Matcher]
    alerts: int = 0
    met: set[Matcher] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)

    def is_met_by(self, labels: LabelSet) -> bool:
        """Return whether a series meets all matchers, and note what it has."""
        self.names.update(labels)
        is_met = True
        for one in self.matchers:
            if _meets(labels, one):
                self.met.add(one)
                continue
            is_met = False
            seen = self.values.setdefault(one.name, set())
            if len(seen) < MAX_VALUES:
                seen.add(labels.get(one.name, ""))
        return is_met

    def sentence(self, series: int) -> str:
        """Return why it matches nothing. series: the number of series that were looked at."""
        if not series:
            return "No series is watched yet, so it matches nothing."
        unmet = [one for one in self.matchers if one not in self.met]
        return self._unmet(unmet[0]) if unmet else "No series meets all of its conditions together."

    def _unmet(self, matcher: Matcher) -> str:
        if matcher.name == SEVERITY:
            return f"No alert has {matcher}{suggestion(matcher.value, Severity) or '.'}"
        if matcher.name not in self.names:
            return f"No series has a label {matcher.name}{suggestion(matcher.name, self.names) or '.'}"
        known = self.values.get(matcher.name, set()) - {""}
        return f"No series has {matcher}{suggestion(matcher.value, sorted(known)) or '.'}"


def _meets(labels: LabelSet, matcher: Matcher) -> bool:
    if matcher.name == SEVERITY:
        return any(matcher.matches({SEVERITY: one}) for one in Severity)
    return matcher.matches(labels)


def _labels(series: Series, account_names: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that alerts of a series have, but for the severity."""
    labels = {**series.settings.tags, **series.key.labels}
    if name := account_names.get(series.key.account, ""):
        labels["account_name"] = name
    return labels
