"""The states of an alert as tables of letters. `tests.rules.alert_letters` explains those of samples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alert_rules import BELOW_PENDING_FOR, KEEP_FIRING_FOR, Rule, Severity
from rules.alert_states import AlertStates
from rules.alerts import MARGIN, AlertState, Samples, breaches
from rules.band import Zone, zones
from rules.signals import Band
from tests.rules.alert_letters import NAN, WINDOW, SampleHistory, make_criteria, transition_rows

START = 29_000_000  # minutes since the epoch
SLOTS = np.array([0], np.int32)
NO_LOW = float("nan")  # the `low` of a limit that is not paid for

Row = tuple[str, Rule, *tuple[Any, ...]]


def cases(rows: Sequence[Row]) -> list[Any]:
    """Return the rows of a table as test cases; the first cell is the id."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


# The second text has the state after each sample: . inactive, P pending, F firing, f firing though clear,
# R resolved. In the first text, these are no samples: | a restart, + the limit doubles, - the limit halves.
SITUATIONS: list[Row] = [
    ("fires after pending_for, ends after keep_firing_for", Rule.ABOVE, "...aaaaaa.....", "...PPFFFFffR.."),
    ("a breach shorter than pending_for", Rule.ABOVE, "aa.aa...", "PP.PP..."),
    ("flapping before it fires", Rule.ABOVE, "a.a.aa.a", "P.P.PP.P"),
    ("flapping while it fires", Rule.ABOVE, "aaa.a..aa...", "PPFfFffFFffR"),
    ("a sample within the margin keeps the alert firing", Rule.ABOVE, "aaahhhhhh...", "PPFFFFFFFffR"),
    ("a sample within the margin restarts keep_firing_for", Rule.ABOVE, "aaa..h...", "PPFffFffR"),
    ("a sample within the margin begins no breach", Rule.ABOVE, "hhahahaah", "..P.P.PP."),
    ("a gap no longer than stale_after", Rule.ABOVE, "a____aa", "PPPPPFF"),
    ("a gap longer than stale_after restarts the breach", Rule.ABOVE, "aa_____aaa", "PPPPPPPPPF"),
    ("a gap neither fires nor ends an alert", Rule.ABOVE, "aaa_____________a", "PPFFFFFFFFFFFFFFF"),
    ("a gap before the first sample", Rule.ABOVE, "____aaa", "....PPF"),
    ("clear samples count across a gap", Rule.ABOVE, "aaa.________..", "PPFfffffffffR."),
    ("one clear sample after a gap", Rule.ABOVE, "aaa_________...", "PPFFFFFFFFFFffR"),
    ("a breach after a gap restarts keep_firing_for", Rule.ABOVE, "aaa.____a...", "PPFfffffFffR"),
    ("a worse zone does not end the alert", Rule.ABOVE, "aacsscc...", "PPFFFFFffR"),
    ("a throttled burst breaches `above`, too", Rule.ABOVE, "..sss", "..PPF"),
    ("above is not near", Rule.NEAR, "aaaccc...", "...PPFffR"),
    ("throttled demand breaches `near`, too", Rule.NEAR, "ccsss", "PPFFF"),
    ("throttled demand fires at once", Rule.SATURATED, ".s....", ".FfffR"),
    ("throttled again and again", Rule.SATURATED, "s..s..s....", "FffFffFfffR"),
    ("throttled without known usage", Rule.SATURATED, "_t_.___.", ".FFffffR"),
    ("nothing throttled and no known usage is no sample", Rule.SATURATED, "szzzzzz....", "FFFFFFFfffR"),
    ("unknown throttled demand ends no alert", Rule.SATURATED, "s??????....", "FFFFFFFfffR"),
    ("unknown throttled demand begins no alert", Rule.SATURATED, "..??mm..", "........"),
    ("usage counts while throttled demand is unknown", Rule.NEAR, "mmm???", "PPFffR"),
    ("near the limit is not throttled", Rule.SATURATED, "cccccc", "......"),
    ("below for long", Rule.BELOW, "..bbbbbb...", "..PPPFFFffR"),
    ("barely within the band: below keeps firing", Rule.BELOW, "bbbbllll...", "PPPFFFFFffR"),
    ("barely within the band: below does not begin", Rule.BELOW, "bbblbbbb", "PPP.PPPF"),
    ("low usage with throttled demand is not below", Rule.BELOW, "bbbsttt", "PPP...."),
    ("below, but another series of the purchase is not", Rule.BELOW, "bbppppppp", "PP......."),
    ("below by all series of the purchase", Rule.BELOW, "ppbbbbb", "..PPPFF"),
    ("another series of the purchase is barely within its band", Rule.BELOW, "bbbnbbbbnn", "PPP.PPPFFF"),
    ("another series of the purchase is unknown", Rule.BELOW, "bbbqqq", "PPP..."),
    ("even the upper bound is below the band", Rule.BELOW, "iiiii", "PPPFF"),
    ("an upper bound above the band proves no breach", Rule.ABOVE, "uuuuuu", "......"),
    ("even the lower bound is near the limit", Rule.NEAR, "uvvvv", ".PPFF"),
    ("bounds that prove nothing end the alert", Rule.NEAR, "vvvuuu", "PPFffR"),
    ("restart while firing", Rule.ABOVE, "aaa|aa...", "PPF|FFffR"),
    ("restart while pending", Rule.ABOVE, "a|aa", "P|PF"),
    ("restart while clear", Rule.ABOVE, "aaa.|..", "PPFf|fR"),
    ("restart after the alert ended", Rule.SATURATED, "s....|..", "FfffR|.."),
    ("restart and a gap", Rule.ABOVE, "a|_________aaa", "P|PPPPPPPPPPPF"),
    ("restarts without an alert", Rule.ABOVE, ".|_|.aaa", ".|.|.PPF"),
    ("a raised limit ends the alert at once", Rule.ABOVE, "aaaa+aa", "PPFFR.."),
    ("a raised limit ends a pending alert", Rule.ABOVE, "aa+a", "PP.."),
    ("a raised limit begins a breach of `below`", Rule.BELOW, "....+....", "....PPPFF"),
    ("a raised limit ends an alert that is clear", Rule.SATURATED, "s.+.", "FfR."),
    ("throttled in spite of a raised limit", Rule.SATURATED, "ss+ss", "FFFFF"),
    ("a lowered limit counts from the last sample", Rule.ABOVE, "...-...", "...PPFF"),
    ("a lowered limit that is raised again", Rule.ABOVE, "...-+...", "...P...."),
    ("a lowered limit and a restart", Rule.ABOVE, "b..-|..", "...P|PF"),
    ("a limit changed before any sample", Rule.ABOVE, "+-aaa", "..PPF"),
    ("a limit changed in a gap", Rule.ABOVE, "aaa____+_a", "PPFFFFFR.."),
]


