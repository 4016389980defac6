"""Tests forecasts: makes them as of past moments, of the data before, and compares them with what came.

At each moment, a forecast tells of each series that is not near its limit how probable it is that demand
comes near it, or as high as when some was throttled before: an episode begins then. It is the forecast of a
running Headroom, of the same demand (`rules.demand_forecast`), which asks for the limit itself. An alarm
begins at a moment when that is likely within an hour, six hours, a day or three, and lasts for the shortest
of these times. It was right if an episode began before it ended, and false if none did; after its end another
one may begin.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from monitor.fleet.columns import Flags, Floats, Indices, Int8s
from monitor.lookback.episodes import Episode
from monitor.lookback.quarters import Quarters
from rules.analogs import BIN_MINUTES, DAY
from rules.demand_forecast import demand_forecast
from rules.forecast import BINS, LIKELY, MIN_BINS
from rules.forecast_features import HORIZONS

MAX_FORECASTS: Final = 100_000  # of series that came close to their limits: they take about ten seconds
# Quarters of an hour between two moments: the first of these with which MAX_FORECASTS suffice, or the last.
STEPS: Final = (1, 2, 4, 8, 12)
# The share of `Quarters.target` that a series has to use once to be compared at all moments, not once a
# day.
CLOSE: Final = np.float32(0.5)
SERIES_AT_ONCE: Final = 2048
FORECASTS_AT_ONCE: Final = 2048
NO_ALARM, NO_FORECAST = -1, -2  # instead of the number of a horizon: none is likely; no forecast can be made


class Foresight(NamedTuple):
    """The forecast of one episode, which began in a minute on the series in a slot.

    lead: minutes from the alarm until it began; None: there was no alarm.
    """

    slot: int
    begin: int
    lead: int | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """The comparison of forecasts with the episodes that came.

    foresights: of each episode before which a forecast was made. without_forecast: the number of other
    episodes: they began before there were two days of history, or so soon after the one before that no moment
    lies between. false_alarms: of all series. series_days: days that forecasts were made for, of all series
    together. step: minutes between two moments, of series that came close to their limits; there is one a day
    of others.
    """

    foresights: Sequence[Foresight] = ()
    without_forecast: int = 0
    false_alarms: int = 0
    series_days: float = 0.0
    step: int = BIN_MINUTES

    @property
    def foreseen(self) -> Sequence[int]:
        """The leads of the episodes that were foreseen, in minutes, in order."""
        return sorted(one.lead for one in self.foresights if one.lead is not None)

    @property
    def median_lead(self) -> float | None:
        """Minutes; None where no episode was foreseen."""
        return median(self.foreseen) if self.foreseen else None


@dataclass(slots=True)
class _Comparison:
    """The numbers found so far."""

    foresights: list[Foresight] = field(default_factory=list)
    without_forecast: int = 0
    false_alarms: int = 0
    forecast_quarters: int = 0


def backtest(
    quarters: Quarters, episodes: Sequence[Episode], report: Callable[[int, int], None] = lambda *_: None
) -> Backtest | None:
    """Make the forecasts, and compare them with what came; None if there is no moment with enough history.

    report: called with the number of steps done and of all steps.
    """
    if quarters.count <= MIN_BINS:
        return None
    with np.errstate(invalid="ignore"):
        close = (quarters.demand >= CLOSE * quarters.target).any(axis=1)
    step, found = _affordable_step(int(np.count_nonzero(close)), quarters.count), _Comparison()
    by_slot: dict[int, list[Episode]] = {}
    for one in episodes:
        by_slot.setdefault(one.slot, []).append(one)
    parts = [(some, step) for some in _batches(np.flatnonzero(close))]
    parts += [(some, DAY) for some in _batches(np.flatnonzero(~close))]
    for done, (series, every) in enumerate(parts):
        report(done, len(parts))
        _compare(quarters, series, by_slot, every, found)
    return Backtest(
        foresights=sorted(found.foresights, key=lambda one: (one.begin, one.slot)),
        without_forecast=found.without_forecast,
        false_alarms=found.false_alarms,
        series_days=found.forecast_quarters / DAY,
        step=step * BIN_MINUTES,
    )


def _affordable_step(series: int, quarters: int) -> int:
    moments = quarters - MIN_BINS
    return next((step for step in STEPS if series * moments / step <= MAX_FORECASTS), STEPS[-1])


def _batches(series: Indices) -> Iterator[Indices]:
    for first in range(0, series.size, SERIES_AT_ONCE):
        yield series[first : first + SERIES_AT_ONCE]


def _compare(
    quarters: Quarters, series: Indices, by_slot: dict[int, list[Episode]], step: int, found: _Comparison
) -> None:
    moments = np.arange(MIN_BINS, quarters.count, step)
    busy = _in_episodes(quarters, series, by_slot)
    alarms = np.concatenate([*_alarms(quarters, series, moments)], axis=1)
    has_forecast = (alarms != NO_FORECAST) & ~busy[:, moments - 1]
    alarms[~has_forecast] = NO_ALARM
    found.forecast_quarters += int(np.count_nonzero(has_forecast)) * step
    for index, row in enumerate(series.tolist()):
        slot = int(quarters.slots[row])
        own = by_slot.get(slot, ())
        if own or (alarms[index] != NO_ALARM).any():
            _compare_series(quarters, own, (moments, alarms[index], has_forecast[index]), found)


def _alarms(quarters: Quarters, series: Indices, moments: Indices) -> Iterator[Int8s]:
    """Yield the number of the shortest horizon within which it is likely, or NO_ALARM, [series, moment].

    moments: as the numbers of the quarters that begin then. Each array yielded is of the next moments.
    """
    at_once = max(1, FORECASTS_AT_ONCE // series.size)
    for first in range(0, moments.size, at_once):
        probability = forecast_at(quarters, series, moments[first : first + at_once])
        with np.errstate(invalid="ignore"):
            likely = probability >= LIKELY
        horizon = np.where(likely.any(axis=2), likely.argmax(axis=2), NO_ALARM)
        horizon[np.isnan(probability).all(axis=2)] = NO_FORECAST
        yield horizon.astype(np.int8)


def forecast_at(quarters: Quarters, series: Indices, moments: Indices) -> Floats:
    """Return the probability within each of HORIZONS, [series, moment, horizon], by the data before.

    series: as their numbers in the quarters. moments: as the numbers of the quarters that begin then.
    """
    demand = np.pad(quarters.demand[series], ((0, 0), (BINS, 0)), constant_values=np.nan)
    histories = np.lib.stride_tricks.sliding_window_view(demand, BINS, axis=1)
    history = np.ascontiguousarray(histories[:, moments].reshape(-1, BINS).T)
    target = quarters.target[series][:, moments - 1].ravel()
    found: Floats = demand_forecast(history, target).probability
    return found.reshape(series.size, moments.size, len(HORIZONS))


def _in_episodes(quarters: Quarters, series: Indices, by_slot: dict[int, list[Episode]]) -> Flags:
    """Return in which quarters there was an episode, [series, quarter]."""
    busy = np.zeros((series.size, quarters.count), np.bool_)
    for index, row in enumerate(series.tolist()):
        for one in by_slot.get(int(quarters.slots[row]), ()):
            first, last = quarters.quarter_of(one.begin), quarters.quarter_of(one.end - 1)
            busy[index, max(first, 0) : max(last + 1, 0)] = True
    return busy


def _compare_series(
    quarters: Quarters,
    episodes: Sequence[Episode],
    forecasts: tuple[Indices, Int8s, Flags],
    found: _Comparison,
) -> None:
    """Compare the alarms of one series with its episodes, in the order of time.

    forecasts: moments, the alarm of each, and whether a forecast was made then.
    """
    moments, alarms, has_forecast = forecasts
    minutes = quarters.start + moments * BIN_MINUTES
    since, until, at = 0, NO_ALARM, 0  # of the alarm that lasts: its begin and end; the next moment
    end_of_data = quarters.start + quarters.count * BIN_MINUTES
    for one in (*episodes, None):
        begin = one.begin if one else end_of_data
        before = int(np.searchsorted(minutes, begin, side="right"))
        for number in range(at, before):
            now, horizon = int(minutes[number]), int(alarms[number])
            if until != NO_ALARM and now >= until:
                found.false_alarms, until = found.false_alarms + 1, NO_ALARM
            if horizon >= 0 and until == NO_ALARM:
                since, until = now, now + HORIZONS[horizon]
        if one is None:
            break  # what an alarm that still lasts announces may yet come
        if not has_forecast[at:before].any():
            found.without_forecast += 1
        else:
            lead = begin - since if begin < until else None
            found.false_alarms += until != NO_ALARM and begin >= until
            found.foresights.append(Foresight(one.slot, begin, lead))
        at, until = max(at, int(np.searchsorted(minutes, one.end, side="left"))), NO_ALARM
