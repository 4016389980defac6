"""Finds episodes in the data that a running Headroom has stored: a fortnight of usage, and its notices.

This needs no requests, but is coarser than `monitor.lookback.replay`, which judges each minute anew, from
points of CloudWatch: here, usage is stored by quarter-hours and compared with the present limit, and
throttled demand is known only from notices.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final, NamedTuple

import numpy as np

from monitor.fleet.fleet import Series
from monitor.notifiers.notice import Notice
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats
from rules.band import Zone

MAX_STORED_EPISODES: Final = 10_000
MAX_NOTICE_DELAY: Final = 60  # minutes; notices up to this long after the end of an episode belong to it
BAD_ZONES: Final = frozenset((Zone.NEAR.word, Zone.SATURATED.word))


class NearRun(NamedTuple):
    """Consecutive quarter-hours in which usage was near the limit: minutes from `begin` up to `end`.

    usage: the highest usage. ongoing: the run contains the newest quarter-hour or the one before it.
    """

    slot: int
    begin: int
    end: int
    usage: float
    ongoing: bool = False


class StoredEpisode(NamedTuple):
    """A time in which a series was near its limit or throttled: from the minute `begin` up to `end`.

    usage: the highest usage, in the unit of the limit; NaN if unknown. is_throttled: a notice reported
    throttled demand. throttled: the highest throttled demand per second in notices; None if there is none.
    ongoing: the episode has not ended. notices: its notices, by time.
    """

    series: Series
    begin: int
    end: int
    usage: float
    is_throttled: bool
    throttled: float | None
    ongoing: bool
    notices: Sequence[Notice]

    @property
    def known_usage(self) -> float | None:
        """The highest usage; None if it is unknown."""
        return None if isnan(self.usage) else self.usage

    def peak(self, limit: float) -> float | None:
        """Return the highest usage divided by a limit; None if usage or limit is unknown."""
        return None if isnan(self.usage) or not limit > 0 else self.usage / limit


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLookback:
    """The result of a look back at the stored data of some days.

    minutes: the minutes of these days. series: the number of series with a history. known_days: the days of
    known usage, of all series together. episodes: the newest first. unlisted_episode_count: the number of
    episodes that are not listed. has_journal: false while the journal cannot be read.
    """

    minutes: range
    series: int
    known_days: float
    episodes: Sequence[StoredEpisode]
    unlisted_episode_count: int
    has_journal: bool


class _Piece(NamedTuple):
    """A part of an episode: a run of quarter-hours, or the time between notices of an alert."""

    begin: int
    end: int
    usage: float = np.nan
    is_throttled: bool = False
    throttled: float | None = None
    ongoing: bool = False


def near_runs(slots: Sequence[int], usage: Floats, near_from: Floats, first_bin: int) -> Iterator[NearRun]:
    """Yield the runs of quarter-hours in which the usage of a series is near its limit.

    usage: [quarter-hour, series], the oldest first; NaN is unknown and ends a run. near_from: the lowest
    usage of each series that is near its limit; NaN if no usage is. first_bin: the number of the first
    quarter-hour since 1970.
    """
    with np.errstate(invalid="ignore"):
        is_near = usage >= near_from
    for column in np.flatnonzero(is_near.any(axis=0)).tolist():
        flags = np.concatenate([[False], is_near[:, column], [False]]).astype(np.int8)
        edges = np.flatnonzero(np.diff(flags)).tolist()
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            begin, stop = ((first_bin + number) * BIN_MINUTES for number in (start, end))
            highest = float(usage[start:end, column].max())
            yield NearRun(slots[column], begin, stop, highest, end >= len(usage) - 1)


def stored_episodes(
    runs: Iterable[NearRun], notices: Sequence[Notice], series: Mapping[str, Series], minutes: range
) -> list[StoredEpisode]:
    """Return the episodes of some minutes, the newest first.

    notices: the oldest first. series: the existing series by id.
    """
    pieces, notices_by_id = defaultdict[str, list[_Piece]](list), defaultdict[str, list[Notice]](list)
    by_slot = {entry.slot: series_id for series_id, entry in series.items()}
    for run in runs:
        if series_id := by_slot.get(run.slot):
            pieces[series_id].append(_Piece(run.begin, run.end, run.usage, ongoing=run.ongoing))
    for notice in notices:
        if (series_id := notice.series_id) in series:
            notices_by_id[series_id].append(notice)
    for series_id, own_notices in notices_by_id.items():
        pieces[series_id] += _alert_pieces(own_notices, minutes)
    episodes = [
        _with_notices(series[series_id], piece, notices_by_id[series_id])
        for series_id, own_pieces in pieces.items()
        for piece in _join(own_pieces)
    ]
    return sorted(episodes, key=lambda episode: (-episode.begin, episode.series.key))


def _alert_pieces(notices: Sequence[Notice], minutes: range) -> Iterator[_Piece]:
    """Yield the times in which the alert of a series reported a zone of BAD_ZONES."""
    first_notice: Notice | None = None
    highest_rate: float | None = None
    usage = np.nan
    for notice in notices:
        is_bad = notice.firing and notice.zone in BAD_ZONES
        if first_notice and (not is_bad or notice.zone != first_notice.zone):
            yield _piece(first_notice, int(notice.at // 60), usage, highest_rate)
            first_notice = None
        if is_bad:
            if first_notice is None:
                first_notice, highest_rate, usage = notice, None, np.nan
            highest_rate = max(highest_rate or 0.0, notice.throttled) if notice.throttled else highest_rate
            usage = np.fmax(usage, np.nan if notice.usage is None else notice.usage)
    if first_notice:
        yield _piece(first_notice, minutes.stop, usage, highest_rate)._replace(ongoing=True)


def _piece(first_notice: Notice, end: int, usage: float, throttled: float | None) -> _Piece:
    """Return the time from the first notice of a zone up to the minute `end`."""
    begin = int(first_notice.at // 60)
    is_throttled = first_notice.zone == Zone.SATURATED.word
    return _Piece(begin, max(end, begin + 1), float(usage), is_throttled, throttled if is_throttled else None)


def _join(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Yield the pieces; join pieces that are less than a quarter of an hour apart."""
    last: _Piece | None = None
    for piece in sorted(pieces, key=lambda piece: (piece.begin, piece.end)):
        if last is None:
            last = piece
        elif piece.begin - last.end >= BIN_MINUTES:
            yield last
            last = piece
        else:
            rates = [part.throttled for part in (last, piece) if part.throttled is not None]
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


def _with_notices(series: Series, piece: _Piece, notices: Sequence[Notice]) -> StoredEpisode:
    """Return the episode with the notices from its begin until MAX_NOTICE_DELAY after its end."""
    end = piece.end + MAX_NOTICE_DELAY
    own_notices = [notice for notice in notices if piece.begin <= notice.at // 60 < end]
    return StoredEpisode(
        series,
        piece.begin,
        piece.end,
        piece.usage,
        piece.is_throttled,
        piece.throttled,
        piece.ongoing,
        own_notices,
    )