def states_after(rule: Rule, letters: str, low: float = 0.4, throttled_pending_for: int = 0) -> str:
    """Return the letters of a rule's states after these samples."""
    past, alert_states, minute, factor, states = SampleHistory(), AlertStates(WINDOW), START, 1.0, ""

    for letter in letters:
        before = alert_states.current.state[rule, 0]
        if letter == "|":
            saved, alert_states = alert_states.export(SLOTS), AlertStates(WINDOW, evaluated_until=minute)
            alert_states.restore(saved)
            states += letter
            continue
        if letter in "+-":
            factor *= 2 if letter == "+" else 0.5
            alert_states.reevaluate(SLOTS, make_criteria(1, factor, low, throttled_pending_for), past)
        else:
            minute += 1
            past.write(0, minute, letter)
            alert_states.advance(
                SLOTS, past.newest(SLOTS), make_criteria(1, factor, low, throttled_pending_for), past
            )
        states += state_letter(alert_states, rule, int(before))
    return states


def state_letter(alert_states: AlertStates, rule: Rule, before: int) -> str:
    """Return the letter of an alert's state: Pending, Firing, firing though clear, Resolved, or a dot."""
    state = AlertState(int(alert_states.current.state[rule, 0]))
    if state is AlertState.FIRING:
        return "f" if alert_states.current.clear_since[rule, 0] > 0 else "F"
    if state is AlertState.PENDING:
        return "P"
    return "R" if before == AlertState.FIRING else "."


