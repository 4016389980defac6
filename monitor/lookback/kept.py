"""Looking back at what a running Headroom has kept: a fortnight of usage, and its notices. It costs nothing.

`monitor.lookback.replay` judges each minute anew, which needs points of CloudWatch; this is coarser. Usage
is kept in quarters of an hour and compared with the limit of now; that demand was throttled is known by the
notices that told it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final, NamedTuple

import numpy as np

from monitor.fleet.columns import Floats
from monitor.fleet.fleet import Series
from monitor.notifiers.notice import Notice
from rules.analogs import BIN_MINUTES
from rules.band import Zone

MAX_KEPT_EPISODES: Final = 10_000
TOLD_LATER: Final = 60  # minutes after an episode in which a notice belongs to it
BAD_ZONES: Final = frozenset((Zone.NEAR.word, Zone.SATURATED.word))


class NearRun(NamedTuple):
    """Consecutive quarters of an hour in which usage was near the limit: minutes from `begin` up to `end`.

    usage: the highest. ongoing: the newest quarter, or the one before it, is among them.
    """

    slot: int
    begin: int
    end: int
    usage: float
    ongoing: bool = False


class KeptEpisode(NamedTuple):
    """A time in which a series was near its limit or throttled: from the minute `begin` up to `end`.

    usage: the highest, in the unit of the limit; NaN where none is known. is_throttled: an alert told it.
    throttled: the highest demand per second that was told; None without any. ongoing: it has not ended. told:
    the notices, by time.
    """

    series: Series
    begin: int
    end: int
    usage: float
    is_throttled: bool
    throttled: float | None
    ongoing: bool
    told: Sequence[Notice]

    @property
    def known_usage(self) -> float | None:
        """The highest usage; None where none is known."""
        return None if isnan(self.usage) else self.usage

    def peak(self, limit: float) -> float | None:
        """Return the highest usage divided by a limit; None where either is unknown."""
        return None if isnan(self.usage) or not limit > 0 else self.usage / limit


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLookback:
    """A look at what was kept of some days.

    minutes: those looked at. series: the number of those with a history. known_days: of usage, of all
    together. episodes: the newest first. more: that are not listed. has_journal: false while it cannot be
    read.
    """

    minutes: range
    series: int
    known_days: float
    episodes: Sequence[KeptEpisode]
    more: int
    has_journal: bool


class _Piece(NamedTuple):
    """A part of an episode: a run of quarters, or the time in which an alert told it."""

    begin: int
    end: int
    usage: float = np.nan
    is_throttled: bool = False
    throttled: float | None = None
    ongoing: bool = False


def near_runs(slots: Sequence[int], usage: Floats, level: Floats, first_bin: int) -> Iterator[NearRun]:
    """Yield the runs of quarters with a usage of at least the level of its series.

    usage: [quarter, series], the oldest first; NaN is unknown and ends a run. level: of each series; NaN:
    it has none. first_bin: the number of the first quarter since 1970.
    """
    with np.errstate(invalid="ignore"):
        is_near = usage >= level
    for column in np.flatnonzero(is_near.any(axis=0)).tolist():
        flags = np.concatenate([[False], is_near[:, column], [False]]).astype(np.int8)
        edges = np.flatnonzero(np.diff(flags)).tolist()
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            begin, stop = ((first_bin + number) * BIN_MINUTES for number in (start, end))
            highest = float(usage[start:end, column].max())
            yield NearRun(slots[column], begin, stop, highest, end >= len(usage) - 1)


def kept_episodes(
    runs: Iterable[NearRun], notices: Sequence[Notice], series: Mapping[str, Series], minutes: range
) -> list[KeptEpisode]:
    """Return the episodes of some minutes, the newest first.

    notices: the oldest first. series: those that exist, by id.
    """
    pieces, told = defaultdict[str, list[_Piece]](list), defaultdict[str, list[Notice]](list)
    by_slot = {one.slot: identity for identity, one in series.items()}
    for run in runs:
        if identity := by_slot.get(run.slot):
            pieces[identity].append(_Piece(run.begin, run.end, run.usage, ongoing=run.ongoing))
    for notice in notices:
        if (identity := notice.series_id) in series:
            told[identity].append(notice)
    for identity, some in told.items():
        pieces[identity] += _alert_pieces(some, minutes)
    found = [
        _with_notices(series[identity], one, told[identity])
        for identity, some in pieces.items()
        for one in _joined(some)
    ]
    return sorted(found, key=lambda one: (-one.begin, one.series.key))


def _alert_pieces(notices: Sequence[Notice], minutes: range) -> Iterator[_Piece]:
    """Yield the times in which the alert of a series told that it was near its limit, or throttled."""
    begun: Notice | None = None
    highest: float | None = None
    usage = np.nan
    for notice in notices:
        is_bad = notice.firing and notice.zone in BAD_ZONES
        if begun and (not is_bad or notice.zone != begun.zone):
            yield _piece(begun, int(notice.at // 60), usage, highest)
            begun = None
        if is_bad:
            if begun is None:
                begun, highest, usage = notice, None, np.nan
            highest = max(highest or 0.0, notice.throttled) if notice.throttled else highest
            usage = np.fmax(usage, np.nan if notice.usage is None else notice.usage)
    if begun:
        yield _piece(begun, minutes.stop, usage, highest)._replace(ongoing=True)


def _piece(begun: Notice, end: int, usage: float, throttled: float | None) -> _Piece:
    begin = int(begun.at // 60)
    is_throttled = begun.zone == Zone.SATURATED.word
    return _Piece(begin, max(end, begin + 1), float(usage), is_throttled, throttled if is_throttled else None)


def _joined(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Yield the pieces, those joined that are not a quarter of an hour apart."""
    last: _Piece | None = None
    for piece in sorted(pieces, key=lambda one: (one.begin, one.end)):
        if last is None:
            last = piece
        elif piece.begin - last.end >= BIN_MINUTES:
            yield last
            last = piece
        else:
            rates = [one.throttled for one in (last, piece) if one.throttled is not None]
            last = _Piece(
                last.begin,
                max(last.end, piece.end),
                float(np.fmax(last.usage, piece.usage)),
                last.is_throttled or piece.is_throttled,
                max(rates, default=None),
                last.ongoing or piece.ongoing,
            )
    if last:
        yield last


def _with_notices(series: Series, piece: _Piece, notices: Sequence[Notice]) -> KeptEpisode:
    """Return the episode with what was told from its beginning until a while after its end."""
    end = piece.end + TOLD_LATER
    told = [one for one in notices if piece.begin <= one.at // 60 < end]
    return KeptEpisode(
        series,
        piece.begin,
        piece.end,
        piece.usage,
        piece.is_throttled,
        piece.throttled,
        piece.ongoing,
        told,
    )
