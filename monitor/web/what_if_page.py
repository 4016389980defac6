"""The content of the page of what-if: the question as a form, the series in the order in which they break."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from monitor.render.text import shorten
from monitor.what_if.answer import Action, Answer, StressedSeries
from monitor.what_if.query import MAX_SERIES, WhatIfQuery
from monitor.what_if.words import (
    basis_text,
    factor_text,
    left_out,
    request_text,
    room_text,
    summary,
    usage_text,
)

PATH = "/what-if"
FACTORS = ("1.2", "1.5", "2", "3", "5", "10")
LANES = (10.0, 100.0, 1000.0)  # the highest factors of a lane, of which the lowest that fits is shown
MARKS = {10.0: (1, 1.5, 2, 3, 5, 10), 100.0: (1, 3, 10, 30, 100), 1000.0: (1, 10, 100, 1000)}
MAX_OPTIONS = 100  # regions
MAX_LISTED = 20  # quotas to ask for, and series that are not known


@dataclass(frozen=True, slots=True)
class Lane:
    """The places on a logarithmic line from 1 to the highest factor, in percent.

    breaks: of the factor at which a series breaks. asked: of the factor of the question.
    """

    breaks: float
    asked: float

    @property
    def beyond(self) -> float:
        """The distance by which the asked factor is beyond the breaking one."""
        return max(self.asked - self.breaks, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfRow:
    """A series as a row: the first of those that hold begins with `begins_holding`."""

    one: StressedSeries
    lane: Lane
    begins_holding: bool

    @property
    def key(self) -> Key:
        """The key of the series."""
        return self.one.series.key

    @property
    def name(self) -> str:
        """The resource's name, shortened."""
        return shorten(self.key.shown)

    @property
    def breaks_at(self) -> str:
        """The factor at which it breaks."""
        return factor_text(self.one.breaks_at)

    @property
    def would_use(self) -> str:
        """The usage that it would have of its limit."""
        return usage_text(self.one)

    @property
    def basis(self) -> str:
        """The peak that this follows from."""
        return basis_text(self.one)

    @property
    def to_make_room(self) -> str:
        """The way to make room."""
        return room_text(self.one)


def rows(answer: Answer) -> Iterator[WhatIfRow]:
    """Yield the series of an answer."""
    highest, was_broken = highest_factor(answer), True
    for one in answer.items:
        lane = Lane(place(one.breaks_at, highest), place(one.factor, highest))
        yield WhatIfRow(one=one, lane=lane, begins_holding=was_broken and not one.is_broken)
        was_broken = one.is_broken


def highest_factor(answer: Answer) -> float:
    """Return the highest factor of the lanes of an answer."""
    asked = answer.question.factor or 1.0
    return next((one for one in LANES if asked <= one), LANES[-1])


def marks(highest: float) -> list[tuple[str, float]]:
    """Return the marks of a lane, each with its place."""
    return [(f"x{mark:g}", place(mark, highest)) for mark in MARKS[highest]]


def place(factor: float | None, highest: float) -> float:
    """Return the place of a factor on a lane, in percent; at its end without one."""
    if factor is None:
        return 100.0
    return round(min(max(100 * log10(max(factor, 1.0)) / log10(highest), 0.0), 100.0), 2)


def commands(answer: Answer) -> Sequence[str]:
    """Return the commands that make room, each once, those that ask AWS first."""
    asked = [one.command for one in answer.requests if not one.pending_is_enough]
    own = [
        one.remedy.command for one in answer.items if one.remedy and one.remedy.action is not Action.REQUEST
    ]
    return [*dict.fromkeys(command for command in (*asked, *own) if command)]


def known_regions(snapshot: Snapshot) -> Sequence[str]:
    """Return the regions that may fail."""
    return sorted({group[1] for group in snapshot.groups} - {"global"})[:MAX_OPTIONS]


def answer_variables(answer: Answer) -> dict[str, Any]:
    """Return the variables of the template that an answer has. For a thread."""
    shown = [*rows(answer)]
    pending = [one for one in answer.requests if one.pending]
    return {
        "answer": answer,
        "rows": shown,
        "marks": marks(highest_factor(answer)),
        "commands": commands(answer),
        "summary": summary(answer),
        "notes": [*answer.notes, *filter(None, [left_out(answer)])],
        "pending": len(pending),
        "enough": sum(one.pending_is_enough for one in pending) or "none",
        "has_accounts": len({row.one.series.key.account for row in shown}) > 1,
        "request_text": request_text,
    }


def question_variables(query: WhatIfQuery, snapshot: Snapshot) -> dict[str, Any]:
    """Return the variables of the template that a question has."""
    return {
        "query": query,
        "path": PATH,
        "factors": FACTORS,
        "regions": known_regions(snapshot),
        "max_listed": MAX_LISTED,
        "max_series": MAX_SERIES,
    }
