"""The lives of all alerts as columns, and what late and revised samples do to them.

CloudWatch revises a minute for about ten more. So two states of each series are kept: the one *told*, after
its newest sample, and the one *settled*, some minutes older, which nothing can change any more. A series with
news is judged again from there, minute by minute: the result is that of samples which came in order.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from rules.alerts import (
    MARGIN,
    NEVER,
    Alert,
    Aligned,
    Bytes,
    Index,
    Ints,
    Rule,
    Samples,
    State,
    Terms,
    breached,
)
from rules.band import Flags

REVISED = 10  # minutes behind a series' newest sample that may still change
FIRST = 1024  # places to begin with; doubled when they do not suffice

SamplesAt = Callable[[Ints, Ints], Samples]  # places and a minute for each; NaN where there is no sample


@dataclass(frozen=True, slots=True)
class Alerts(Aligned):
    """The alerts of many series as columns, a row a rule (see `Alert`); all of a series have one `seen`."""

    state: Bytes
    since: Ints
    clear_since: Ints
    seen: Ints


def alerts(size: int, seen: int = NEVER) -> Alerts:
    """Inactive ones, of `size` series."""
    shape = len(Rule), size
    return Alerts(
        state=np.zeros(shape, np.int8),
        since=np.full(shape, NEVER, np.int32),
        clear_since=np.full(shape, NEVER, np.int32),
        seen=np.full(size, seen, np.int32),
    )


def step_many(many: Alerts, minutes: Ints, samples: Samples, terms: Terms) -> None:
    """`rules.alerts.step`, in place, for every rule and series with the sample of its minute."""
    known = samples.known
    enter = breached(samples, terms)
    busy = np.flatnonzero(known & (enter.any(axis=0) | many.state.any(axis=0)))
    if busy.size:
        stay = breached(samples.of(busy), terms.of(busy), MARGIN)
        many.put(busy, _stepped(many.of(busy), minutes[busy], (enter[:, busy], stay), terms.of(busy)))
    np.copyto(many.seen, minutes, where=known)


def _stepped(many: Alerts, minute: Ints, breach: tuple[Flags, Flags], terms: Terms) -> Alerts:
    enter, stay = breach
    firing = many.state == State.FIRING
    breaches = np.where(firing, stay, enter)
    lasting = firing | ((many.state == State.PENDING) & (minute - many.seen <= terms.stale_after))
    since = np.where(lasting, many.since, minute)
    clear_since = np.where(many.clear_since == NEVER, minute, many.clear_since)
    kept = firing & (breaches | (minute - clear_since < terms.keep_firing_for))
    fires = kept | (breaches & (minute - since >= terms.hold))
    active = kept | breaches
    return Alerts(
        state=active.astype(np.int8) + fires,
        since=np.where(active, since, NEVER),
        clear_since=np.where(kept & ~breaches, clear_since, NEVER),
        seen=minute,
    )


@dataclass(frozen=True, slots=True)
class Transitions(Aligned):
    """Changes of state, by minute; each says from which state (`before`) to which (`after`)."""

    place: Ints
    rule: Bytes
    before: Bytes
    after: Bytes
    minute: Ints


NONE = Transitions(*np.empty((1, 0), np.int32), *np.empty((3, 0), np.int8), *np.empty((1, 0), np.int32))


class Kept(NamedTuple):
    """What must survive a restart of one alert: as it was told, and as it was settled at a minute."""

    place: int
    rule: Rule
    told: Alert
    settled: Alert
    settled_at: int


class Lives:
    """The lives of all alerts by a series' place; single-threaded, and grown as higher places come.

    window: for how many minutes back, more than REVISED, samples can be had. told: the minute up to which
    changes were told already by whoever was here before; for a series without a life up to it only the
    difference is told.
    """

    def __init__(self, window: int, told: int = NEVER) -> None:
        self.told, self._settled = alerts(FIRST, told), alerts(FIRST)
        self._settled_at = np.full(FIRST, NEVER, np.int32)
        self._window, self._told_before = window, told

    def advance(self, places: Ints, newest: Ints, terms: Terms, samples_at: SamplesAt) -> Transitions:
        """Judge what samples came, or came anew, for some series; return what became of their alerts.

        places: each once. newest: the minute of each one's newest sample. terms: by which to judge each.
        Every change in a minute later than the samples judged before is a transition. What revised minutes
        made different is one more, at the last minute judged before. A sample as old as what is settled
        (REVISED minutes behind the newest one then) is too late and counts for nothing.
        """
        self._reach(places)
        first = self._first(places, newest)
        longest_first = np.argsort(first - newest, kind="stable")  # so that those not yet done are in front
        order = longest_first[: np.count_nonzero(first <= newest)]
        span = places[order], first[order], newest[order]
        return _joined([NONE, *self._replay(*span, terms.of(order), samples_at)])

    def _replay(
        self, places: Ints, first: Ints, newest: Ints, terms: Terms, samples_at: SamplesAt
    ) -> Iterator[Transitions]:
        work, told = self._settled.of(places), self.told.of(places)
        judged = np.minimum(told.seen, newest)
        for turn in range(int((newest - first).max(initial=-1)) + 1):
            now = slice(np.count_nonzero(first + turn <= newest))
            part, minutes = work.of(now), first[now] + turn
            before = np.where(minutes == judged[now], told.state[:, now], part.state)
            step_many(part, minutes, samples_at(places[now], minutes), terms.of(now))
            settled = np.flatnonzero(minutes == newest[now] - REVISED)
            self._settle(places[settled], part.of(settled), minutes[settled])
            tell = np.flatnonzero(minutes >= judged[now])
            yield _changes(places[tell], before[:, tell], part.state[:, tell], minutes[tell])
        self.told.put(places, work)

    def relimit(self, places: Ints, terms: Terms, samples_at: SamplesAt) -> Transitions:
        """Judge the newest sample of some series again because their limit or band changed.

        An alert that is clear by the new terms ends at once: it was not the usage that made it so. What was
        judged until now stands: older samples belong to the old limit, so they are settled.
        """
        self._reach(places)
        judged = np.flatnonzero(self._settled_at[places] != NEVER)
        places, terms = places[judged], terms.of(judged)
        work = self.told.of(places)
        before, minutes = work.state.copy(), work.seen.copy()
        at_once = replace(terms, keep_firing_for=np.zeros_like(terms.keep_firing_for))
        step_many(work, minutes, samples_at(places, minutes), at_once)
        self.told.put(places, work)
        self._settle(places, work, minutes)
        return _changes(places, before, work.state, minutes)

    def settle(self, places: Ints) -> None:
        """What was judged of some series until now stands, by whatever paces they are judged from here on."""
        self._reach(places)
        judged = places[self._settled_at[places] != NEVER]
        told = self.told.of(judged)
        self._settle(judged, told, told.seen)

    def forget(self, places: Ints) -> Transitions:
        """End the alerts of series that are gone; their places can be used again."""
        self._reach(places)
        before, fresh = self.told.of(places), alerts(places.size, self._told_before)
        self.told.put(places, fresh)
        self._settle(places, alerts(places.size), np.full(places.size, NEVER, np.int32))
        return _changes(places, before.state, fresh.state, before.seen)

    def export(self, places: Ints) -> list[Kept]:
        """What must survive a restart of some series' alerts: those inactive both ways need not."""
        self._reach(places)
        live = self.told.state[:, places] | self._settled.state[:, places]
        rule, which = np.nonzero(live)
        place = places[which]
        told, settled = (_alerts(many, rule, place) for many in (self.told, self._settled))
        at = self._settled_at[place].tolist()
        return list(map(Kept, place.tolist(), map(Rule, rule.tolist()), told, settled, at))

    def restore(self, kept: Iterable[Kept]) -> None:
        """Go on where an export left off: of a series nothing or all that was exported of it."""
        for row in kept:
            self._reach(np.array([row.place], np.int32))
            _put(self.told, row.rule, row.place, row.told)
            _put(self._settled, row.rule, row.place, row.settled)
            self._settled_at[row.place] = row.settled_at

    def _reach(self, places: Ints) -> None:
        size = self._settled_at.size
        while size <= places.max(initial=-1):
            size *= 2
        if size > self._settled_at.size:
            had = np.arange(self._settled_at.size, dtype=np.int32)
            told, settled, settled_at = self.told, self._settled, self._settled_at
            self.told, self._settled = alerts(size, self._told_before), alerts(size)
            self._settled_at = np.full(size, NEVER, np.int32)
            self.told.put(had, told)
            self._settle(had, settled, settled_at)

    def _first(self, places: Ints, newest: Ints) -> Ints:
        """The minute from which to judge each series again.

        Where a sample after the settled ones has left the window, what was told stands.
        """
        oldest = newest - self._window + 1
        settled_at = self._settled_at[places]
        lost = places[(settled_at != NEVER) & (settled_at < oldest - 1)]
        self._settle(lost, self.told.of(lost), self.told.seen[lost])
        return np.maximum(self._settled_at[places] + 1, oldest)

    def _settle(self, places: Index, many: Alerts, minutes: Ints) -> None:
        self._settled.put(places, many)
        self._settled_at[places] = minutes


def _changes(places: Ints, before: Bytes, after: Bytes, minutes: Ints) -> Transitions:
    rule, series = np.nonzero(before != after)
    changed = before[rule, series], after[rule, series]
    return Transitions(places[series], rule.astype(np.int8), *changed, minutes[series])


def _joined(parts: list[Transitions]) -> Transitions:
    """All of them, by minute."""
    names = [field.name for field in fields(Transitions)]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Transitions(**joined).of(np.argsort(joined["minute"], kind="stable"))


def _alerts(many: Alerts, rules: Index, places: Ints) -> Iterator[Alert]:
    """Those of each rule on the series at its place."""
    state, *since = (column[rules, places].tolist() for column in (many.state, many.since, many.clear_since))
    return map(Alert, map(State, state), *since, many.seen[places].tolist())


def _put(many: Alerts, rule: Rule, place: int, alert: Alert) -> None:
    many.state[rule, place] = alert.state
    many.since[rule, place] = alert.since
    many.clear_since[rule, place] = alert.clear_since
    many.seen[place] = alert.seen
