"""The states of many alerts, compared with alerts that are stepped one by one, with samples in order.

`tests.rules.alert_letters` explains the letters of samples.
"""

from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.alert_rules import Rule
from rules.alert_states import (
    INITIAL_CAPACITY,
    REVISION_MINUTES,
    AlertStates,
    JudgedSamples,
    inactive_alerts,
    step_many,
)
from rules.alerts import Alert, AlertState, Samples, step
from rules.arrays import Ints
from tests.rules.alert_letters import (
    SAMPLES,
    STALE_AFTER,
    WINDOW,
    SampleHistory,
    alert_of,
    breach,
    durations_of,
    expected_alerts,
    make_criteria,
    samples,
    transition_rows,
)

START = 29_000_000  # minutes since the epoch
SLOTS = [0, 3, INITIAL_CAPACITY + 1]  # the last slot makes the columns grow

letters = st.sampled_from(list(SAMPLES))
# Of a write: the slot, the minutes before the newest sample of the slot (after it if negative), the letter.
writes = st.tuples(st.sampled_from(SLOTS), st.integers(-STALE_AFTER - 2, REVISION_MINUTES - 1), letters)
batches = st.lists(writes, max_size=12)


def array(slots: Sequence[int]) -> Ints:
    return np.array(slots, np.int32)


class TrackedStates:
    """Alert states, the samples written so far, and all reported changes."""

    def __init__(self) -> None:
        self.past, self.alert_states = SampleHistory(), AlertStates(WINDOW)
        self.changes_of: dict[tuple[int, Rule], list[tuple[int, AlertState, AlertState]]] = {}

    def feed(self, batch: Sequence[tuple[int, int, str]]) -> None:
        """Write samples (see `writes`), and judge their slots."""
        newest = {slot: max(self.past.history(slot), default=START) for slot in SLOTS}
        for slot, back, letter in batch:
            self.past.write(slot, newest[slot] - back, letter)
        self.judge({slot for slot, _, _ in batch})

    def judge(self, slots: set[int]) -> None:
        """Advance the alerts of slots, and record the transitions."""
        changed_slots = array(sorted(slots))
        transitions = self.alert_states.advance(
            changed_slots, self.past.newest(changed_slots), make_criteria(changed_slots.size), self.past
        )
        assert (np.diff(transitions.minute) >= 0).all()
        for slot, rule, minute, before, after in transition_rows(transitions):
            self.changes_of.setdefault((slot, rule), []).append((minute, before, after))

    def restart(self) -> None:
        """Continue with the states that a restart restores."""
        saved = self.alert_states.export(array(SLOTS))
        self.alert_states = AlertStates(
            WINDOW, evaluated_until=max(minute for _, minute in self.past.written or {(0, START): ""})
        )
        self.alert_states.restore(saved)

    def check(self) -> None:
        """Compare the states with those of each alert stepped alone."""
        self.alert_states.export(array(SLOTS))  # allocates all slots
        for slot in SLOTS:
            for rule in Rule:
                *_, (_, expected) = [(0, Alert()), *expected_alerts(self.past.history(slot), rule)]
                alert = alert_of(self.alert_states.current, rule, slot)
                assert (alert.state, alert.since, alert.clear_since) == (
                    expected.state,
                    expected.since,
                    expected.clear_since,
                )
                changes = [
                    (0, AlertState.INACTIVE, AlertState.INACTIVE),
                    *self.changes_of.get((slot, rule), []),
                ]
                assert all(after is before for (*_, after), (_, before, _) in pairwise(changes))
                assert all(before is not after for _, before, after in changes[1:])
                assert changes[-1][2] is alert.state


@given(st.lists(st.lists(letters, min_size=5, max_size=5), max_size=40), st.data())
def test_many_alerts_are_stepped_like_single_alerts(rows: list[list[str]], data: st.DataObject) -> None:
    many, single = inactive_alerts(5), {(rule, n): Alert() for rule in Rule for n in range(5)}
    minute = START
    for row in rows:
        minute += data.draw(st.integers(1, STALE_AFTER + 2))
        step_many(many, np.full(5, minute, np.int32), samples(row), make_criteria(5))
        for (rule, n), alert in single.items():
            single[rule, n] = step(alert, minute, breach(row[n], rule), durations_of(rule))
            assert alert_of(many, rule, n) == single[rule, n]


@given(st.lists(batches, max_size=10))
def test_samples_written_in_any_order_yield_the_same_alerts(
    written_batches: list[list[tuple[int, int, str]]],
) -> None:
    tracked = TrackedStates()
    for batch in written_batches:
        tracked.feed(batch)
        tracked.check()


@given(st.lists(st.one_of(batches, st.none()), max_size=10))
def test_restarts_neither_lose_nor_repeat_a_change(
    written_batches: list[list[tuple[int, int, str]] | None],
) -> None:
    tracked = TrackedStates()
    for batch in written_batches:
        if batch is None:
            tracked.restart()
        else:
            tracked.feed(batch)
        tracked.check()


@given(st.text(st.sampled_from(list(SAMPLES)), max_size=60), st.lists(st.integers(1, 20)))
def test_every_change_is_reported_however_the_minutes_are_batched(text: str, sizes: list[int]) -> None:
    tracked, minutes = TrackedStates(), iter(enumerate(text, START))
    for size in [*sizes, *[1] * len(text)]:
        for minute, letter in [each for each, _ in zip(minutes, range(size), strict=False)]:
            tracked.past.write(0, minute, letter)
        tracked.judge({0})
    for rule in Rule:
        expected = [(0, Alert()), *expected_alerts(tracked.past.history(0), rule)]
        changes = [
            (minute, before.state, after.state)
            for (_, before), (minute, after) in pairwise(expected)
            if after.state != before.state
        ]
        assert tracked.changes_of.get((0, rule), []) == changes


