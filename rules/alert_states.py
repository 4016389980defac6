"""The states of all alerts as columns. The order in which samples arrive does not affect the states.

CloudWatch revises a minute for about ten minutes. So two states of each series are stored: the `current`
state after its newest sample, and the `settled` state some minutes before, which revisions no longer affect.
When samples arrive, a series is evaluated again from its settled state, minute by minute.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np

from rules.alert_rules import Rule
from rules.alerts import (
    MARGIN,
    NEVER,
    Alert,
    AlertCriteria,
    AlertState,
    ColumnGroup,
    Index,
    Samples,
    breaches,
)
from rules.arrays import Flags, Int8s, Ints

REVISION_MINUTES = 10  # minutes before the newest sample of a series that can still change
INITIAL_CAPACITY = 1024  # slots; doubled as needed
# Samples that one call reads: many minutes of few series, or few minutes of many series.
SAMPLES_AT_ONCE = 1 << 14

# The rules that a sample of an incomplete minute cannot clear, because its sums may still grow into a breach.
# Growing sums can clear `below`, but not breach it.
NEEDS_COMPLETE_MINUTE = np.array([rule is not Rule.BELOW for rule in Rule])[:, None]

# The rules that do not apply where only throttled demand is judged.
JUDGES_USAGE = np.array([rule is not Rule.SATURATED for rule in Rule])[:, None]

# Returns the samples of slots, each in a minute of its own; NaN where there is no sample.
SamplesAt = Callable[[Ints, Ints], Samples]


@dataclass(frozen=True, slots=True)
class AlertColumns(ColumnGroup):
    """The alerts of many series, one row per rule (see `Alert`); `last_sample` is the same for all rules."""

    state: Int8s
    since: Ints
    clear_since: Ints
    last_sample: Ints


def inactive_alerts(size: int, last_sample: int = NEVER) -> AlertColumns:
    """Return the inactive alerts of `size` series. last_sample: the minute of their last sample."""
    shape = len(Rule), size
    return AlertColumns(
        state=np.zeros(shape, np.int8),
        since=np.full(shape, NEVER, np.int32),
        clear_since=np.full(shape, NEVER, np.int32),
        last_sample=np.full(size, last_sample, np.int32),
    )


@dataclass(frozen=True, slots=True)
class JudgedSamples:
    """Samples, with flags that are computed once for all samples that are read together.

    has_sample: true for each series that has a sample. tells_throttling: its throttled demand is known.
    enter: the rules that the sample breaches, without the margin of a firing alert.
    """

    samples: Samples
    has_sample: Flags
    tells_throttling: Flags
    enter: Flags

    @classmethod
    def of(cls, samples: Samples, criteria: AlertCriteria) -> Self:
        """Judge samples. criteria: one for the series of each sample."""
        has_sample = samples.has_sample
        return cls(
            samples, has_sample, has_sample & ~np.isnan(samples.throttled), breaches(samples, criteria)
        )

    def take(self, index: slice) -> Self:
        """Return the samples of `index`, as views."""
        flags = (self.has_sample[index], self.tells_throttling[index], self.enter[:, index])
        return type(self)(self.samples.take(index), *flags)


def step_many(alerts: AlertColumns, minutes: Ints, samples: Samples, criteria: AlertCriteria) -> None:
    """Apply `rules.alerts.step` to every rule and series, in place. minutes, samples: one for each series."""
    _step_judged(alerts, minutes, JudgedSamples.of(samples, criteria), criteria)


def _step_judged(alerts: AlertColumns, minutes: Ints, judged: JudgedSamples, criteria: AlertCriteria) -> None:
    """Step alerts in place. criteria: of these series, perhaps followed by other series."""
    samples, has_sample = judged.samples, judged.has_sample
    # Only a breach or an active alert can change a state.
    (changeable,) = (has_sample & (judged.enter.any(axis=0) | alerts.state.any(axis=0))).nonzero()
    if changeable.size:
        before, changeable_criteria = alerts.take(changeable), criteria.take(changeable)
        breach = judged.enter[:, changeable], breaches(samples.take(changeable), changeable_criteria, MARGIN)
        stepped = _alerts_after(before, minutes[changeable], breach, changeable_criteria)
        undecided = samples.provisional[changeable] & NEEDS_COMPLETE_MINUTE
        undecided[Rule.SATURATED] |= np.isnan(samples.throttled[changeable])
        undecided |= samples.throttled_alone[changeable] & JUDGES_USAGE
        undecided &= ~_is_breached(before, *breach)
        _restore_where(undecided, stepped, before)
        alerts.put(changeable, stepped)
    np.copyto(alerts.last_sample, minutes, where=has_sample)


def _alerts_after(
    alerts: AlertColumns, minute: Ints, breach: tuple[Flags, Flags], criteria: AlertCriteria
) -> AlertColumns:
    """Return the alerts after a sample of each series, as if every sample were complete and known.

    breach: the rules that each sample breaches without, and with the margin of a firing alert.
    """
    firing = alerts.state == AlertState.FIRING
    breached = _is_breached(alerts, *breach)
    recent = minute - alerts.last_sample <= criteria.stale_after
    continues = firing | ((alerts.state == AlertState.PENDING) & recent)
    since = np.where(continues, alerts.since, minute)
    clear_since = np.where(alerts.clear_since == NEVER, minute, alerts.clear_since)
    stays = firing & (breached | (minute - clear_since < criteria.keep_firing_for))
    fires = stays | (breached & (minute - since >= criteria.pending_for))
    active = stays | breached
    return AlertColumns(
        state=active.astype(np.int8) + fires,
        since=np.where(active, since, NEVER),
        clear_since=np.where(stays & ~breached, clear_since, NEVER),
        last_sample=minute,
    )


def _criteria_in(minutes: Ints, changed_at: Ints, criteria: AlertCriteria) -> AlertCriteria:
    """Return the criteria of the series in these minutes, perhaps followed by those of other series.

    changed_at: the incomplete minute in which the criteria of each series changed: a clear sample of it ends
    alerts at once.
    """
    is_change = minutes == changed_at
    if not is_change.any():
        return criteria
    return _without_delay(criteria.take(slice(minutes.size)), is_change)


def _without_delay(criteria: AlertCriteria, where: Flags) -> AlertCriteria:
    """Return the criteria with a `keep_firing_for` of 0 where `where` is true."""
    return replace(criteria, keep_firing_for=np.where(where, np.int32(0), criteria.keep_firing_for))


def _is_breached(alerts: AlertColumns, enter: Flags, stay: Flags) -> Flags:
    breached: Flags = np.where(alerts.state == AlertState.FIRING, stay, enter)
    return breached


def _restore_where(undecided: Flags, stepped: AlertColumns, before: AlertColumns) -> None:
    """Undo the step of the alerts that an incomplete or unknown sample does not clear."""
    for name in ("state", "since", "clear_since"):
        np.copyto(getattr(stepped, name), getattr(before, name), where=undecided)


def _keep_saturated(replayed: AlertColumns, current: AlertColumns, indices: Index) -> None:
    """Keep the current `saturated` alerts of series without a replayed sample of known throttled demand."""
    for name in ("state", "since", "clear_since"):
        getattr(replayed, name)[Rule.SATURATED, indices] = getattr(current, name)[Rule.SATURATED, indices]


@dataclass(frozen=True, slots=True)
class Transitions(ColumnGroup):
    """Changes of alert states, ordered by minute. before, after: an `AlertState`."""

    slot: Ints
    rule: Int8s
    before: Int8s
    after: Int8s
    minute: Ints


NO_TRANSITIONS = Transitions(
    *np.empty((1, 0), np.int32), *np.empty((3, 0), np.int8), *np.empty((1, 0), np.int32)
)


class SavedAlert(NamedTuple):
    """The states of one alert that are restored after a restart: the current and the settled one.

    settled_at: the minute of the settled state.
    """

    slot: int
    rule: Rule
    current: Alert
    settled: Alert
    settled_at: int


class AlertStates:
    """The alert states of all series, by slot. Not thread-safe; grows with the highest slot.

    window: the number of recent minutes whose samples are available; more than REVISION_MINUTES.
    evaluated_until: the last minute that an earlier process evaluated. A series without saved alerts is
    taken to have been inactive in it.
    """

    def __init__(self, window: int, evaluated_until: int = NEVER) -> None:
        self.current = inactive_alerts(INITIAL_CAPACITY, evaluated_until)
        self._settled = inactive_alerts(INITIAL_CAPACITY)
        self._settled_at = np.full(INITIAL_CAPACITY, NEVER, np.int32)
        # The incomplete minute in which the criteria of a series last changed; NEVER: it was complete.
        self._changed_at = np.full(INITIAL_CAPACITY, NEVER, np.int32)
        self._window, self._evaluated_until = window, evaluated_until

    def advance(
        self, slots: Ints, newest: Ints, criteria: AlertCriteria, samples_at: SamplesAt
    ) -> Transitions:
        """Evaluate series with new or revised samples, and return the transitions of their alerts.

        See `advance_in_parts`.
        """
        return join_transitions(self.advance_in_parts(slots, newest, criteria, samples_at))

    def advance_in_parts(
        self, slots: Ints, newest: Ints, criteria: AlertCriteria, samples_at: SamplesAt
    ) -> Iterator[Transitions]:
        """Evaluate series with new or revised samples, and yield the transitions of their alerts, if any.

        Each part takes some milliseconds. All states change at once, after the last part: if the iteration is
        abandoned before, the states are unchanged, and the series can be evaluated again.

        slots: without duplicates. newest: the minute of the newest sample of each slot.

        Each change of state in a minute that no earlier call evaluated is a transition. All changes in
        minutes that were evaluated and then revised are one more transition, at the last minute that earlier
        calls evaluated. A sample that is REVISION_MINUTES or more older than the newest one is too late and
        ignored.
        """
        self._grow(slots)
        first = self._first_minutes(slots, newest)
        longest_first = np.argsort(first - newest, kind="stable")  # unfinished series stay a prefix
        order = longest_first[: np.count_nonzero(first <= newest)]
        span = slots[order], first[order], newest[order]
        yield from self._replay(*span, criteria.take(order), samples_at)

    def _replay(
        self, slots: Ints, first: Ints, newest: Ints, criteria: AlertCriteria, samples_at: SamplesAt
    ) -> Iterator[Transitions]:
        replayed, current = self._settled.take(slots), self.current.take(slots)
        evaluated_to = np.minimum(current.last_sample, newest)
        throttling_unknown = np.ones(slots.size, np.bool_)  # until a replayed sample tells it
        settle_minutes = newest - REVISION_MINUTES
        settled, settled_at = self._settled.take(slots), self._settled_at[slots]
        changed_at = self._changed_at[slots]
        judged_minutes = _judged_by_minute(slots, first, newest, criteria, samples_at)
        for unfinished, minutes, judged in judged_minutes:
            is_evaluated = minutes == evaluated_to[unfinished]
            is_settled = minutes == settle_minutes[unfinished]
            if not (is_evaluated | is_settled | judged.has_sample).any():
                yield NO_TRANSITIONS  # a minute without samples changes no state
                continue
            part = replayed.take(unfinished)
            # In the last minute evaluated before, transitions begin at the states that were reported then.
            before = np.where(is_evaluated, current.state[:, unfinished], part.state)
            _step_judged(part, minutes, judged, _criteria_in(minutes, changed_at[unfinished], criteria))
            throttling_unknown[unfinished] &= ~judged.tells_throttling
            if is_evaluated.any():
                without_throttling = np.flatnonzero(
                    throttling_unknown[unfinished] & judged.has_sample & is_evaluated
                )
                _keep_saturated(part, current.take(unfinished), without_throttling)
            if is_settled.any():
                settled_series = np.flatnonzero(is_settled)
                settled.put(settled_series, part.take(settled_series))
                settled_at[settled_series] = minutes[settled_series]
            changed = np.flatnonzero(
                (before != part.state).any(axis=0) & (minutes >= evaluated_to[unfinished])
            )
            yield _transitions(slots[changed], before[:, changed], part.state[:, changed], minutes[changed])
        self._settle(slots, settled, settled_at)
        self.current.put(slots, replayed)

    def reevaluate(self, slots: Ints, criteria: AlertCriteria, samples_at: SamplesAt) -> Transitions:
        """Evaluate the newest sample of series again because their limit or band changed.

        An alert that is clear by the new criteria ends at once, regardless of `keep_firing_for`, as the usage
        did not change. If the minute of the sample is incomplete, it ends as soon as that minute is complete.
        The new state is settled, as older samples belong to the old limit; that of an incomplete minute is
        not.
        """
        self._grow(slots)
        positions = np.flatnonzero(self._settled_at[slots] != NEVER)  # of series that were evaluated before
        slots, criteria = slots[positions], criteria.take(positions)
        before, minutes = self.current.take(slots), self.current.last_sample[slots]
        alerts, newest = self.current.take(slots), samples_at(slots, minutes)
        step_many(alerts, minutes, newest, _without_delay(criteria, np.ones(slots.size, np.bool_)))
        self.current.put(slots, alerts)
        complete, incomplete = np.flatnonzero(~newest.provisional), np.flatnonzero(newest.provisional)
        self._settle(slots[complete], alerts.take(complete), minutes[complete])
        self._settle(slots[incomplete], before.take(incomplete), minutes[incomplete] - 1)
        self._changed_at[slots] = np.where(newest.provisional, minutes, NEVER)
        return _transitions(slots, before.state, alerts.state, minutes)

    def settle(self, slots: Ints) -> None:
        """Settle the current state of series, so that changed durations apply to later samples only."""
        self._grow(slots)
        evaluated_slots = slots[self._settled_at[slots] != NEVER]
        current = self.current.take(evaluated_slots)
        self._settle(evaluated_slots, current, current.last_sample)

    def forget(self, slots: Ints) -> Transitions:
        """End the alerts of series that left the fleet. Their slots can be reused."""
        self._grow(slots)
        before, inactive = self.current.take(slots), inactive_alerts(slots.size, self._evaluated_until)
        self.current.put(slots, inactive)
        self._settle(slots, inactive_alerts(slots.size), np.full(slots.size, NEVER, np.int32))
        self._changed_at[slots] = NEVER
        return _transitions(slots, before.state, inactive.state, before.last_sample)

    def export(self, slots: Ints) -> list[SavedAlert]:
        """Return the alerts to store for a restart: each whose current or settled state is not inactive."""
        self._grow(slots)
        active = self.current.state[:, slots] | self._settled.state[:, slots]
        rules, positions = np.nonzero(active)
        alert_slots = slots[positions]
        current, settled = (_alerts(columns, rules, alert_slots) for columns in (self.current, self._settled))
        settled_at = self._settled_at[alert_slots].tolist()
        return list(
            map(SavedAlert, alert_slots.tolist(), map(Rule, rules.tolist()), current, settled, settled_at)
        )

    def restore(self, saved: Iterable[SavedAlert]) -> None:
        """Restore exported alerts. Pass all exported alerts of a series, or none of them."""
        for alert in saved:
            self._grow(np.array([alert.slot], np.int32))
            _put(self.current, alert.rule, alert.slot, alert.current)
            _put(self._settled, alert.rule, alert.slot, alert.settled)
            self._settled_at[alert.slot] = alert.settled_at

    def _grow(self, slots: Ints) -> None:
        """Extend the columns to the highest of these slots."""
        size = self._settled_at.size
        while size <= slots.max(initial=-1):
            size *= 2
        if size > self._settled_at.size:
            old = np.arange(self._settled_at.size, dtype=np.int32)
            current, settled, settled_at = self.current, self._settled, self._settled_at
            changed_at = self._changed_at
            self.current = inactive_alerts(size, self._evaluated_until)
            self._settled = inactive_alerts(size)
            self._settled_at, self._changed_at = np.full((2, size), NEVER, np.int32)
            self.current.put(old, current)
            self._settle(old, settled, settled_at)
            self._changed_at[old] = changed_at

    def _first_minutes(self, slots: Ints, newest: Ints) -> Ints:
        """Return the minute from which to evaluate each series again.

        Where the window no longer reaches back to the settled state, the current state is settled.
        """
        oldest = newest - self._window + 1
        settled_at = self._settled_at[slots]
        expired = slots[(settled_at != NEVER) & (settled_at < oldest - 1)]
        self._settle(expired, self.current.take(expired), self.current.last_sample[expired])
        return np.maximum(self._settled_at[slots] + 1, oldest)

    def _settle(self, slots: Index, alerts: AlertColumns, minutes: Ints) -> None:
        self._settled.put(slots, alerts)
        self._settled_at[slots] = minutes


def _judged_by_minute(
    slots: Ints, first: Ints, newest: Ints, criteria: AlertCriteria, samples_at: SamplesAt
) -> Iterator[tuple[slice, Ints, JudgedSamples]]:
    """Yield the unfinished series, the next minute of each and its sample, until all are finished.

    Series must be ordered by their number of minutes, longest first: the unfinished series are a prefix.
    """
    for offsets, sizes in _read_together(newest - first + 1):
        series = slice(sizes[0]) if len(sizes) == 1 else np.concatenate([np.arange(size) for size in sizes])
        minutes = first[series] + np.repeat(np.array(offsets, np.int32), sizes)
        judged = JudgedSamples.of(samples_at(slots[series], minutes), criteria.take(series))
        for end, size in zip(accumulate(sizes), sizes, strict=True):
            part = slice(end - size, end)
            yield slice(size), minutes[part], judged.take(part)


def _read_together(lengths: Ints) -> Iterator[tuple[range, list[int]]]:
    """Yield the offsets of minutes whose samples are read together, and how many series reach each offset.

    lengths: the number of minutes of each series, in descending order.
    """
    start, end = 0, int(lengths.max(initial=0))
    reaching = np.searchsorted(-lengths, -np.arange(end), side="left").tolist()
    while start < end:
        stop = min(end, start + max(1, SAMPLES_AT_ONCE // reaching[start]))
        yield range(start, stop), reaching[start:stop]
        start = stop


def _transitions(slots: Ints, before: Int8s, after: Int8s, minutes: Ints) -> Transitions:
    rule, series = np.nonzero(before != after)
    changed = before[rule, series], after[rule, series]
    return Transitions(slots[series], rule.astype(np.int8), *changed, minutes[series])


def join_transitions(parts: Iterable[Transitions]) -> Transitions:
    """Return one object with the transitions of all parts, ordered by minute."""
    parts = [NO_TRANSITIONS, *parts]
    names = [field.name for field in fields(Transitions)]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Transitions(**columns).take(np.argsort(columns["minute"], kind="stable"))


def _alerts(columns: AlertColumns, rules: Index, slots: Ints) -> Iterator[Alert]:
    """Yield the alert of each pair of a rule and a slot."""
    state, *since = (
        column[rules, slots].tolist() for column in (columns.state, columns.since, columns.clear_since)
    )
    return map(Alert, map(AlertState, state), *since, columns.last_sample[slots].tolist())


def _put(columns: AlertColumns, rule: Rule, slot: int, alert: Alert) -> None:
    columns.state[rule, slot] = alert.state
    columns.since[rule, slot] = alert.since
    columns.clear_since[rule, slot] = alert.clear_since
    columns.last_sample[slot] = alert.last_sample
