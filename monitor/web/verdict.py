"""The verdict on a series, which its page says first: what happens, how likely that is, and how sure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from collectors.base import Unobservable
from monitor.fleet.outlook import TrackRecord
from monitor.fleet.reach import Reach
from monitor.lib.percent import format_percent
from monitor.render.text import format_rate, time_element
from rules.band import Zone
from rules.forecast_features import HORIZON_WORDS, HORIZONS
from rules.signals import Signal
from rules.units import UnitKind

HORIZON_TEXT = "3 d"  # the last of HORIZONS
NO_TRACK = "No track record yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known of a series now.

    limit: as text; None if it is unknown. utilization: None if it is unknown. throttled: demand per second;
    None if it is unknown. since: when it entered its zone, in epoch seconds; None: longer ago than is known.
    sampled: the time of its newest sample. track: of its forecasts; None without a history. now: the minute.
    """

    signal: Signal
    zone: Zone
    limit: str | None
    utilization: float | None
    throttled: float | None
    since: int | None
    sampled: int | None
    unobservable: Unobservable | None
    reach: Reach
    track: TrackRecord | None
    deliberate: bool
    now: int


def what_happens(one: Situation) -> Markup:
    """Return what happens, in one or two sentences."""
    unknown = _unknown(one)
    if unknown and one.zone is not Zone.SATURATED:
        return unknown
    sentences = [_throttled(one), unknown or _reach(one)]
    if one.zone is Zone.SATURATED or one.reach.is_reached or one.reach.minutes:
        sentences.append(Markup("{}").format(one.signal.why))
    return Markup(" ").join(filter(None, sentences))


def _unknown(one: Situation) -> Markup:
    """Return why nothing can be said of its limit; empty where something can."""
    if one.unobservable:
        return Markup("Not known how full it is: {}.").format(one.unobservable.reason)
    if one.limit is None:
        return Markup("Not known how full it is: no source tells its limit.")
    if one.zone is not Zone.STALE:
        return Markup("")
    if one.sampled is None:
        return Markup("Not known how full it is: no sample has been read yet.")
    text = Markup("Not known how full it is now: the newest sample, of {}, is too old to be judged.")
    return text.format(time_element(one.sampled))


def _throttled(one: Situation) -> Markup:
    if one.zone is not Zone.SATURATED or not one.throttled:
        return Markup("")
    since = Markup(", since {}").format(time_element(one.since)) if one.since else ""
    if one.signal.saturation_is_state:
        return Markup("Demand is throttled <strong>now</strong>{}.").format(since)
    return Markup("<strong>{}</strong> are throttled <strong>now</strong>{}.").format(
        format_rate(one.throttled), since
    )


def _reach(one: Situation) -> Markup:
    """Return when the limit is reached; the five cases stay different."""
    reach = one.reach
    if reach.is_reached:
        return Markup("It is <strong>at {}</strong>.").format(_limit(one))
    if reach.minutes:
        text = Markup("Reaches {} <strong>{}</strong> ({}), <strong>{} likely</strong> within {}.")
        times = dict.fromkeys(time_element(60 * max(reach.minutes[at], one.now)) for at in (0, -1))
        horizon = HORIZON_WORDS[HORIZONS[reach.horizon]]
        return text.format(
            _limit(one),
            reach.range(one.now).replace("-", " to "),
            Markup(" to ").join(times),
            _likely(reach.probability[reach.horizon]),
            spaced(horizon),
        )
    if reach.probability:
        text = Markup("Does not reach {} within {}: <strong>{}</strong> likely.")
        return text.format(_limit(one), HORIZON_TEXT, _likely(reach.probability[-1]))
    return Markup("{}No forecast{}.").format(_at_present(one), _missing(reach))


def _limit(one: Situation) -> str:
    if one.reach.ceiling:
        ceiling = one.signal.unit.format(one.reach.ceiling)
        return f"its effective ceiling of {ceiling} (its limit is {one.limit})"
    return f"its limit of {one.limit}"


def _at_present(one: Situation) -> str:
    if one.utilization is None:
        return ""
    limit = "" if one.signal.unit.kind is UnitKind.PERCENT else f" of {one.limit}"
    return f"At {format_percent(one.utilization)} of its limit{limit}. "


def _missing(reach: Reach) -> str:
    return f" yet: {reach.missing or 'no history of it is kept so far'}"


def how_sure(one: Situation) -> str:
    """Return how sure that is: the probability by horizon, and how earlier forecasts came out."""
    if not one.reach.probability or one.reach.is_reached or one.unobservable:
        return ""
    pairs = zip(one.reach.probability, HORIZONS, strict=False)
    texts = [
        f"{_likely(probability)} within {spaced(HORIZON_WORDS[horizon])}" for probability, horizon in pairs
    ]
    return f"How sure: {', '.join(texts)}, by the usage of the last 14 days. {track_text(one.track)}"


def track_text(track: TrackRecord | None) -> str:
    """Return how the forecasts of a fortnight came out: `came true 3 of 4 times`."""
    if track is None or not (track.announced or track.reached):
        return NO_TRACK
    parts: Sequence[str] = (
        f"Forecasts of this series came true {_times(track.came_true, track.announced)} in 14 d"
        if track.announced
        else "In 14 d, no forecast said that it reaches the limit of now",
        f"it reached the limit {_count(track.reached)}, {_foreseen(track)}"
        if track.reached
        else "it never reached the limit",
    )
    return "; ".join(parts) + "."


def _times(some: int, every: int) -> str:
    return f"{some} of {every} times" if every != 1 else f"{some} of 1 time"


def _count(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _foreseen(track: TrackRecord) -> str:
    if not track.came_true:
        return "not foreseen"
    if track.came_true < track.reached:
        return f"{track.came_true} of them foreseen"
    return "foreseen" if track.reached == 1 else "all foreseen"


def _likely(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def spaced(horizon: str) -> str:
    """Return a length of time with a space: `6 h` of `6h`."""
    return f"{horizon[:-1]} {horizon[-1]}"
