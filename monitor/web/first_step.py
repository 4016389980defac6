"""The first thing to do about a series, with its command, its effect and the time that it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Series
from monitor.lib.durations import format_duration
from monitor.lib.percent import format_percent
from monitor.render.commands import command_of_signal
from monitor.render.text import dollars
from monitor.sizing.recommendations import Recommendation
from monitor.web.verdict import LAST_HORIZON_TEXT, Situation
from monitor.what_if.answer import Action, Remedy
from monitor.what_if.remedies import NUMBER, remedy_of, settable_limit
from rules.band import Zone
from rules.forecast import LIKELY, MIN_PROBABILITY
from rules.right_size import Advice, target_utilization
from rules.signals import LimitKind, RemedyKind, Signal
from rules.units import UnitKind

MEDIAN: Final = 2  # the number of the median in FAN_QUANTILES
# Sentences for the user.
OWN_SETTING = "It is a setting of the resource, changed without a request to AWS."
STALE_TEXT = "The list of blind spots names what could not be read, and why."
LIMIT_TEXT = "No source has the limit; `limits` in the configuration sets it."


class HigherLimit(NamedTuple):
    """A higher limit. limit: its value; None if the remedy sets no number. present: the limit in force."""

    remedy: Remedy
    limit: float | None
    present: float


class FirstStep(NamedTuple):
    """The first thing to do. title: without a full stop. effects: sentences. command: may be empty.

    is_urgent: true if the limit may be reached before the remedy takes effect. link: the address of a page
    that helps; may be empty.
    """

    title: str
    effects: Sequence[str] = ()
    command: str = ""
    is_urgent: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """The possible remedies. plan: a higher limit. recommendation: the recommended size of what is bought.

    probabilities_after: the probabilities of reaching the limit if `plan` is carried out; empty if unknown.
    """

    plan: HigherLimit | None
    recommendation: Recommendation | None
    probabilities_after: Sequence[float]


def is_pressing(situation: Situation) -> bool:
    """Return whether something should be done about the limit."""
    if situation.zone is Zone.SATURATED:
        return True
    if situation.deliberate or situation.unobservable or situation.zone is Zone.STALE:
        return False
    return situation.zone >= Zone.ABOVE or bool(
        situation.reach.probability and situation.reach.probability[-1] >= LIKELY
    )


def higher_limit(
    series: Series, usage: float | None, present: float | None, fan: Fan | None
) -> HigherLimit | None:
    """Return the limit with which present and forecast usage is in the middle of the target band.

    usage, present: the present usage and limit in the signal's unit; None if unknown.
    """
    if not present or usage is None:
        return None
    signal, ahead = series.settings.signal, fan.ahead[MEDIAN] if fan and fan.is_known else np.empty(0)
    highest = max([usage, *ahead[np.isfinite(ahead)].tolist()])
    needed = max(highest, present * series.settings.band.high) / target_utilization(series.settings.band)
    limit = settable_limit(signal, needed)
    command = command_of_signal(signal)
    is_number = signal.unit.kind is not UnitKind.PERCENT and bool(command and NUMBER in command.run)
    return HigherLimit(remedy_of(series, limit, present), limit if is_number else None, present)


def first_step(situation: Situation, remedies: Remedies) -> FirstStep:
    """Return the first thing to do."""
    if situation.unobservable and situation.zone is not Zone.SATURATED:
        return _observe(situation)
    if situation.limit is None and situation.zone is not Zone.SATURATED:
        return FirstStep("Tell Headroom the limit", [LIMIT_TEXT])
    if situation.zone is Zone.STALE:
        return FirstStep("See why no sample comes", [STALE_TEXT], link="/blind")
    recommendation = remedies.recommendation
    if is_pressing(situation):
        return _raise_or_resize(situation, remedies)
    if recommendation and recommendation.advice is Advice.LOWER:
        return _resize(situation, recommendation)
    return FirstStep(*_nothing_to_do(situation))


def _raise_or_resize(situation: Situation, remedies: Remedies) -> FirstStep:
    recommendation = remedies.recommendation
    if recommendation and recommendation.advice is Advice.RAISE:
        return _resize(situation, recommendation)
    return _raise(situation, remedies)


def _observe(situation: Situation) -> FirstStep:
    reason = situation.unobservable
    if not reason or not reason.enable_command:
        return FirstStep("Nothing to do here", ["No setting of AWS makes it observable at present."])
    cost = [reason.cost.text] if reason.cost else []
    return FirstStep("Make it observable", cost, reason.enable_command)


def _resize(situation: Situation, recommendation: Recommendation) -> FirstStep:
    effects = []
    if recommendation.utilization is not None and recommendation.items and recommendation.bought:
        before = format_percent(recommendation.utilization)
        after = format_percent(recommendation.utilization * recommendation.bought / recommendation.items)
        effects.append(f"Its expected peak is at {before}; it becomes {after}.")
    if recommendation.monthly_dollars:
        word = "saves" if recommendation.monthly_dollars < 0 else "costs"
        effects.append(
            f"It {word} {dollars(abs(recommendation.monthly_dollars))} a month, by the list price."
        )
    if len(recommendation.series) > 1:
        effects.append(f"{len(recommendation.series)} limits share what is bought.")
    if is_pressing(situation):
        effects.append(_duration_sentence(situation.signal))
    change = f"{recommendation.change[0].upper()}{recommendation.change[1:]}"
    return FirstStep(
        change, effects, recommendation.command or "", is_pressing(situation) and _is_urgent(situation)
    )


def _raise(situation: Situation, remedies: Remedies) -> FirstStep:
    signal, plan = situation.signal, remedies.plan
    if plan is None:
        return FirstStep(
            _without_stop(signal.remedy[0]), [_duration_sentence(signal)], is_urgent=_is_urgent(situation)
        )
    remedy = plan.remedy
    if remedy.pending_is_enough:
        sentences = ["What was asked for is enough.", "If it is urgent, name the request to AWS Support."]
        return FirstStep("Wait for the request that is pending", sentences, is_urgent=_is_urgent(situation))
    if remedy.action is Action.REDESIGN:
        return FirstStep(
            _without_stop(signal.remedy[0]),
            [_duration_sentence(signal)],
            remedy.command,
            _is_urgent(situation),
        )
    is_own_setting = signal.kind is LimitKind.QUOTA and signal.remedy_kind is RemedyKind.CHANGE
    if is_own_setting and signal.remedy_hours is None:
        effects = [OWN_SETTING, *_effects_of(situation, plan, remedies.probabilities_after)]
        return FirstStep(_without_stop(remedy.text), effects, remedy.command, situation.reach.is_reached)
    effects = [_duration_sentence(signal), *_effects_of(situation, plan, remedies.probabilities_after)]
    if remedy.pending:
        effects.append("The request that is pending asks for less.")
    return FirstStep(_without_stop(remedy.text), effects, remedy.command, _is_urgent(situation))


def _effects_of(situation: Situation, plan: HigherLimit, probabilities_after: Sequence[float]) -> list[str]:
    """Return sentences about the effects of a higher limit; none if they cannot be computed."""
    if plan.limit is None or situation.utilization is None:
        return []
    after_raise = situation.utilization * plan.present / plan.limit
    more = " and what throttled demand adds" if situation.zone is Zone.SATURATED else ""
    effects = [
        f"{format_percent(situation.utilization)} of the limit becomes {format_percent(after_raise)}{more}."
    ]
    if probabilities_after and situation.reach.probability:
        before = format_percent(situation.reach.probability[-1])
        after = format_percent(probabilities_after[-1])
        effects.append(
            f"The probability of reaching it within {LAST_HORIZON_TEXT} becomes {after} instead of {before}."
        )
    return effects


def _duration_sentence(signal: Signal) -> str:
    duration = format_duration(60 * signal.remedy_minutes)
    if signal.remedy_kind is RemedyKind.REQUEST:
        return f"AWS takes about {duration} to decide."
    return f"It takes about {duration}."


def _is_urgent(situation: Situation) -> bool:
    if situation.reach.is_reached or not situation.reach.minutes:
        return situation.reach.is_reached
    minutes_left = situation.reach.minutes[0] - situation.now
    return minutes_left <= situation.signal.remedy_minutes


def _nothing_to_do(situation: Situation) -> tuple[str, list[str]]:
    if situation.deliberate:
        return "Leave it", ["The limit is set on purpose.", _throttling_sentence(situation)]
    highest = situation.reach.probability[-1] if situation.reach.probability else None
    if highest is None:
        return "Leave it for now", [
            f"{situation.zone.word.capitalize()} the target band; there is no forecast yet."
        ]
    probability = format_percent(highest)
    likely = f"It reaches the limit within {LAST_HORIZON_TEXT} with a probability of {probability}."
    if highest < MIN_PROBABILITY:
        title = f"Leave it: unlikely to reach its limit within {LAST_HORIZON_TEXT}"
        return title, [likely, _throttling_sentence(situation)]
    return "Leave it for now", [likely]


def _throttling_sentence(situation: Situation) -> str:
    """Return whether demand is throttled, of a series that is not saturated."""
    if situation.throttled is None:
        return "Whether demand is throttled is not known."
    return "Throttled demand is within the tolerance." if situation.throttled else "Nothing is throttled."


def _without_stop(sentence: str) -> str:
    return sentence.removesuffix(".")
