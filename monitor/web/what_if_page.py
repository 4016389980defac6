"""The content of the page of what-if: the question as a form, and series in breaking order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10
from typing import Annotated, Any, Self

from pydantic import Field

from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from monitor.render.text import shorten
from monitor.what_if.answer import Action, Answer, QuotaToRequest, StressedSeries
from monitor.what_if.query import MAX_SERIES, WhatIfQuery
from monitor.what_if.question import QuestionError, parse_factor
from monitor.what_if.words import (
    basis_text,
    factor_text,
    left_out_text,
    remedy_text,
    request_text,
    summary,
    usage_text,
)

WHAT_IF_PATH = "/what-if"
FACTORS = ("1.2", "1.5", "2", "3", "5", "10")
# The factor at each step of the slider; nearly evenly spaced on a lane, which is logarithmic.
SLIDER = (1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.2, 2.5, 2.7, 3, 3.3, 3.6, 4, 4.5, 5, 5.5, 6, 7, 8, 9, 10)
# The lanes of an answer end at the lowest of these factors that is not below the asked factor.
LANE_ENDS = (10.0, 100.0, 1000.0)
# The factors that are written below the lanes, by the factor at the right end.
MARKS = {10.0: (1, 1.5, 2, 3, 5, 10), 100.0: (1, 3, 10, 30, 100), 1000.0: (1, 10, 100, 1000)}
MAX_OPTIONS = 100  # regions, and request paths, among which the form lets the user choose
MAX_LISTED = 20  # quotas to ask for, and series whose answer is unknown


class WhatIfPageQuery(WhatIfQuery):
    """The query of the page's URL. slider: the position of the slider, if it was sent instead of a factor."""

    slider: Annotated[int, Field(ge=0, lt=len(SLIDER))] | None = None

    @property
    def canonical(self) -> Self:
        """The question with the slider's factor as traffic."""
        if self.slider is None:
            return self
        return self.model_copy(update={"traffic": f"{SLIDER[self.slider]:g}x", "slider": None})


@dataclass(frozen=True, slots=True)
class Lane:
    """Positions on a logarithmic line from 1 to the highest factor, in percent.

    breaks: the position of the factor at which a series breaks. asked: the position of the factor asked.
    """

    breaks: float
    asked: float

    @property
    def beyond(self) -> float:
        """The distance from the breaking factor to a higher asked factor, in percent of the lane; else 0."""
        return max(self.asked - self.breaks, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfRow:
    """A series as a row of the table. is_first_holding: it is the first series that does not break."""

    stressed: StressedSeries
    lane: Lane
    is_first_holding: bool

    @property
    def key(self) -> Key:
        """The key of the series."""
        return self.stressed.series.key

    @property
    def name(self) -> str:
        """The resource's name, shortened."""
        return shorten(self.key.display_name)

    @property
    def breaking_factor(self) -> str:
        """The factor at which the series breaks, as text."""
        return factor_text(self.stressed.breaking_factor)

    @property
    def would_use(self) -> str:
        """The utilization under the question, as text."""
        return usage_text(self.stressed)

    @property
    def basis(self) -> str:
        """The peak that the answer is based on, as text."""
        return basis_text(self.stressed)

    @property
    def to_make_room(self) -> str:
        """The remedy, as text."""
        return remedy_text(self.stressed)


def rows(answer: Answer) -> Iterator[WhatIfRow]:
    """Yield the series of an answer as rows of the table."""
    highest = highest_factor(answer)
    previous_breaks = True  # so that the first series may be the first that holds
    for stressed in answer.items:
        lane = Lane(lane_position(stressed.breaking_factor, highest), lane_position(stressed.factor, highest))
        yield WhatIfRow(
            stressed=stressed, lane=lane, is_first_holding=previous_breaks and not stressed.is_broken
        )
        previous_breaks = stressed.is_broken


def highest_factor(answer: Answer) -> float:
    """Return the highest factor of the lanes of an answer."""
    asked_factor = answer.question.factor or 1.0
    return next((highest for highest in LANE_ENDS if asked_factor <= highest), LANE_ENDS[-1])


def marks(highest: float) -> list[tuple[str, float]]:
    """Return the marks of a lane: the text and the position of each."""
    return [(f"x{mark:g}", lane_position(mark, highest)) for mark in MARKS[highest]]


def lane_position(factor: float | None, highest: float) -> float:
    """Return the position of a factor on a lane, in percent; 100 for None."""
    if factor is None:
        return 100.0
    return round(min(max(100 * log10(max(factor, 1.0)) / log10(highest), 0.0), 100.0), 2)


def slider_position(factor: float) -> int:
    """Return the position of the slider that is nearest to a factor."""
    return min(range(len(SLIDER)), key=lambda position: abs(log10(SLIDER[position] / factor)))


def commands(answer: Answer) -> Sequence[str]:
    """Return the commands that make room, each once; those that ask AWS for an increase come first."""
    increases = [request.command for request in answer.requests if not request.pending_is_enough]
    changes = [
        stressed.remedy.command
        for stressed in answer.items
        if stressed.remedy and stressed.remedy.action is Action.CHANGE
    ]
    return [*dict.fromkeys(command for command in (*increases, *changes) if command)]


def region_options(snapshot: Snapshot) -> Sequence[str]:
    """Return the regions that the form offers as the failing and the receiving region."""
    return sorted({group[1] for group in snapshot.groups} - {"global"})[:MAX_OPTIONS]


def answer_variables(answer: Answer) -> dict[str, Any]:
    """Return the template's variables about an answer. Call it in a thread."""
    shown = [*rows(answer)]
    pending = [request for request in answer.requests if request.pending]
    return {
        "answer": answer,
        "rows": shown,
        "marks": marks(highest_factor(answer)),
        "commands": commands(answer),
        "summary": summary(answer),
        "notes": [*answer.notes, *filter(None, [left_out_text(answer)])],
        "pending": len(pending),
        "enough": _enough_text(pending),
        "has_accounts": len({row.stressed.series.key.account for row in shown}) > 1,
        "request_text": request_text,
    }


def _enough_text(pending: Sequence[QuotaToRequest]) -> str:
    """Return in words how many of the pending requests for an increase are enough."""
    enough_count = sum(request.pending_is_enough for request in pending)
    if 0 < enough_count < len(pending):
        return f"{enough_count:,} of them enough"
    return "enough" if enough_count else "not enough"


def _factor(query: WhatIfQuery) -> float:
    """Return the factor of a question; 1 if traffic does not grow or the factor is invalid."""
    try:
        return parse_factor(query.traffic) if query.traffic else 1.0
    except QuestionError:
        return 1.0


def question_variables(query: WhatIfQuery, snapshot: Snapshot, path_names: Sequence[str]) -> dict[str, Any]:
    """Return the template's variables about a question."""
    factor = _factor(query)
    return {
        "slider": SLIDER,
        "position": slider_position(factor),
        "factor": factor,
        "query": query,
        "path_names": path_names[:MAX_OPTIONS],
        "path": WHAT_IF_PATH,
        "factors": FACTORS,
        "regions": region_options(snapshot),
        "max_listed": MAX_LISTED,
        "max_series": MAX_SERIES,
    }
