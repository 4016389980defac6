"""What the summary of one look says, whatever it is written as."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from collectors.base import ACCOUNT
from monitor.check import Look
from monitor.course import Course
from monitor.fleet import Key
from monitor.report import hidden
from monitor.rows import Row
from monitor.summary.idle import Idle, idle
from rules.band import Zone

WORST, RISEN, IDLE, CAUSES, WAYS, FAILURES = 12, 12, 12, 12, 4, 6  # so many of each are spelled out

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class First(Generic[One]):
    """The first of many, and how many there are besides."""

    items: Sequence[One]
    more: int

    @classmethod
    def of(cls, many: Sequence[One], most: int) -> "First[One]":
        return cls(many[:most], max(len(many) - most, 0))


@dataclass(frozen=True, slots=True)
class Line:
    """A series with its three hours.

    since: epoch seconds; None: from before them. again: it was above its band earlier in them as well.
    """

    row: Row
    course: Course
    since: int | None
    again: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why series cannot be seen, and how many; ways: the command that enables some, or nothing."""

    reason: str
    total: int
    ways: First[tuple[Sequence[Key], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is told of a look.

    only: what was asked for, by label. worst: the most urgent, and how many more are above their bands.
    risen: what went above its band within the three hours. month: dollars a month of all that is idle and
    has a known price; unpriced: how much of it has none.
    """

    look: Look
    only: Mapping[str, Sequence[str]]
    counts: Mapping[Zone, int]
    worst: First[Line]
    risen: First[Line]
    idle: First[Idle]
    month: float
    unpriced: int
    causes: First[Cause]
    failures: First[str]

    @property
    def places(self) -> Mapping[str, Sequence[str]]:
        """The regions of each account, by what it is called."""
        found = defaultdict[str, list[str]](list)
        for account, region, name in self.look.cells:
            found[f"{name} ({account})" if name else account].append(region)
        return found

    @property
    def sources(self) -> Sequence[str]:
        """Where the prices are published that are told."""
        return sorted({one.source for one in self.idle.items if one.source})

    def where(self, key: Key) -> str:
        """The account, by its name if it has one, and the region."""
        names = {account: name for account, _, name in self.look.cells}
        return f"{names.get(key.account) or key.account}, {key.region}"


def name(key: Key) -> str:
    """What the series is about."""
    return "whole account" if key.resource == ACCOUNT else key.resource


def summary(look: Look, only: Mapping[str, Sequence[str] | None]) -> Summary:
    """Of one look at what was asked for."""
    judged = [row for row in look.rows if row.zone > Zone.STALE]
    above = [_line(look, row, Zone.ABOVE) for row in judged if row.zone >= Zone.ABOVE]
    found = idle(look.rows, look.course)
    return Summary(
        look=look,
        only={label: patterns for label, patterns in only.items() if patterns},
        counts={zone: sum(row.zone is zone for row in look.rows) for zone in sorted(Zone, reverse=True)},
        worst=First([_line(look, row, row.zone) for row in judged[:WORST]], max(len(above) - WORST, 0)),
        risen=First.of(sorted((one for one in above if one.since), key=_newest), RISEN),
        idle=First.of(found, IDLE),
        month=sum(one.month for one in found if one.month is not None),
        unpriced=sum(one.month is None for one in found),
        causes=First.of(_causes(look.rows), CAUSES),
        failures=First.of([*dict.fromkeys(look.failures)], FAILURES),
    )


def _line(look: Look, row: Row, zone: Zone) -> Line:
    course = look.course(row.key)
    minute = course.since(row.band, zone)
    if minute is None:
        return Line(row, course, None, False)
    before = course.stood(row.band)[: minute - course.start]
    return Line(row, course, minute * 60, bool((before >= Zone.ABOVE).any()))


def _newest(line: Line) -> tuple[bool, int]:
    """Sorts what is there for the first time before what is there again, the latest first."""
    return line.again, -(line.since or 0)


def _causes(rows: Iterable[Row]) -> list[Cause]:
    """The reasons, those of most series first."""
    found = defaultdict[str, dict[str, list[Key]]](lambda: defaultdict(list))
    for row in filter(hidden, rows):
        if why := row.unobservable:
            found[why.reason][why.enable or ""].append(row.key)
    causes = [
        Cause(
            reason, sum(map(len, ways.values())), First.of([(keys, way) for way, keys in ways.items()], WAYS)
        )
        for reason, ways in found.items()
    ]
    return sorted(causes, key=lambda one: (-one.total, one.reason))
