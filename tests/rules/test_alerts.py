"""The life of an alert as tables, a letter a minute; those of samples are in `tests.rules.alert_stories`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alert_rules import IDLE_PENDING_FOR, KEEP_FIRING_FOR, Rule, Severity
from rules.alert_states import AlertStates
from rules.alerts import MARGIN, AlertState, Samples, breaches
from rules.band import Zone, zones
from rules.signals import Band
from tests.rules.alert_stories import NAN, WINDOW, SampleHistory, make_criteria, transition_rows

START = 29_000_000
ONE = np.array([0], np.int32)
QUOTA = float("nan")  # the `low` of a limit that is not paid for

Row = tuple[str, Rule, *tuple[Any, ...]]


def named(rows: Sequence[Row]) -> list[Any]:
    """The rows of a table, each a case that bears its first cell as its name."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


# The states: . inactive, P pending, F firing, f firing and yet clear, R ended. Each stands after its sample.
# Not minutes: | a restart, + a limit twice as high, - one half as high.
SITUATIONS: list[Row] = [
    ("fires after pending_for, ends after keep_firing_for", Rule.ABOVE, "...aaaaaa.....", "...PPFFFFffR.."),
    ("a breach shorter than pending_for", Rule.ABOVE, "aa.aa...", "PP.PP..."),
    ("flapping before it fires", Rule.ABOVE, "a.a.aa.a", "P.P.PP.P"),
    ("flapping while it fires", Rule.ABOVE, "aaa.a..aa...", "PPFfFffFFffR"),
    ("hysteresis holds on", Rule.ABOVE, "aaahhhhhh...", "PPFFFFFFFffR"),
    ("hysteresis undoes what was clear", Rule.ABOVE, "aaa..h...", "PPFffFffR"),
    ("hysteresis does not enter", Rule.ABOVE, "hhahahaah", "..P.P.PP."),
    ("a gap no longer than a sample counts", Rule.ABOVE, "a____aa", "PPPPPFF"),
    ("a longer gap: the breach begins anew", Rule.ABOVE, "aa_____aaa", "PPPPPPPPPF"),
    ("a gap neither fires nor ends anything", Rule.ABOVE, "aaa_____________a", "PPFFFFFFFFFFFFFFF"),
    ("a gap before anything", Rule.ABOVE, "____aaa", "....PPF"),
    ("clear counts across a gap", Rule.ABOVE, "aaa.________..", "PPFfffffffffR."),
    ("one clear sample after a gap", Rule.ABOVE, "aaa_________...", "PPFFFFFFFFFFffR"),
    ("a breach after a gap undoes what was clear", Rule.ABOVE, "aaa.____a...", "PPFfffffFffR"),
    ("worse does not end it", Rule.ABOVE, "aacsscc...", "PPFFFFFffR"),
    ("refused in a burst is above, too", Rule.ABOVE, "..sss", "..PPF"),
    ("above is not near", Rule.NEAR, "aaaccc...", "...PPFffR"),
    ("refused is as bad as near", Rule.NEAR, "ccsss", "PPFFF"),
    ("refused is a fact at once", Rule.SATURATED, ".s....", ".FfffR"),
    ("refused again and again", Rule.SATURATED, "s..s..s....", "FffFffFfffR"),
    ("refused without usage", Rule.SATURATED, "_t_.___.", ".FFffffR"),
    ("nothing refused without usage is no sample", Rule.SATURATED, "szzzzzz....", "FFFFFFFfffR"),
    ("what may be refused ends nothing", Rule.SATURATED, "s??????....", "FFFFFFFfffR"),
    ("what may be refused begins nothing", Rule.SATURATED, "..??mm..", "........"),
    ("usage counts whatever may be refused", Rule.NEAR, "mmm???", "PPFffR"),
    ("full is not refused", Rule.SATURATED, "cccccc", "......"),
    ("idle for long", Rule.BELOW, "..bbbbbb...", "..PPPFFFffR"),
    ("barely used is still idle", Rule.BELOW, "bbbbllll...", "PPPFFFFFffR"),
    ("barely used is not yet idle", Rule.BELOW, "bbblbbbb", "PPP.PPPF"),
    ("idle and refused is not idle", Rule.BELOW, "bbbsttt", "PPP...."),
    ("idle by one of the limits that were bought together", Rule.BELOW, "bbppppppp", "PP......."),
    ("idle by all of them", Rule.BELOW, "ppbbbbb", "..PPPFF"),
    ("another of them is barely used", Rule.BELOW, "bbbnbbbbnn", "PPP.PPPFFF"),
    ("of another of them nothing is known", Rule.BELOW, "bbbqqq", "PPP..."),
    ("even the upper bound is below the band", Rule.BELOW, "iiiii", "PPPFF"),
    ("an upper bound proves nothing of what is above", Rule.ABOVE, "uuuuuu", "......"),
    ("even the lower bound is near the limit", Rule.NEAR, "uvvvv", ".PPFF"),
    ("bounds that prove nothing end what they proved", Rule.NEAR, "vvvuuu", "PPFffR"),
    ("restart while firing", Rule.ABOVE, "aaa|aa...", "PPF|FFffR"),
    ("restart while pending", Rule.ABOVE, "a|aa", "P|PF"),
    ("restart while clear", Rule.ABOVE, "aaa.|..", "PPFf|fR"),
    ("restart after it ended", Rule.SATURATED, "s....|..", "FfffR|.."),
    ("restart and a gap", Rule.ABOVE, "a|_________aaa", "P|PPPPPPPPPPPF"),
    ("restarts of the quiet", Rule.ABOVE, ".|_|.aaa", ".|.|.PPF"),
    ("a raised limit ends it at once", Rule.ABOVE, "aaaa+aa", "PPFFR.."),
    ("a raised limit undoes what is pending", Rule.ABOVE, "aa+a", "PP.."),
    ("a raised limit does not help enough", Rule.BELOW, "....+....", "....PPPFF"),
    ("a raised limit ends what is clear", Rule.SATURATED, "s.+.", "FfR."),
    ("a raised limit and refused all the same", Rule.SATURATED, "ss+ss", "FFFFF"),
    ("a lowered limit counts from the last sample", Rule.ABOVE, "...-...", "...PPFF"),
    ("a lowered limit is held too", Rule.ABOVE, "...-+...", "...P...."),
    ("a lowered limit and a restart", Rule.ABOVE, "b..-|..", "...P|PF"),
    ("a limit changed before any sample", Rule.ABOVE, "+-aaa", "..PPF"),
    ("a limit changed in a gap", Rule.ABOVE, "aaa____+_a", "PPFFFFFR.."),
]


