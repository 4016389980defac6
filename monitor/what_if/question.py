"""A validated question: its factor, matchers, regions and limit."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from collectors.base import GLOBAL_REGION
from monitor.alerting.matchers import Matcher, MatcherError, parse_matcher_lists
from monitor.lib.errors import HeadroomError
from monitor.what_if.query import WhatIfQuery
from rules.problem_text import suggestion
from rules.signals import Signal

TIMES_SIGN = "[xX\u00d7]?"
FACTOR = re.compile(rf"{TIMES_SIGN}\s*(?P<number>[0-9]{{1,9}}(\.[0-9]{{1,9}})?)\s*{TIMES_SIGN}")
MIN_FACTOR, MAX_FACTOR = 0.01, 1000.0
MAX_LIMIT = 1e30  # in the signal's unit, beyond all limits
MAX_SHOWN = 60  # characters of an invalid value in a message
MAX_SHOWN_REGIONS = 20  # regions in a message


class QuestionError(HeadroomError, ValueError):
    """A question cannot be answered; the text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class AskedLimit:
    """A limit that a question sets, in the signal's unit. resource: a name or id; empty for all resources."""

    signal: Signal
    value: float
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question. factor: by which traffic grows; None if it does not grow.

    matchers: select the series whose traffic grows or moves.
    path: the request path whose traffic grows; empty for all traffic.
    failing_region: the region that fails.
    receiving_region: the region that receives its traffic. Both are empty if no region fails.
    limit: the limit that the question sets, if any.
    counts_grow: true if numbers of things and stored amounts, which do not follow traffic, grow, too.
    """

    factor: float | None
    matchers: tuple[Matcher, ...] = ()
    path: str = ""
    failing_region: str = ""
    receiving_region: str = ""
    limit: AskedLimit | None = None
    counts_grow: bool = False

    @property
    def words(self) -> str:
        """The question in words: `3x the traffic of service="lambda"`."""
        parts = []
        if self.factor is not None or not (self.failing_region or self.limit):
            parts.append(f"{self.factor or 1:g}x the traffic")
        if self.failing_region:
            parts.append(f"{self.failing_region} fails, and {self.receiving_region} receives its traffic")
        if self.limit:
            resource = f" of {self.limit.resource}" if self.limit.resource else ""
            limit = self.limit.signal.unit.format(self.limit.value)
            parts.append(f"the limit of {self.limit.signal.id}{resource} is {limit}")
        selected = [f"the path {self.path}"] if self.path else []
        selected += map(str, self.matchers)
        selection = f" of {', '.join(selected)}" if selected else ""
        return parts[0] + selection + "".join(f"; {part}" for part in parts[1:])


def parse_question(
    query: WhatIfQuery, signals: Collection[Signal], regions: Collection[str], paths: Collection[str] = ()
) -> Question:
    """Return the question that the parameters ask. Raises QuestionError.

    signals: all known signals. regions: the regions with series. paths: the names of the request paths.
    """
    query = query.or_default
    if query.resource and not query.set_limit:
        raise QuestionError(
            "resource: expected set_limit beside it; match selects the series whose traffic grows"
        )
    _check_path(query, paths)
    failing_region, receiving_region = _parse_regions(query, regions)
    try:
        matchers = parse_matcher_lists(query.match)
    except MatcherError as error:
        raise QuestionError(f"match: {error}") from None
    return Question(
        factor=parse_factor(query.traffic) if query.traffic else None,
        matchers=matchers,
        path=query.path,
        failing_region=failing_region,
        receiving_region=receiving_region,
        limit=_parse_limit(query, signals) if query.set_limit else None,
        counts_grow=query.counts,
    )


def parse_factor(text: str) -> float:
    """Return a factor, which is written as `3`, `3x` or `x3`. Raises QuestionError."""
    match = FACTOR.fullmatch(text.strip())
    factor = float(match["number"]) if match else 0.0
    if not MIN_FACTOR <= factor <= MAX_FACTOR:
        raise QuestionError(
            f"traffic: expected a factor from {MIN_FACTOR:g} to {MAX_FACTOR:,.0f}, such as 3x, "
            f"found {_shown(text)}"
        )
    return factor


def _check_path(query: WhatIfQuery, paths: Collection[str]) -> None:
    if query.path and query.path not in paths:
        hint = suggestion(query.path, paths)
        raise QuestionError(f"path: expected the name of a request path, found {_shown(query.path)}{hint}")
    if query.path and query.region_fails:
        raise QuestionError("path: expected no region_fails beside it")


def _parse_regions(query: WhatIfQuery, regions: Collection[str]) -> tuple[str, str]:
    """Return the failing and the receiving region; both are empty if no region fails."""
    failing, to = query.region_fails, query.to
    if not failing and not to:
        return "", ""
    if not failing or not to:
        name = "to" if failing else "region_fails"
        raise QuestionError(
            f"{name}: expected the region that {'receives the traffic' if failing else 'fails'}"
        )
    known_regions = sorted({*regions} - {GLOBAL_REGION})
    for name, region in (("region_fails", failing), ("to", to)):
        if region not in known_regions:
            names = ", ".join(known_regions[:MAX_SHOWN_REGIONS]) or "none yet"
            hint = suggestion(region, known_regions)
            raise QuestionError(
                f"{name}: expected a region with series ({names}), found {_shown(region)}{hint}"
            )
    if failing == to:
        raise QuestionError(f"to: expected another region than the failing one, found {to}")
    return failing, to


def _parse_limit(query: WhatIfQuery, signals: Collection[Signal]) -> AskedLimit:
    name, equals, amount = query.set_limit.partition("=")
    if not equals:
        raise QuestionError(f"set_limit: expected SIGNAL=N, found {_shown(query.set_limit)}")
    by_id = {signal.id: signal for signal in signals}
    signal = by_id.get(name.strip())
    if signal is None:
        hint = suggestion(name.strip(), by_id)
        raise QuestionError(f"set_limit: expected a signal, service.name, found {_shown(name)}{hint}")
    try:
        value = signal.unit.parse(amount)
    except ValueError as error:
        raise QuestionError(f"set_limit: {error}") from None
    if not 0 < value <= MAX_LIMIT:
        raise QuestionError(f"set_limit: expected a limit above 0, found {_shown(amount)}")
    return AskedLimit(signal, value, query.resource)


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