@pytest.mark.parametrize(("rule", "letters", "states"), cases(SITUATIONS))
def test_the_states_of_an_alert_after_samples(rule: Rule, letters: str, states: str) -> None:
    assert states_after(rule, letters) == states


def test_throttled_demand_has_a_pending_for_of_its_own() -> None:
    assert states_after(Rule.SATURATED, "ss.sss....", throttled_pending_for=2) == "PP.PPFfffR"
    assert states_after(Rule.NEAR, "ss.sss...", throttled_pending_for=5) == "PP.PPFffR"


def test_a_quota_below_its_band_is_no_idle_purchase() -> None:
    assert states_after(Rule.BELOW, "bbbbbbbb", low=NO_LOW) == "........"


# The first text is written and judged, then the second from the same minute on. The last cell has the changes
# that the second text causes: the minute, and the state of the alert before and after.
REVISIONS: list[Row] = [
    ("a breach undone before pending_for is over", Rule.ABOVE, "aa", "..", ["1: P>."]),
    ("a breach that began later", Rule.ABOVE, "aa", ".aa", []),
    ("a breach that began later, and fires later", Rule.ABOVE, "aa", ".aaa", ["3: P>F"]),
    ("revisions undo a firing alert", Rule.ABOVE, "aaaa", "....", ["3: F>."]),
    ("a revision makes a firing alert pending", Rule.ABOVE, "aaa", "a.a", ["2: F>P"]),
    ("a clear sample fills a gap", Rule.ABOVE, "a_a", "a.a", ["2: F>P"]),
    ("a revision undoes an end", Rule.ABOVE, "aaa...", "aaa..a", ["5: .>F"]),
    ("a late breach", Rule.SATURATED, "....", "..s.", ["3: .>F"]),
    ("a late breach that has ended", Rule.SATURATED, ".......", "..s....", []),
    ("beginning and end arrive together", Rule.SATURATED, ".", "..s....", ["2: .>F", "6: F>."]),
    ("all states arrive together", Rule.ABOVE, ".", ".aaaa...", ["1: .>P", "3: P>F", "7: F>."]),
    ("a late breach, and samples after it", Rule.SATURATED, "....", "..s.....", ["3: .>F", "6: F>."]),
    ("a breach from the oldest revisable minute", Rule.BELOW, "..........." , ".bbbbbbbbbb", ["10: .>F"]),
    ("a revision after a settled minute", Rule.ABOVE, "a.........." , "aa........a", ["10: .>P"]),
    ("samples too late to count", Rule.SATURATED, "." * 13, "sss" + "." * 10, []),
    ("unchanged samples", Rule.ABOVE, "aaa..", "aaa..", []),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "first", "second", "expected"), cases(REVISIONS))
def test_revised_samples_report_the_changes_of_the_alert(
    rule: Rule, first: str, second: str, expected: list[str]
) -> None:
    past, alert_states = SampleHistory(), AlertStates(WINDOW)
    for letters in (first, second):
        for minute, letter in enumerate(letters):
            past.write(0, minute, letter)
        transitions = alert_states.advance(SLOTS, past.newest(SLOTS), make_criteria(1), past)
    changes = [
        (minute, ".PF"[before], ".PF"[after])
        for _, changed_rule, minute, before, after in transition_rows(transitions)
        if changed_rule is rule
    ]
    assert [f"{minute}: {before}>{after}" for minute, before, after in changes] == expected


