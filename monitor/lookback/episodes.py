"""Episodes: times in which demand on a series was throttled, or its usage was near the limit."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from monitor.fleet.judged import Judged
from rules.alert_rules import KEEP_FIRING_FOR, Rule
from rules.arrays import Flags, Floats, Indices
from rules.band import Zone

# An episode ends after this many minutes without throttling and not near the limit, as an alert does.
QUIET_MINUTES = KEEP_FIRING_FOR[Rule.SATURATED]
SECONDS_PER_MINUTE = 60
MAX_EPISODES = 500_000  # in the result; further episodes are only counted


class Episode(NamedTuple):
    """An episode of the series in a slot: minutes from `begin` up to, and without, `end`.

    throttled_minutes: the number of minutes in which demand was throttled beyond the tolerance. peak, usage,
    limit: the highest utilization, with its usage and limit; NaN if no usage is known. throttled_demand: the
    sum, in the unit in which the signal counts it; NaN if unknown. ongoing: the episode had not ended when
    the judged minutes ended.
    """

    slot: int
    begin: int
    end: int
    throttled_minutes: int
    peak: float
    usage: float
    limit: float
    throttled_demand: float
    ongoing: bool = False

    @property
    def is_throttling(self) -> bool:
        """True if demand was throttled."""
        return self.throttled_minutes > 0

    @property
    def minutes(self) -> int:
        """The length in minutes."""
        return self.end - self.begin


class EpisodeFinder:
    """Finds episodes in judged minutes, which must be added in their order.

    episodes: the episodes that have ended. unlisted_episode_count: the number of ended episodes beyond
    MAX_EPISODES.
    """

    def __init__(self) -> None:
        self.episodes: list[Episode] = []
        self.unlisted_episode_count = 0
        self._open: dict[int, Episode] = {}  # by slot

    def add(self, slots: Indices, minutes: range, judged: Judged) -> None:
        """Add minutes of some series. judged: all minutes of the first series, then of the next one."""
        shape = slots.size, len(minutes)
        bad = (judged.zone >= Zone.NEAR).reshape(shape)
        is_open = np.isin(slots, np.fromiter(self._open, np.int64, len(self._open)))
        for index in np.flatnonzero(bad.any(axis=1) | is_open).tolist():
            self._add_series(int(slots[index]), minutes, _JudgedMinutes.of(judged, index, len(minutes)))

    def _add_series(self, slot: int, minutes: range, judged: "_JudgedMinutes") -> None:
        for run in _runs(np.flatnonzero(judged.bad)):
            episode = judged.episode(slot, minutes.start, run)
            open_episode = self._open.pop(slot, None)
            if open_episode and episode.begin - open_episode.end < QUIET_MINUTES:
                episode = _join(open_episode, episode)
            elif open_episode:
                self._store(open_episode)
            self._open[slot] = episode
        open_episode = self._open.get(slot)
        if open_episode and minutes.stop - open_episode.end >= QUIET_MINUTES:
            self._store(self._open.pop(slot))

    def _store(self, episode: Episode) -> None:
        if len(self.episodes) < MAX_EPISODES:
            self.episodes.append(episode)
        else:
            self.unlisted_episode_count += 1

    def finish(self) -> Sequence[Episode]:
        """Return all episodes, sorted by begin; mark episodes that have not ended as ongoing."""
        for episode in self._open.values():
            self._store(episode._replace(ongoing=True))
        self._open.clear()
        return sorted(self.episodes, key=lambda episode: (episode.begin, episode.slot))


class _JudgedMinutes(NamedTuple):
    """The numbers of one series in some minutes. bad: near the limit or throttled."""

    bad: Flags
    saturated: Flags
    usage: Floats
    limit: Floats
    throttled: Floats

    @classmethod
    def of(cls, judged: Judged, index: int, count: int) -> "_JudgedMinutes":
        rows = slice(index * count, (index + 1) * count)
        zone = judged.zone[rows]
        numbers = (judged.usage[rows], judged.limit[rows], judged.throttled[rows])
        return cls(zone >= Zone.NEAR, zone == Zone.SATURATED, *numbers)

    def episode(self, slot: int, start: int, run: slice) -> Episode:
        """Return the episode of a run of bad minutes. run: their indices. start: the minute with index 0."""
        ratio = self.usage[run] / self.limit[run]
        highest = int(np.nanargmax(ratio)) if np.isfinite(ratio).any() else 0
        throttled = self.throttled[run]
        throttled_demand = (
            float(np.nansum(throttled)) * SECONDS_PER_MINUTE if np.isfinite(throttled).any() else np.nan
        )
        return Episode(
            slot=slot,
            begin=start + run.start,
            end=start + run.stop,
            throttled_minutes=int(np.count_nonzero(self.saturated[run])),
            peak=float(ratio[highest]),
            usage=float(self.usage[run][highest]),
            limit=float(self.limit[run][highest]),
            throttled_demand=throttled_demand,
        )


def _runs(minutes: Indices) -> Iterator[slice]:
    """Split ascending minutes at gaps of QUIET_MINUTES or more, and yield the runs."""
    if not minutes.size:
        return
    ends = np.flatnonzero(np.diff(minutes) > QUIET_MINUTES)
    for start, stop in zip([0, *(ends + 1).tolist()], [*ends.tolist(), minutes.size - 1], strict=True):
        yield slice(int(minutes[start]), int(minutes[stop]) + 1)


def _join(first: Episode, second: Episode) -> Episode:
    """Return the episode that two consecutive parts form."""
    higher = second if not first.peak >= second.peak else first
    known_demands = [part.throttled_demand for part in (first, second) if not np.isnan(part.throttled_demand)]
    return first._replace(
        end=second.end,
        throttled_minutes=first.throttled_minutes + second.throttled_minutes,
        peak=higher.peak,
        usage=higher.usage,
        limit=higher.limit,
        throttled_demand=sum(known_demands) if known_demands else np.nan,
    )