def test_without_new_samples_no_change_is_reported() -> None:
    tracked = TrackedStates()
    tracked.judge(set())
    assert tracked.changes_of == {}


def saturated_at(*minutes: int) -> TrackedStates:
    """Return alerts of a series that was saturated in these minutes."""
    tracked = TrackedStates()
    for minute in minutes:
        tracked.past.write(0, minute, "s")
        tracked.judge({0})
    return tracked


def test_a_firing_alert_outlives_the_window_without_samples() -> None:
    tracked = saturated_at(START)
    del tracked.past.written[0, START]
    tracked.past.write(0, START + 2 * WINDOW, ".")
    tracked.judge({0})
    assert alert_of(tracked.alert_states.current, Rule.SATURATED, 0).clear_since == START + 2 * WINDOW
    tracked.past.write(0, START + 2 * WINDOW + 3, ".")
    tracked.judge({0})
    ended = (START + 2 * WINDOW + 3, AlertState.FIRING, AlertState.INACTIVE)
    assert tracked.changes_of[0, Rule.SATURATED] == [(START, AlertState.INACTIVE, AlertState.FIRING), ended]


def test_an_alert_stays_while_its_series_has_no_samples() -> None:
    tracked = saturated_at(START)
    tracked.past.written.clear()
    tracked.judge({0})
    assert alert_of(tracked.alert_states.current, Rule.SATURATED, 0) == Alert(
        AlertState.FIRING, START, last_sample=START
    )


def test_the_alerts_of_a_removed_series_end_and_its_slot_can_be_reused() -> None:
    tracked = saturated_at(START, START + 1, START + 2)
    ended = transition_rows(tracked.alert_states.forget(array([0])))
    assert ended == [(0, rule, START + 2, AlertState.FIRING, AlertState.INACTIVE) for rule in list(Rule)[1:]]
    assert tracked.alert_states.export(array([0])) == []
    tracked.past.written.clear()
    tracked.past.write(0, START - 100, "s")
    tracked.judge({0})
    assert tracked.changes_of[0, Rule.SATURATED][-1] == (START - 100, AlertState.INACTIVE, AlertState.FIRING)


def test_without_saved_states_past_changes_are_applied_but_not_reported() -> None:
    tracked = TrackedStates()
    tracked.alert_states = AlertStates(WINDOW, evaluated_until=START + 20)
    slot = SLOTS[-1]
    for minute, letter in enumerate("s...." + "a" * 20, START):
        tracked.past.write(slot, minute, letter)
    tracked.alert_states.reevaluate(array([slot]), make_criteria(1), tracked.past)
    tracked.judge({slot})
    assert tracked.changes_of == {(slot, Rule.ABOVE): [(START + 20, AlertState.INACTIVE, AlertState.FIRING)]}
    assert alert_of(tracked.alert_states.current, Rule.ABOVE, slot).since == START + 5


def test_a_revision_undoes_an_end_after_a_restart_though_the_start_is_out_of_the_window() -> None:
    tracked = TrackedStates()
    for minute, letter in enumerate("aaa" + "h" * WINDOW + "...", START):
        tracked.past.write(0, minute, letter)
        tracked.judge({0})
    tracked.restart()
    tracked.past.write(0, START + WINDOW + 5, "h")
    tracked.judge({0})
    assert alert_of(tracked.alert_states.current, Rule.ABOVE, 0).since == START
    assert tracked.changes_of[0, Rule.ABOVE][-1] == (
        START + WINDOW + 5,
        AlertState.INACTIVE,
        AlertState.FIRING,
    )


def test_flags_say_which_series_have_a_sample_and_known_throttled_demand() -> None:
    unknown = np.nan
    utilization = np.array([0.5, 0.5, 0.5, unknown, unknown], np.float32)
    throttled = np.array([0, 2, unknown, 2, unknown], np.float32)
    judged = JudgedSamples.of(Samples.of_measured(utilization, throttled), make_criteria(5))
    assert judged.has_sample.tolist() == [True, True, True, True, False]
    assert judged.tells_throttling.tolist() == [True, True, False, True, False]


@given(st.lists(batches, min_size=1, max_size=6), st.integers(0, 40))
def test_an_abandoned_evaluation_changes_no_state(
    written_batches: list[list[tuple[int, int, str]]], parts: int
) -> None:
    tracked = TrackedStates()
    for batch in written_batches[:-1]:
        tracked.feed(batch)
    tracked.alert_states.export(array(SLOTS))  # allocates all slots
    before = tracked.alert_states.current.take(array(SLOTS))
    for slot, back, letter in written_batches[-1]:
        tracked.past.write(slot, max(tracked.past.history(slot), default=START) - back, letter)
    changed_slots = array(sorted({slot for slot, _, _ in written_batches[-1]}))
    evaluation = tracked.alert_states.advance_in_parts(
        changed_slots, tracked.past.newest(changed_slots), make_criteria(changed_slots.size), tracked.past
    )
    is_abandoned = len([*islice(evaluation, parts)]) == parts
    if is_abandoned:
        after = tracked.alert_states.current.take(array(SLOTS))
        assert (after.state == before.state).all() and (after.last_sample == before.last_sample).all()
        tracked.judge(set(changed_slots.tolist()))
        tracked.check()
