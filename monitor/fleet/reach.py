"""The forecast of one series: how probable it is that it reaches its limit, and when."""

from dataclasses import dataclass
from math import ceil, isnan
from typing import Final

import numpy as np

from monitor.fleet.namespaces import NEVER
from rules.analogs import BINS_PER_DAY
from rules.arrays import Floats, Ints
from rules.forecast import LIKELY, MIN_BINS, MIN_PROBABILITY
from rules.forecast_features import HORIZON_TEXTS, HORIZONS

NEEDED_DAYS: Final = MIN_BINS // BINS_PER_DAY
HOUR, DAY_MINUTES = 60, 24 * 60
MAX_IN_MINUTES, MAX_IN_HOURS = 2 * HOUR, 2 * DAY_MINUTES  # longer times are shown in the next unit


@dataclass(frozen=True, slots=True)
class Reach:
    """A forecast; see `monitor.fleet.series_columns`.

    probability: the probability of reaching the limit within each of HORIZONS; empty without a forecast.
    minutes: the minute in which the limit is reached, if it is, by QUANTILES; empty if unknown. history_days:
    days whose usage is known; None without a history, which only series that can be judged have.
    ceiling: the effective ceiling, if there is one.
    """

    probability: tuple[float, ...] = ()
    minutes: tuple[int, ...] = ()
    history_days: float | None = None
    ceiling: float | None = None

    @classmethod
    def of(cls, probability: Floats, minutes: Ints, history_bins: int, ceiling: np.float32) -> "Reach":
        """Return the forecast that the columns of one series hold."""
        return cls(
            () if np.isnan(probability).any() else tuple(round(value, 3) for value in probability.tolist()),
            () if (minutes == NEVER).any() else tuple(minutes.tolist()),
            None if history_bins < 0 else round(history_bins / BINS_PER_DAY, 1),
            None if isnan(ceiling) else float(str(ceiling)),
        )

    @property
    def is_reached(self) -> bool:
        """True if usage is at the limit, or at the effective ceiling."""
        return bool(self.probability) and self.probability[0] >= 1

    @property
    def is_possible(self) -> bool:
        """True if the probability that the limit is reached is not negligible."""
        return bool(self.probability) and max(self.probability) >= MIN_PROBABILITY

    @property
    def horizon_index(self) -> int:
        """The index of the shortest horizon within which the limit is likely reached, else the last index."""
        likely = [index for index, value in enumerate(self.probability) if value >= LIKELY]
        return likely[0] if likely else len(HORIZONS) - 1

    def is_expected(self, now: int) -> bool:
        """Return whether the limit will probably be reached at the times in `minutes`. now: a minute.

        Times within the longest horizon are forecast even if the limit is unlikely to be reached: such times
        count only if it is likely. Later times are forecast only for usage that grows steadily: they count
        although no probability is known beyond the longest horizon.
        """
        is_later = bool(self.minutes) and self.minutes[-1] - now > HORIZONS[-1]
        return bool(self.minutes) and (self._is_likely or is_later)

    @property
    def _is_likely(self) -> bool:
        return bool(self.probability) and self.probability[self.horizon_index] >= LIKELY

    @property
    def missing_reason(self) -> str:
        """The reason for a missing forecast, in a few words; empty with a forecast or without a history."""
        if self.probability or self.history_days is None:
            return ""
        if self.history_days < NEEDED_DAYS:
            return f"{self.history_days:.1f} of {NEEDED_DAYS} days of history"
        return "the usage now or on the days before is unknown"

    def text(self, now: int) -> str:
        """Return the forecast in a few words: `reaches the limit in 3-5 h, 80 %`. now: a minute."""
        if not self.probability:
            return self.missing_reason
        if self.is_reached:
            return "is at the ceiling" if self.ceiling else "is at the limit"
        probability = f"{self.probability[self.horizon_index]:.0%}".replace("%", " %")
        within = f"{probability} within {HORIZON_TEXTS[HORIZONS[self.horizon_index]]}"
        if not self.is_expected(now):
            return within
        bound = "ceiling" if self.ceiling else "limit"
        return f"reaches the {bound} {self.time_text(now)}, {probability if self._is_likely else within}"

    def time_text(self, now: int) -> str:
        """Return the time until the limit is reached, if it is: `in 3-5 h`, `in 15 min to 3 d`.

        It is a range from the first to the last of `minutes`; empty if unknown.
        """
        if not self.minutes:
            return ""
        first, last = (max(self.minutes[number] - now, 0) for number in (0, -1))
        length, unit = _unit(last)
        low, high = first // length, max(ceil(last / length), 1)
        if low == high or last <= 1:
            return f"in {high} {unit}"
        if low or not first:
            return f"in {low}-{high} {unit}"
        first_length, first_unit = _unit(first)
        return f"in {first // first_length} {first_unit} to {high} {unit}"


NO_REACH_KNOWN: Final = Reach()


def _unit(minutes: int) -> tuple[int, str]:
    """Return the unit in which a time is shown: its minutes, and its symbol."""
    if minutes <= MAX_IN_MINUTES:
        return 1, "min"
    return (HOUR, "h") if minutes <= MAX_IN_HOURS else (DAY_MINUTES, "d")
