"""The fleet's samples as the lives of alerts: which series have news, and what became of their alerts."""

from collections.abc import Iterable

import msgspec
import numpy as np

from monitor.columns import Floats, Ints
from monitor.fleet import Fleet, Series
from monitor.rings import WINDOW
from rules.alerts import KEEP_FIRING_FOR, Rule, Samples, State, Terms, holds
from rules.lives import Kept, Lives

IDLE_HOLD = holds(0)[Rule.BELOW]  # minutes; a signal's own hold is not meant for idle capacity
WORST_FIRST = tuple(reversed(Rule))
KEEP = np.array([KEEP_FIRING_FOR[rule] for rule in Rule], np.int32)[:, None]

_kept = msgspec.json.Decoder(list[Kept])


class Lifecycle:
    """Lives over a fleet. told: the minute up to which changes were told before this process began.

    batch: minutes that one poll may bring at once; refusals last longer than that as alerts, or those at the
    beginning of a poll would be over before anybody was told.
    """

    def __init__(self, fleet: Fleet, told: int) -> None:
        self._fleet, self.lives, self.batch = fleet, Lives(WINDOW, told), 0
        self._judged_by = np.empty((4, 0), np.float32)  # the limit and the band each place was judged by
        self._paced_by = np.empty((2, 0), np.int32)  # and the paces

    def advance(self, news: Ints) -> Ints:
        """Judge the series at these places, which have news; return those whose alerts changed state."""
        became = self.lives.advance(news, self._newest(news), self._terms(news), self._samples)
        return np.unique(became.place)

    def relimit(self) -> Ints:
        """Judge those again whose limit or band changed; return those whose alerts changed state."""
        self.lives.settle(self._repaced())
        places = self._relimited()
        return np.unique(self.lives.relimit(places, self._terms(places), self._samples).place)

    def forget(self, gone: Iterable[Series]) -> None:
        """Forget series that left the fleet, before their places are used again."""
        places = np.array([one.place for one in gone], np.int32)
        self.lives.forget(places)
        self._judged_by[:, places[places < self._judged_by.shape[1]]] = np.nan

    def rules(self, place: int, state: State) -> list[tuple[Rule, int]]:
        """The rules in a state on a series, the worst first, each with the minute its breach began."""
        told = self.lives.told
        if place >= told.seen.size:
            return []
        states = told.state[:, place].tolist()
        return [(rule, int(told.since[rule, place])) for rule in WORST_FIRST if states[rule] == state]

    def since(self, place: int, rule: Rule) -> int:
        """The minute when the breach of a rule on a series began."""
        return int(self.lives.told.since[rule, place])

    def firing(self, places: Ints) -> Ints:
        """Those of some series on which a rule fires."""
        told = self.lives.told
        known = places[places < told.seen.size]
        firing: Ints = known[(told.state[:, known] == State.FIRING).any(axis=0)]
        return firing

    def active(self) -> Ints:
        """The places of the series on which a rule is pending or fires."""
        return np.flatnonzero(self.lives.told.state.any(axis=0)).astype(np.int32)

    def save(self, places: Ints) -> dict[int, bytes | None]:
        """What must survive a restart of some series' alerts, by place; None: nothing."""
        saved: dict[int, list[Kept]] = {place: [] for place in places.tolist()}
        for kept in self.lives.export(places):
            saved[kept.place].append(kept)
        return {place: msgspec.json.encode(kept) if kept else None for place, kept in saved.items()}

    def restore(self, place: int, saved: bytes) -> None:
        """Go on where `save` left off, for the series that is at `place` now."""
        self.lives.restore(kept._replace(place=place) for kept in _kept.decode(saved))

    def _repaced(self) -> Ints:
        """The places whose hold is another, or for how long they are kept firing."""
        fleet, size = self._fleet, self._fleet.size
        by = np.stack([fleet.hold[:size], fleet.keep_firing_for[:size]])
        known = self._paced_by.shape[1]
        changed = by[:, :known] != self._paced_by
        self._paced_by = by
        return np.flatnonzero(changed.any(axis=0)).astype(np.int32)

    def _relimited(self) -> Ints:
        """The places whose limit or band is another than the one they were judged by."""
        fleet, size = self._fleet, self._fleet.size
        by = np.stack([fleet.limit[:size], fleet.low[:size], fleet.high[:size], fleet.critical[:size]])
        known = self._judged_by.shape[1]
        before = self._judged_by
        changed = (by[:, :known] != before) & ~np.isnan(before) & ~np.isnan(by[:, :known])
        self._judged_by = by
        return np.flatnonzero(changed.any(axis=0)).astype(np.int32)

    def _terms(self, places: Ints) -> Terms:
        fleet = self._fleet
        hold = np.repeat(fleet.hold[places][None], len(Rule), axis=0)
        hold[Rule.BELOW], hold[Rule.SATURATED] = IDLE_HOLD, 0
        own = fleet.keep_firing_for[places]
        keep = np.where(own < 0, KEEP, own)
        keep[Rule.SATURATED] = np.maximum(keep[Rule.SATURATED], self.batch)
        return Terms(
            low=np.where(fleet.paid[places], fleet.low[places], np.float32(np.nan)),
            high=fleet.high[places],
            critical=fleet.critical[places],
            hold=hold,
            keep_firing_for=keep,
            stale_after=fleet.stale_after[places],
        )

    def _newest(self, places: Ints) -> Ints:
        used = self._fleet.usages.told(self._fleet.rings, places)
        refused = self._fleet.refusals.told(self._fleet.rings, places)
        return np.maximum(used, refused)

    def _samples(self, places: Ints, minutes: Ints) -> Samples:
        fleet = self._fleet
        usage: Floats = fleet.usages.at(fleet.rings, places, minutes)
        utilization = np.where(fleet.observable[places], usage / fleet.limit[places], np.float32(np.nan))
        return Samples(utilization, fleet.refusals.at(fleet.rings, places, minutes))