# The newest sample of the first text is incomplete when the limit changes as in `SITUATIONS`, if it does.
# Then the second text is written from the same minute on, a letter at a time, with the state after each.
INCOMPLETE: list[Row] = [
    ("a raised limit ends an alert once the minute is complete", Rule.SATURATED, "sS", "+", ".", "R"),
    ("without a raised limit, the alert keeps firing", Rule.SATURATED, "sS", "", "....", "fffR"),
    ("a minute that stays incomplete", Rule.ABOVE, "aaaA", "+", "AAa..", "FFffR"),
    ("a minute that is throttled in spite of a raised limit", Rule.SATURATED, "sS", "+", "s....", "FfffR"),
    ("a breach in the next minute", Rule.SATURATED, "sS", "+", ".s....", "RFfffR"),
    ("a limit raised twice in the minute", Rule.ABOVE, "aaaA", "++", "a", "R"),
    ("a raised limit ends a pending alert once the minute is complete", Rule.ABOVE, "aA", "+", "aa", ".."),
    ("a lowered limit counts from the incomplete minute", Rule.ABOVE, "..P", "-", "...", "PPF"),
]


@pytest.mark.parametrize(("rule", "first", "changes", "second", "states"), cases(INCOMPLETE))
def test_a_limit_that_changes_in_an_incomplete_minute_counts_when_the_minute_is_complete(
    rule: Rule, first: str, changes: str, second: str, states: str
) -> None:
    past, alert_states, factor, seen = SampleHistory(), AlertStates(WINDOW), 1.0, ""

    def write(minute: int, letter: str) -> None:
        past.write(0, minute, letter)
        alert_states.advance(SLOTS, past.newest(SLOTS), make_criteria(1, factor), past)

    for minute, letter in enumerate(first):
        write(minute, letter)
    for change in changes:
        factor *= 2 if change == "+" else 0.5
        assert not alert_states.reevaluate(SLOTS, make_criteria(1, factor), past).slot.size
    for minute, letter in enumerate(second, len(first) - 1):
        before = int(alert_states.current.state[rule, 0])
        write(minute, letter)
        seen += state_letter(alert_states, rule, before)
    assert seen == states


NUMBERS = st.floats(0, 2, width=32)
BANDS = st.lists(NUMBERS, min_size=3, max_size=3, unique=True).map(sorted)


@given(
    st.one_of(NUMBERS, st.sampled_from([0.4, 0.7, 0.9, NAN])),
    st.sampled_from([NAN, 0.0, 0.5]),
    st.one_of(st.just([0.4, 0.7, 0.9]), BANDS),
)
def test_a_rule_is_breached_in_its_zone_and_in_worse_zones(
    utilization: float, throttled: float, band: list[float]
) -> None:
    sample = Samples.of_measured(np.array([utilization], np.float32), np.array([throttled], np.float32))
    low, high, near = bounds = [np.array([bound], np.float32) for bound in band]
    criteria = replace(make_criteria(1), low=low, high=high, near=near)
    zone = Zone(int(zones(sample.utilization, sample.throttled > 0, *bounds)[0]))
    enter, stay = (breaches(sample, criteria, margin)[:, 0] for margin in (0, MARGIN))
    high_usage_rules = [rule.word for rule in Rule if rule > Rule.BELOW and rule <= zone]
    assert [rule.word for rule in Rule if enter[rule]] == (
        ["below"] if zone is Zone.BELOW else high_usage_rules
    )
    assert bool(sample.has_sample[0]) == (zone is not Zone.STALE)
    assert (stay | ~enter).all()


@given(st.floats(2.0**-20, 1, width=32))
def test_zero_usage_is_clear_of_the_rules_on_high_usage_in_every_band(high: float) -> None:
    idle = Samples.of_measured(np.zeros(1, np.float32), np.zeros(1, np.float32))
    assert not breaches(idle, make_criteria(1, factor=high), MARGIN)[Rule.ABOVE :].any()


def test_a_worse_rule_is_more_severe() -> None:
    severities = [rule.severity for rule in Rule]
    assert severities == [Severity.INFO, Severity.INFO, Severity.WARNING, Severity.CRITICAL]


def test_the_default_durations_are_as_documented_and_above_clears_at_66_5_percent() -> None:
    assert BELOW_PENDING_FOR == 24 * 60
    assert [KEEP_FIRING_FOR[rule] for rule in Rule] == [5, 5, 5, 10]
    assert Band().high * (1 - MARGIN) == pytest.approx(0.665)