def lived(rule: Rule, story: str, low: float = 0.4, throttled_pending_for: int = 0) -> str:
    """The states of a rule in a story."""
    past, alert_states, minute, factor, states = SampleHistory(), AlertStates(WINDOW), START, 1.0, ""

    for letter in story:
        before = alert_states.current.state[rule, 0]
        if letter == "|":
            kept, alert_states = alert_states.export(ONE), AlertStates(WINDOW, evaluated_until=minute)
            alert_states.restore(kept)
            states += letter
            continue
        if letter in "+-":
            factor *= 2 if letter == "+" else 0.5
            alert_states.reevaluate(ONE, make_criteria(1, factor, low, throttled_pending_for), past)
        else:
            minute += 1
            past.write(0, minute, letter)
            alert_states.advance(
                ONE, past.newest(ONE), make_criteria(1, factor, low, throttled_pending_for), past
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


@pytest.mark.parametrize(
    ("rule", "story", "states"), [each[1:] for each in SITUATIONS], ids=[s[0] for s in SITUATIONS]
)
def test_alert_states_of_these_zones(rule: Rule, story: str, states: str) -> None:
    assert lived(rule, story) == states


def test_throttled_demand_has_a_pending_for_of_its_own() -> None:
    assert lived(Rule.SATURATED, "ss.sss....", throttled_pending_for=2) == "PP.PPFfffR"
    assert lived(Rule.NEAR, "ss.sss...", throttled_pending_for=5) == "PP.PPFffR"


def test_a_quota_below_its_band_is_no_idle_purchase() -> None:
    assert lived(Rule.BELOW, "bbbbbbbb", low=QUOTA) == "........"


REVISIONS: list[Row] = [
    ("a breach undone before pending_for is over", Rule.ABOVE, "aa", "..", ["1: P>."]),
    ("a breach that began later", Rule.ABOVE, "aa", ".aa", []),
    ("a breach that began later, and fires later", Rule.ABOVE, "aa", ".aaa", ["3: P>F"]),
    ("a firing undone", Rule.ABOVE, "aaaa", "....", ["3: F>."]),
    ("a firing that should not be yet", Rule.ABOVE, "aaa", "a.a", ["2: F>P"]),
    ("a gap filled", Rule.ABOVE, "a_a", "a.a", ["2: F>P"]),
    ("an end undone", Rule.ABOVE, "aaa...", "aaa..a", ["5: .>F"]),
    ("a breach nobody had seen", Rule.SATURATED, "....", "..s.", ["3: .>F"]),
    ("a breach nobody had seen, and over", Rule.SATURATED, ".......", "..s....", []),
    ("beginning and end at once", Rule.SATURATED, ".", "..s....", ["2: .>F", "6: F>."]),
    ("all of it at once", Rule.ABOVE, ".", ".aaaa...", ["1: .>P", "3: P>F", "7: F>."]),
    ("revised and gone on", Rule.SATURATED, "....", "..s.....", ["3: .>F", "6: F>."]),
    ("the last minute that can change", Rule.BELOW, "..........." , ".bbbbbbbbbb", ["10: .>F"]),
    ("what is settled", Rule.ABOVE, "a.........." , "aa........a", ["10: .>P"]),
    ("a minute too late to count", Rule.SATURATED, "." * 13, "sss" + "." * 10, []),
    ("nothing changed", Rule.ABOVE, "aaa..", "aaa..", []),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "first", "then", "tells"), named(REVISIONS))
