"""The time until a series reaches its limit, in the words of the pages: a range and its likelihood."""

from dataclasses import dataclass
from typing import Final

from monitor.fleet.reach import DAY_MINUTES, HOUR, MAX_IN_HOURS, MAX_IN_MINUTES, NEEDED_DAYS, Reach
from rules.forecast_features import HORIZON_TEXTS, HORIZONS

SOON: Final = 6 * HOUR  # minutes; a limit that may be reached within them has the colour of `near`
MAX_DAYS: Final = HORIZONS[-1] // DAY_MINUTES
SPACE: Final = "\u00a0"  # between an amount and its unit
WHOLE_FROM: Final = 10  # hours or days; from 10 up, amounts have no fraction
AT_LIMIT: Final = "at its limit"


@dataclass(frozen=True, slots=True)
class ForecastWords:
    """The words about a forecast.

    when: a range of times, or the reason why there is no range. probability: as text, `92 %`; empty without
    a range. colour_zone: the word of the zone whose colour is shown; empty if no limit is near. is_known:
    false if no forecast could be made.
    """

    when: str
    probability: str = ""
    colour_zone: str = ""
    is_known: bool = True


def forecast_words(reach: Reach, now: int) -> ForecastWords:
    """Return the words for a forecast; each of its outcomes has its own words. now: the present minute."""
    if reach.is_reached:
        return ForecastWords("at its ceiling" if reach.ceiling else AT_LIMIT, colour_zone="saturated")
    if reach.minutes:
        first, last = (max(minute - now, 0) for minute in (reach.minutes[0], reach.minutes[-1]))
        return ForecastWords(time_range(first, last), _probability_text(reach), _colour_zone(first))
    if reach.is_possible:  # such as for a series just below its limit, which it reached some minutes ago
        horizon = HORIZONS[reach.horizon_index]
        amount, unit = HORIZON_TEXTS[horizon][:-1], HORIZON_TEXTS[horizon][-1]
        return ForecastWords(f"within {amount}{SPACE}{unit}", _probability_text(reach), _colour_zone(horizon))
    if reach.probability:
        return ForecastWords(f"not within {MAX_DAYS}{SPACE}d")
    if reach.history_days is not None and reach.history_days < NEEDED_DAYS:
        return ForecastWords("history too short", is_known=False)
    return ForecastWords("not known", is_known=False)


def _probability_text(reach: Reach) -> str:
    return f"{reach.probability[reach.horizon_index]:.0%}".replace("%", f"{SPACE}%")


def _colour_zone(minutes: int) -> str:
    return "near" if minutes <= SOON else "above"


def time_range(first: int, last: int) -> str:
    """Return a range of minutes from now as text: `40 min - 2 h`, `1.7 - 7 h`, with an en dash."""
    (first_amount, first_unit), (last_amount, last_unit) = _amount_and_unit(first), _amount_and_unit(last)
    last_text = f"{last_amount}{SPACE}{last_unit}"
    if first_unit != last_unit:
        return f"{first_amount}{SPACE}{first_unit} \u2013 {last_text}"
    return last_text if first_amount == last_amount else f"{first_amount} \u2013 {last_text}"


def _amount_and_unit(minutes: int) -> tuple[str, str]:
    if minutes < MAX_IN_MINUTES:
        return f"{max(minutes, 1)}", "min"
    length, unit = (HOUR, "h") if minutes < MAX_IN_HOURS else (DAY_MINUTES, "d")
    amount = minutes / length
    return f"{round(amount, 1):g}" if amount < WHOLE_FROM else f"{amount:.0f}", unit
