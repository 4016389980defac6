"""The alert states of a fleet: evaluates new samples of series, and stores and restores the states."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from functools import partial
from math import ceil

import msgspec
import numpy as np

from monitor.alerting.evaluated_settings import EvaluatedSettings
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.idleness import UNKNOWN_UTILIZATION, highest_other_ratio_to_low
from monitor.fleet.operations import NAN
from monitor.fleet.provisional import complete_through, is_provisional
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.throttling import is_throttling_unknown
from rules.alert_rules import BELOW_PENDING_FOR, KEEP_FIRING_FOR, WORST_FIRST, Rule
from rules.alert_states import AlertStates, SamplesAt, SavedAlert, Transitions
from rules.alerts import MARGIN, AlertCriteria, AlertState, Samples, breaches
from rules.arrays import Flags, Floats, Ints, distinct_values

DEFAULT_KEEP_FIRING_FOR = np.array([KEEP_FIRING_FOR[rule] for rule in Rule], np.int32)[:, None]

MAX_POLL_DELAY = 2  # minutes by which a poll may be late

_decoder = msgspec.json.Decoder(list[SavedAlert])


def batch_minutes(poll_interval: float) -> int:
    """Return how many minutes of samples one poll may bring. poll_interval: seconds between two polls."""
    return ceil(poll_interval / 60) + MAX_POLL_DELAY


class Lifecycle:
    """Advances the alert states of a fleet's series, by slot.

    evaluated_until: the last minute that an earlier process evaluated. max_batch_minutes: how many minutes
    of samples one poll may bring. Alerts on throttling keep firing for at least that many minutes: otherwise
    an alert that begins with the first sample of a poll could end with the last one, and nobody would be
    notified.
    """

    def __init__(self, fleet: Fleet, evaluated_until: int, max_batch_minutes: int = 0) -> None:
        self._fleet, self.max_batch_minutes = fleet, max_batch_minutes
        self.states = AlertStates(WINDOW, evaluated_until)
        self._evaluated_settings = EvaluatedSettings(fleet)

    def advance_in_parts(self, slots: Ints) -> Iterator[Ints]:
        """Evaluate series that have new samples, and yield the slots where an alert changes state.

        The series are evaluated in parts of some milliseconds. The states are changed together, after the
        last part (see `AlertStates.advance_in_parts`).
        """
        for transitions in self.transitions_in_parts(slots):
            yield transitions.slot

    def transitions_in_parts(self, slots: Ints) -> Iterator[Transitions]:
        """Evaluate series as `advance_in_parts` does, and yield the transitions instead of the slots."""
        criteria, samples_at = self._criteria(slots), self._samples_of(slots)
        newest = self._newest_minutes(slots)
        yield from self.states.advance_in_parts(slots, newest, criteria, samples_at)

    def reevaluate_changed_in_parts(self) -> Iterator[Ints]:
        """Evaluate series whose limit, band, tolerance or durations changed, some slots at a time.

        Yields the slots where an alert changed its state.
        """
        for changed in self._evaluated_settings.take_changes():
            if changed.durations.size:
                self.states.settle(changed.durations)
            yield self._reevaluate(changed.bounds)

    def _reevaluate(self, slots: Ints) -> Ints:
        """Evaluate series with new bounds. Returns the slots where an alert changed its state."""
        if not slots.size:
            return slots
        criteria, samples_at = self._criteria(slots), self._samples_of(slots)
        return distinct_values(self.states.reevaluate(slots, criteria, samples_at).slot)

    def forget(self, departed: Iterable[Series]) -> None:
        """Delete the states of series that left the fleet. Call it before their slots are used again."""
        slots = np.array([series.slot for series in departed], np.int32)
        self.states.forget(slots)
        self._evaluated_settings.forget(slots)

    def rules_in_state(self, slot: int, state: AlertState) -> list[tuple[Rule, int]]:
        """Return the rules in `state` on a series, worst first, each with the minute its breach began."""
        current = self.states.current
        if slot >= current.last_sample.size:
            return []
        states = current.state[:, slot].tolist()
        return [(rule, int(current.since[rule, slot])) for rule in WORST_FIRST if states[rule] == state]

    def breach_minute(self, slot: int, rule: Rule) -> int:
        """Return the minute when the breach of a rule on a series began."""
        return int(self.states.current.since[rule, slot])

    def firing_slots(self, slots: Ints) -> Ints:
        """Return those of the slots on whose series a rule fires."""
        current = self.states.current
        evaluated = slots[slots < current.last_sample.size]
        firing: Ints = evaluated[(current.state[:, evaluated] == AlertState.FIRING).any(axis=0)]
        return firing

    def active_slots(self) -> Ints:
        """Return the slots of all series on which a rule is pending or fires."""
        return np.flatnonzero(self.states.current.state.any(axis=0)).astype(np.int32)

    def save(self, slots: Ints) -> dict[int, bytes | None]:
        """Return the encoded alert states to store for a restart, by slot; None for a slot without alerts."""
        saved: dict[int, list[SavedAlert]] = {slot: [] for slot in slots.tolist()}
        for alert in self.states.export(slots):
            saved[alert.slot].append(alert)
        return {slot: msgspec.json.encode(alerts) if alerts else None for slot, alerts in saved.items()}

    def restore(self, slot: int, saved: bytes) -> None:
        """Restore alert states that `save` returned in an earlier process. slot: the present slot."""
        self.states.restore(alert._replace(slot=slot) for alert in _decoder.decode(saved))

    @staticmethod
    def check(saved: bytes) -> None:
        """Raise ValueError or OverflowError if `save` cannot have returned `saved`."""
        for saved_alert in _decoder.decode(saved):
            minutes = (
                field for alert in (saved_alert.current, saved_alert.settled) for field in astuple(alert)
            )
            np.array([*minutes, saved_alert.settled_at], np.int32)

    def would_stay(self, slot: int, rule: Rule, utilization: float) -> bool:
        """Return true if an alert of the rule would keep firing at this utilization without throttling."""
        sample = Samples.of_measured(np.array([utilization], np.float32), np.zeros(1, np.float32))
        stays = breaches(sample, self._criteria(np.array([slot], np.int32)), MARGIN)
        return bool(stays[min(rule, Rule.NEAR), 0])  # without throttling, SATURATED stays as NEAR does

    def _criteria(self, slots: Ints) -> AlertCriteria:
        fleet = self._fleet
        pending_for = np.repeat(fleet.pending_for[slots][None].astype(np.int32), len(Rule), axis=0)
        pending_for[Rule.BELOW] = BELOW_PENDING_FOR
        pending_for[Rule.SATURATED] = fleet.throttled_pending_for[slots]
        configured = fleet.keep_firing_for[slots]
        keep_firing_for = np.where(configured < 0, DEFAULT_KEEP_FIRING_FOR, configured)
        keep_firing_for[Rule.SATURATED] = np.maximum(keep_firing_for[Rule.SATURATED], self.max_batch_minutes)
        return AlertCriteria(
            low=np.where(fleet.paid[slots], fleet.low[slots], np.float32(np.nan)),
            high=fleet.high[slots],
            near=fleet.near[slots],
            pending_for=pending_for,
            keep_firing_for=keep_firing_for,
            stale_after=fleet.stale_after[slots].astype(np.int32),
        )

    def _newest_minutes(self, slots: Ints) -> Ints:
        """Return the minute of the newest sample of each series."""
        usage_minutes = self._fleet.usages.newest_minutes(self._fleet.rings, slots)
        throttled_minutes = self._fleet.throttled.newest_minutes(self._fleet.rings, slots)
        return np.maximum(usage_minutes, throttled_minutes)

    def _samples_of(self, slots: Ints) -> SamplesAt:
        """Return a function of slots and minutes that returns the sample of each slot in its minute.

        That function accepts only slots of `slots`. The last complete minute of each slot is computed here,
        once for all calls of the function.
        """
        fleet = self._fleet
        last_complete = np.empty(fleet.size, np.int32)
        last_complete[slots] = complete_through(fleet, slots)
        return partial(self._samples, last_complete)

    def _samples(self, last_complete: Ints, slots: Ints, minutes: Ints) -> Samples:
        indices = slots.astype(np.intp)
        judged = self._fleet.judged_at(indices, minutes)
        utilization, upper_bound = judged.utilization_lower_bound, judged.utilization_upper_bound
        provisional = is_provisional(minutes, last_complete[indices])
        throttled_alone = judged.throttled_alone & self._fleet.throttled.has(indices)
        is_sample = (
            ~np.isnan(utilization) | (judged.throttled > 0) | (throttled_alone & ~np.isnan(judged.throttled))
        )
        upper_bound[provisional & is_sample] = np.inf
        unknown = is_throttling_unknown(self._fleet, indices, judged.throttled)
        throttled = np.where(np.isnan(judged.excess) & ~unknown, np.float32(0), judged.excess)
        throttled_or_unknown = unknown | (judged.throttled > 0)
        highest_other = self._highest_other_ratio_to_low(slots, minutes, upper_bound, throttled_or_unknown)
        return Samples(utilization, upper_bound, throttled, highest_other, throttled_alone)

    def _highest_other_ratio_to_low(
        self, slots: Ints, minutes: Ints, upper_bound: Floats, throttled_or_unknown: Flags
    ) -> Floats:
        """Return `Samples.highest_other_ratio_to_low`.

        It is computed only for paid series that may be below the band: only `Rule.BELOW` uses it.

        throttled_or_unknown: true for series whose demand is throttled, or whose throttled demand is unknown.
        """
        fleet, highest = self._fleet, np.where(throttled_or_unknown, UNKNOWN_UTILIZATION, NAN)
        low = fleet.low.take(slots) * (1 + MARGIN)
        indices = np.flatnonzero(fleet.paid.take(slots) & (upper_bound < low) & np.isnan(highest))
        highest[indices] = highest_other_ratio_to_low(fleet, slots[indices], minutes[indices])
        return highest