def test_changed_samples_may_change_alerts_of_past_minutes(
    rule: Rule, first: str, then: str, tells: list[str]
) -> None:
    past, alert_states = SampleHistory(), AlertStates(WINDOW)
    for story in (first, then):
        for minute, letter in enumerate(story):
            past.write(0, minute, letter)
        transitions = alert_states.advance(ONE, past.newest(ONE), make_criteria(1), past)
    changes = [
        (minute, ".PF"[b], ".PF"[a]) for _, of, minute, b, a in transition_rows(transitions) if of is rule
    ]
    assert [f"{minute}: {before}>{after}" for minute, before, after in changes] == tells


NUMBERS = st.floats(0, 2, width=32)
BANDS = st.lists(NUMBERS, min_size=3, max_size=3, unique=True).map(sorted)


@given(
    st.one_of(NUMBERS, st.sampled_from([0.4, 0.7, 0.9, NAN])),
    st.sampled_from([NAN, 0.0, 0.5]),
    st.one_of(st.just([0.4, 0.7, 0.9]), BANDS),
)
def test_a_rule_is_breached_from_its_zone_on(utilization: float, refused: float, band: list[float]) -> None:
    sample = Samples.measured(np.array([utilization], np.float32), np.array([refused], np.float32))
    low, high, near = bounds = [np.array([bound], np.float32) for bound in band]
    judged = replace(make_criteria(1), low=low, high=high, near=near)
    zone = Zone(int(zones(sample.utilization, sample.throttled > 0, *bounds)[0]))
    enter, stay = (breaches(sample, judged, margin)[:, 0] for margin in (0, MARGIN))
    worse = [rule.word for rule in Rule if rule > Rule.BELOW and rule <= zone]
    assert [rule.word for rule in Rule if enter[rule]] == (["below"] if zone is Zone.BELOW else worse)
    assert bool(sample.known[0]) == (zone is not Zone.STALE)
    assert (stay | ~enter).all()


@given(st.floats(2.0**-20, 1, width=32))
def test_every_band_can_be_left_by_using_less(high: float) -> None:
    idle = Samples.measured(np.zeros(1, np.float32), np.zeros(1, np.float32))
    assert not breaches(idle, make_criteria(1, factor=high), MARGIN)[Rule.ABOVE :].any()


def test_a_worse_rule_is_more_severe() -> None:
    severities = [rule.severity for rule in Rule]
    assert severities == [Severity.INFO, Severity.INFO, Severity.WARNING, Severity.CRITICAL]


def test_default_durations_and_band() -> None:
    assert IDLE_PENDING_FOR == 24 * 60
    assert [KEEP_FIRING_FOR[rule] for rule in Rule] == [5, 5, 5, 10]
    assert Band().high * (1 - MARGIN) == pytest.approx(0.665)
