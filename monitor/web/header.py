"""The header of every page: the time of the last judgement, and the numbers of alerts and unseen series."""

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
    """One page of the header's list. key: the key that opens the page after the key `g`."""

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
    """The content of the header. as_of: the time of the last judgement, in epoch seconds; None before it.

    counts: the number beside the name of a page, by the path of the page.
    """

    as_of: int | None
    counts: Mapping[str, int]


def header_of(snapshot: Snapshot, published_at: float | None, firing_count: int) -> PageHeader:
    """Return the header's content. firing_count: the number of firing alerts."""
    present = snapshot.zone[snapshot.group >= 0]
    unseen = int(np.count_nonzero((present == Zone.STALE) | (present == Zone.UNOBSERVABLE)))
    return PageHeader(
        int(published_at) if published_at else None, {"/alerts": firing_count, "/blind": unseen}
    )


def theme_of(request: Request) -> str:
    """Return the colours in a client's cookie, one of THEMES."""
    theme = request.cookies.get(THEME_COOKIE, AUTOMATIC)
    return theme if theme in THEMES else AUTOMATIC


def next_theme(theme: str) -> str:
    """Return the colours that follow after a click on the header's switch."""
    names = [*THEMES]
    return names[(names.index(theme) + 1) % len(names)]
