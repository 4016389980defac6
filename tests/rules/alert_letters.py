"""Samples of a series as letters, one for each minute, and the alerts that they must cause."""

import math
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from rules.alert_rules import Rule
from rules.alert_states import AlertColumns, Transitions
from rules.alerts import (
    MARGIN,
    NEVER,
    Alert,
    AlertCriteria,
    AlertDurations,
    AlertState,
    Breach,
    Samples,
    breaches,
    step,
)
from rules.arrays import Ints

NAN = float("nan")
WINDOW = 180  # minutes
# The sample of each letter: utilization and throttled demand; or the bounds of the utilization, throttled
# demand, the highest utilization of other series of the purchase, and maybe `throttled_alone`; see `Samples`.
SAMPLES: Mapping[str, tuple[float, ...]] = {
    "b": (0.10, 0.0),  # below the band
    "l": (0.41, 0.0),  # within the band, yet not clear of `below`
    ".": (0.50, 0.0),  # within the band
    "h": (0.68, 0.0),  # within the band, yet not clear of `above`
    "a": (0.80, 0.0),  # above the band
    "c": (0.95, 0.0),  # near the limit
    "s": (0.50, 1.0),  # throttled in a burst
    "t": (NAN, 0.1),  # throttled, without a known usage
    "?": (0.50, NAN),  # it is unknown whether anything is throttled
    "m": (0.95, NAN),  # it is unknown whether anything is throttled; near the limit
    "z": (NAN, 0.0),  # not throttled, and no known usage: no sample
    "_": (NAN, NAN),  # nothing is known: no sample
    "u": (0.50, 2.00, 0.0, NAN),  # 50 to 200 %: the bounds prove nothing
    "v": (0.95, 9.00, 0.0, NAN),  # even the lower bound is near the limit
    "i": (0.02, 0.10, 0.0, NAN),  # even the upper bound is below the band
    "p": (0.10, 0.10, 0.0, 1.50),  # below the band; another series of the purchase is not below its band
    "n": (0.10, 0.10, 0.0, 1.02),  # below the band; another series of the purchase barely reaches its band
    "P": (0.10, math.inf, 0.0, NAN),  # an incomplete minute; until now below the band
    "A": (0.80, math.inf, 0.0, NAN),  # an incomplete minute, already above the band
    "S": (0.50, math.inf, 1.0, NAN),  # an incomplete minute, already throttled
    "q": (0.10, 0.10, 0.0, math.inf),  # below the band; another series of the purchase is unknown
    "o": (NAN, NAN, 0.0, NAN, True),  # only throttled demand is judged: there is none
    "O": (NAN, NAN, 1.0, NAN, True),  # only throttled demand is judged: there is some
    "x": (NAN, NAN, NAN, NAN, True),  # only throttled demand is judged: it is unknown, so there is no sample
    "Q": (NAN, math.inf, 0.0, NAN, True),  # only throttled demand is judged: none so far in the minute
}
UNKNOWN_THROTTLING = "?mz_x"  # no sample, or one whose throttled demand is unknown
# In minutes.
PENDING_FOR = {Rule.BELOW: 3, Rule.ABOVE: 2, Rule.NEAR: 2, Rule.SATURATED: 0}
KEEP_FIRING_FOR = {Rule.BELOW: 2, Rule.ABOVE: 2, Rule.NEAR: 2, Rule.SATURATED: 3}
STALE_AFTER = 5

History = Mapping[int, str]  # the letters of one series, by minute


def make_criteria(
    size: int, factor: float = 1, low: float = 0.4, throttled_pending_for: int = 0
) -> AlertCriteria:
    """Return the criteria of `size` series, with the bounds of the default band times `factor`."""
    band = [np.full(size, bound * factor, np.float32) for bound in (low, 0.7, 0.9)]
    pending_for = {**PENDING_FOR, Rule.SATURATED: throttled_pending_for}
    durations = [
        np.array([[column[rule]] * size for rule in Rule], np.int32)
        for column in (pending_for, KEEP_FIRING_FOR)
    ]
    return AlertCriteria(
        band[0], band[1], band[2], durations[0], durations[1], np.full(size, STALE_AFTER, np.int32)
    )


def samples(letters: Iterable[str]) -> Samples:
    """Return the samples of one minute, a letter for each series."""
    values = [SAMPLES[letter] for letter in letters]
    rows = [each[:4] if len(each) > 2 else (each[0], each[0], each[1], NAN) for each in values]
    throttled_alone = np.array([len(each) > 4 for each in values], np.bool_)
    utilization, upper_bound, throttled, highest_other = np.array(rows, np.float32).reshape(-1, 4).T
    return Samples(utilization, upper_bound, throttled, highest_other, throttled_alone)


def durations_of(rule: Rule) -> AlertDurations:
    return AlertDurations(PENDING_FOR[rule], KEEP_FIRING_FOR[rule], STALE_AFTER)


@cache
def breach(letter: str, rule: Rule) -> Breach | None:
    """Return whether a sample breaches a rule of the default band; None if there is no sample."""
    sample = samples(letter)
    if not sample.has_sample.all():
        return None
    certain = rule is Rule.BELOW or not sample.provisional[0]
    certain &= rule is not Rule.SATURATED or not np.isnan(sample.throttled[0])
    certain &= rule is Rule.SATURATED or not sample.throttled_alone[0]
    enter, stay = (bool(breaches(sample, make_criteria(1), margin)[rule, 0]) for margin in (0, MARGIN))
    return Breach(enter, stay, certain)


def expected_alerts(history: History, rule: Rule) -> list[tuple[int, Alert]]:
    """Return minute and alert after each sample, computed one by one with `step`."""
    alert, alerts = Alert(), []
    for minute in sorted(history):
        alert = step(alert, minute, breach(history[minute], rule), durations_of(rule))
        alerts.append((minute, alert))
    return alerts


def alert_of(many: AlertColumns, rule: Rule, slot: int) -> Alert:
    """Return the alert of a rule on the series of a slot."""
    state, since, clear_since = (
        int(column[rule, slot]) for column in (many.state, many.since, many.clear_since)
    )
    return Alert(AlertState(state), since, clear_since, int(many.last_sample[slot]))


class SampleHistory:
    """The samples written so far, to pass as `samples_at` to `AlertStates`."""

    def __init__(self) -> None:
        self.written: dict[tuple[int, int], str] = {}

    def write(self, slot: int, minute: int, letter: str) -> None:
        before = self.written.get((slot, minute), "_")
        if letter not in UNKNOWN_THROTTLING or before in UNKNOWN_THROTTLING:  # known throttling stays known
            self.written[slot, minute] = letter

    def history(self, slot: int) -> History:
        return {minute: letter for (at, minute), letter in self.written.items() if at == slot}

    def newest(self, slots: Ints) -> Ints:
        return np.array([max(self.history(slot), default=NEVER) for slot in slots.tolist()], np.int32)

    def __call__(self, slots: Ints, minutes: Ints) -> Samples:
        pairs = zip(slots.tolist(), minutes.tolist(), strict=True)
        return samples(self.written.get(key, "_") for key in pairs)


def transition_rows(transitions: Transitions) -> list[tuple[int, Rule, int, AlertState, AlertState]]:
    """Return the transitions as (slot, rule, minute, before, after)."""
    columns = (column.tolist() for column in (transitions.slot, transitions.rule, transitions.minute))
    states = (column.tolist() for column in (transitions.before, transitions.after))
    rows = zip(*columns, *states, strict=True)
    return [
        (slot, Rule(rule), minute, AlertState(before), AlertState(after))
        for slot, rule, minute, before, after in rows
    ]
