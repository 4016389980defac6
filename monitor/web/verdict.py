"""The verdict at the top of a series' page: what happens, and how sure the forecast is."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from collectors.base import Unobservable
from monitor.fleet.outlook import TrackRecord
from monitor.fleet.reach import Reach
from monitor.lib.percent import format_percent
from monitor.render.text import format_rate, time_element
from rules.band import Zone
from rules.forecast_features import HORIZON_TEXTS, HORIZONS
from rules.plurals import agreeing, count_of
from rules.signals import Signal
from rules.units import UnitKind

LAST_HORIZON_TEXT = "3 d"
NO_TRACK = "No track record yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known of a series now.

    limit: as text; None if unknown.
    utilization: None if unknown.
    throttled: demand per second; None if unknown.
    since: when its alert began or, without an alert, when it entered its zone, in epoch seconds; None if it
        entered over three hours ago.
    sampled_at: the time of its newest sample, in epoch seconds.
    track: how its earlier forecasts came out; None without a history.
    now: the current minute, since the epoch.
    """

    signal: Signal
    zone: Zone
    limit: str | None
    utilization: float | None
    throttled: float | None
    since: int | None
    sampled_at: int | None
    unobservable: Unobservable | None
    reach: Reach
    track: TrackRecord | None
    deliberate: bool
    now: int


def what_happens(situation: Situation) -> Markup:
    """Return what happens to the series, in one to three sentences."""
    unknown = _unknown_text(situation)
    if unknown and situation.zone is not Zone.SATURATED:
        return unknown
    sentences = [_throttled_text(situation), unknown or _reach_text(situation)]
    if situation.zone is Zone.SATURATED or situation.reach.is_reached or situation.reach.minutes:
        sentences.append(Markup("{}").format(situation.signal.why))
    return Markup(" ").join(filter(None, sentences))


def _unknown_text(situation: Situation) -> Markup:
    """Return why the present utilization is unknown; empty if it is known."""
    if situation.unobservable:
        return Markup("Not known how full it is: {}.").format(situation.unobservable.reason)
    if situation.limit is None:
        return Markup("Not known how full it is: no source tells its limit.")
    if situation.zone is not Zone.STALE:
        return Markup("")
    if situation.sampled_at is None:
        return Markup("Not known how full it is: no sample has been read yet.")
    text = Markup("Not known how full it is now: the newest sample, of {}, is too old to be judged.")
    return text.format(time_element(situation.sampled_at))


def _throttled_text(situation: Situation) -> Markup:
    if situation.zone is not Zone.SATURATED or not situation.throttled:
        return Markup("")
    since = Markup(", since {}").format(time_element(situation.since)) if situation.since else ""
    if situation.signal.saturation_is_state:
        return Markup("Demand is throttled <strong>now</strong>{}.").format(since)
    return Markup("<strong>{}</strong> are throttled <strong>now</strong>{}.").format(
        format_rate(situation.throttled), since
    )


def _reach_text(situation: Situation) -> Markup:
    """Return when the limit is reached, that it is not reached, or why there is no forecast."""
    reach = situation.reach
    if reach.is_reached:
        return Markup("It is <strong>at {}</strong>.").format(_limit_text(situation))
    if reach.is_expected(situation.now):
        text = Markup("Reaches {} <strong>{}</strong> ({}), <strong>{} likely</strong> within {}.")
        # One time, if both are the same.
        times = dict.fromkeys(time_element(60 * max(reach.minutes[edge], situation.now)) for edge in (0, -1))
        horizon = HORIZON_TEXTS[HORIZONS[reach.horizon_index]]
        return text.format(
            _limit_text(situation),
            reach.time_text(situation.now).replace("-", " to "),
            Markup(" to ").join(times),
            _percent_text(reach.probability[reach.horizon_index]),
            with_space(horizon),
        )
    if reach.probability:
        text = Markup("Reaches {} within {} with a probability of <strong>{}</strong>.")
        return text.format(_limit_text(situation), LAST_HORIZON_TEXT, _percent_text(reach.probability[-1]))
    return Markup("{}No forecast{}.").format(_present_text(situation), _missing_text(reach))


def _limit_text(situation: Situation) -> str:
    if situation.reach.ceiling:
        ceiling = situation.signal.unit.format(situation.reach.ceiling)
        return f"its effective ceiling of {ceiling} (its limit is {situation.limit})"
    return f"its limit of {situation.limit}"


def _present_text(situation: Situation) -> str:
    if situation.utilization is None:
        return ""
    limit = "" if situation.signal.unit.kind is UnitKind.PERCENT else f" of {situation.limit}"
    return f"At {format_percent(situation.utilization)} of its limit{limit}. "


def _missing_text(reach: Reach) -> str:
    return f" yet: {reach.missing_reason or 'no history of it is kept so far'}"


def how_sure(situation: Situation) -> str:
    """Return how sure the forecast is: the probability by horizon, and how earlier forecasts came out."""
    if not situation.reach.probability or situation.reach.is_reached or situation.unobservable:
        return ""
    pairs = zip(situation.reach.probability, HORIZONS, strict=False)
    texts = [
        f"{_percent_text(probability)} within {with_space(HORIZON_TEXTS[horizon])}"
        for probability, horizon in pairs
    ]
    return f"How sure: {', '.join(texts)}, by the usage of the last 14 days. {track_text(situation.track)}"


def track_text(track: TrackRecord | None) -> str:
    """Return how the forecasts of a fortnight came out: `came true 3 of 4 times`."""
    if track is None or not (track.announced_count or track.reached_count):
        return NO_TRACK
    came_true = _times_text(track.came_true_count, track.announced_count)
    parts: Sequence[str] = (
        f"Forecasts of this series came true {came_true} in 14 d"
        if track.announced_count
        else "In 14 d, no forecast said that it reaches the present limit",
        f"it reached the limit {_count_text(track.reached_count)}, {_foreseen_text(track)}"
        if track.reached_count
        else "it never reached the limit",
    )
    return "; ".join(parts) + "."


def _times_text(part: int, total: int) -> str:
    return f"{part} of {count_of(total, 'time')}"


def _count_text(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _foreseen_text(track: TrackRecord) -> str:
    if not track.came_true_count:
        return "not foreseen"
    if track.came_true_count < track.reached_count:
        return f"{track.came_true_count} of them foreseen"
    return agreeing(track.reached_count, "foreseen", "all foreseen")


def _percent_text(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def with_space(horizon: str) -> str:
    """Return a duration with a space: `6 h` for `6h`."""
    return f"{horizon[:-1]} {horizon[-1]}"
