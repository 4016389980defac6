"""The header of every page: as of when, how many alerts fire, and how many series are not seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from fastapi import Request

from monitor.fleet.snapshot import Snapshot
from rules.band import Zone

AUTOMATIC: Final = "auto"
THEMES: Final[Mapping[str, str]] = {AUTOMATIC: "as the system", "light": "light", "dark": "dark"}
THEME_COOKIE: Final = "theme"


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page of the header's list. key: opens it on the keyboard, after `g`."""

    path: str
    name: str
    key: str


PAGES: Final = (
    PageEntry("/", "Overview", "o"),
    PageEntry("/alerts", "Alerts", "a"),
    PageEntry("/coverage", "Coverage", "c"),
    PageEntry("/what-if", "What-if", "w"),
    PageEntry("/paths", "Paths", "p"),
    PageEntry("/look-back", "Look-back", "l"),
    PageEntry("/blind", "Blind spots", "b"),
    PageEntry("/cost", "Cost", "m"),
)


@dataclass(frozen=True, slots=True)
class PageHeader:
    """The content of the header. as_of: of the last judgement, in epoch seconds; None before the first one.

    counts: by the path of a page; a page that is not in it has no count.
    """

    as_of: int | None
    counts: Mapping[str, int]


def header_of(snapshot: Snapshot, published_at: float | None, firing: int) -> PageHeader:
    """Return the header's content. firing: alerts."""
    present = snapshot.zone[snapshot.group >= 0]
    unseen = int(np.count_nonzero((present == Zone.STALE) | (present == Zone.UNOBSERVABLE)))
    return PageHeader(int(published_at) if published_at else None, {"/alerts": firing, "/blind": unseen})


def theme_of(request: Request) -> str:
    """Return the colours that a client asked for by its cookie, one of THEMES."""
    asked = request.cookies.get(THEME_COOKIE, AUTOMATIC)
    return asked if asked in THEMES else AUTOMATIC


def next_theme(theme: str) -> str:
    """Return the colours that the switch of the header leads to."""
    names = [*THEMES]
    return names[(names.index(theme) + 1) % len(names)]
