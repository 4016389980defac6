"""Tests forecasts: makes them at past moments, from earlier data, and compares them with later episodes.

An episode begins when the demand of a series comes near the limit, or is as high as when demand was throttled
before. At each moment, the probability of an episode is forecast for each series that is not near its limit.
A running Headroom forecasts in the same way (`rules.demand_forecast`) that the limit itself is reached. An
alarm begins at a moment when an episode is likely within an hour, six hours, a day or three days, and lasts
for the shortest of these times. The alarm is right if an episode begins before the alarm ends, else it is
false; another alarm may begin after its end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from monitor.lookback.episodes import Episode
from monitor.lookback.quarter_hours import QuarterHours
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Flags, Floats, Indices, Int8s
from rules.demand_forecast import demand_forecast
from rules.forecast import BINS, LIKELY, MIN_BINS
from rules.forecast_features import HORIZONS

MAX_FORECASTS: Final = 100_000  # of series that came close to their limits; takes about ten seconds
# Quarter-hours between two moments: the first number that needs at most MAX_FORECASTS, else the last.
STEPS: Final = (1, 2, 4, 8, 12)
# A series whose demand ever reached this share of `QuarterHours.target` is compared at all moments, other
# series once a day.
CLOSE_SHARE: Final = np.float32(0.5)
SERIES_AT_ONCE: Final = 2048
FORECASTS_AT_ONCE: Final = 2048
# Instead of the index of a horizon: an episode is likely within none of them; no forecast can be made.
NO_ALARM, NO_FORECAST = -1, -2


class Foresight(NamedTuple):
    """The forecast of one episode, which began in a minute on the series in a slot.

    lead: minutes from the alarm until the episode began; None: there was no alarm.
    """

    slot: int
    begin: int
    lead: int | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """The comparison of forecasts with the later episodes.

    foresights: one for each episode before which a forecast was made. without_forecast: the number of other
    episodes: they began before there were two days of history, or so soon after the last episode that there
    was no moment in between. false_alarms: the number of false alarms of all series. series_days: the days of
    all series for which forecasts were made. step: minutes between two moments of series that came close to
    their limits; other series have one moment a day.
    """

    foresights: Sequence[Foresight] = ()
    without_forecast: int = 0
    false_alarms: int = 0
    series_days: float = 0.0
    step: int = BIN_MINUTES

    @property
    def leads(self) -> Sequence[int]:
        """The leads of the episodes that were foreseen, in minutes, in order."""
        return sorted(foresight.lead for foresight in self.foresights if foresight.lead is not None)

    @property
    def median_lead(self) -> float | None:
        """The median lead in minutes; None if no episode was foreseen."""
        return median(self.leads) if self.leads else None


@dataclass(slots=True)
class _Comparison:
    """The results so far, which become a Backtest."""

    foresights: list[Foresight] = field(default_factory=list)
    without_forecast: int = 0
    false_alarms: int = 0
    forecast_quarter_hours: int = 0


def backtest(
    quarter_hours: QuarterHours,
    episodes: Sequence[Episode],
    report: Callable[[int, int], None] = lambda *_: None,
) -> Backtest | None:
    """Make forecasts, and compare them with the episodes; None if there is no moment with enough history.

    report: called with the number of finished batches of series and of all batches.
    """
    if quarter_hours.count <= MIN_BINS:
        return None
    with np.errstate(invalid="ignore"):
        is_close = (quarter_hours.demand >= CLOSE_SHARE * quarter_hours.target).any(axis=1)
    step, comparison = _affordable_step(int(np.count_nonzero(is_close)), quarter_hours.count), _Comparison()
    by_slot: dict[int, list[Episode]] = {}
    for episode in episodes:
        by_slot.setdefault(episode.slot, []).append(episode)
    parts = [(batch, step) for batch in _batches(np.flatnonzero(is_close))]
    parts += [(batch, BINS_PER_DAY) for batch in _batches(np.flatnonzero(~is_close))]
    for done, (series, part_step) in enumerate(parts):
        report(done, len(parts))
        _compare(quarter_hours, series, by_slot, part_step, comparison)
    return Backtest(
        foresights=sorted(comparison.foresights, key=lambda foresight: (foresight.begin, foresight.slot)),
        without_forecast=comparison.without_forecast,
        false_alarms=comparison.false_alarms,
        series_days=comparison.forecast_quarter_hours / BINS_PER_DAY,
        step=step * BIN_MINUTES,
    )


def _affordable_step(series_count: int, quarter_hour_count: int) -> int:
    """Return the step between two moments of series that came close to their limits; see STEPS."""
    moment_count = quarter_hour_count - MIN_BINS
    return next((step for step in STEPS if series_count * moment_count / step <= MAX_FORECASTS), STEPS[-1])


def _batches(series: Indices) -> Iterator[Indices]:
    for first in range(0, series.size, SERIES_AT_ONCE):
        yield series[first : first + SERIES_AT_ONCE]


def _compare(
    quarter_hours: QuarterHours,
    series: Indices,
    by_slot: dict[int, list[Episode]],
    step: int,
    comparison: _Comparison,
) -> None:
    moments = np.arange(MIN_BINS, quarter_hours.count, step)
    in_episode = _in_episodes(quarter_hours, series, by_slot)
    alarms = np.concatenate([*_alarms(quarter_hours, series, moments)], axis=1)
    has_forecast = (alarms != NO_FORECAST) & ~in_episode[:, moments - 1]
    alarms[~has_forecast] = NO_ALARM
    comparison.forecast_quarter_hours += int(np.count_nonzero(has_forecast)) * step
    for index, row in enumerate(series.tolist()):
        slot = int(quarter_hours.slots[row])
        episodes = by_slot.get(slot, ())
        if episodes or (alarms[index] != NO_ALARM).any():
            _compare_series(
                quarter_hours, episodes, (moments, alarms[index], has_forecast[index]), comparison
            )


def _alarms(quarter_hours: QuarterHours, series: Indices, moments: Indices) -> Iterator[Int8s]:
    """Yield the index of the shortest horizon within which an episode is likely, [series, moment].

    A series may have NO_ALARM or NO_FORECAST instead. Each array has the moments that follow those of the
    last array. moments: each as the number of the quarter-hour that begins then.
    """
    at_once = max(1, FORECASTS_AT_ONCE // series.size)
    for first in range(0, moments.size, at_once):
        probability = forecast_at(quarter_hours, series, moments[first : first + at_once])
        with np.errstate(invalid="ignore"):
            likely = probability >= LIKELY
        horizon = np.where(likely.any(axis=2), likely.argmax(axis=2), NO_ALARM)
        horizon[np.isnan(probability).all(axis=2)] = NO_FORECAST
        yield horizon.astype(np.int8)


def forecast_at(quarter_hours: QuarterHours, series: Indices, moments: Indices) -> Floats:
    """Return the probability of an episode within each of HORIZONS, [series, moment, horizon].

    Only data before the moment is used. series: their rows in `quarter_hours`. moments: each as the
    number of the quarter-hour that begins then.
    """
    demand = np.pad(quarter_hours.demand[series], ((0, 0), (BINS, 0)), constant_values=np.nan)
    histories = np.lib.stride_tricks.sliding_window_view(demand, BINS, axis=1)
    history = np.ascontiguousarray(histories[:, moments].reshape(-1, BINS).T)
    target = quarter_hours.target[series][:, moments - 1].ravel()
    probability: Floats = demand_forecast(history, target).probability
    return probability.reshape(series.size, moments.size, len(HORIZONS))


def _in_episodes(quarter_hours: QuarterHours, series: Indices, by_slot: dict[int, list[Episode]]) -> Flags:
    """Return in which quarter-hours there was an episode, [series, quarter-hour]."""
    in_episode = np.zeros((series.size, quarter_hours.count), np.bool_)
    for index, row in enumerate(series.tolist()):
        for episode in by_slot.get(int(quarter_hours.slots[row]), ()):
            first, last = (
                quarter_hours.quarter_hour_of(episode.begin),
                quarter_hours.quarter_hour_of(episode.end - 1),
            )
            in_episode[index, max(first, 0) : max(last + 1, 0)] = True
    return in_episode


def _compare_series(
    quarter_hours: QuarterHours,
    episodes: Sequence[Episode],
    forecasts: tuple[Indices, Int8s, Flags],
    comparison: _Comparison,
) -> None:
    """Compare the alarms of one series with its episodes, in the order of time.

    forecasts: the moments, the alarm at each moment, and whether a forecast was made then.
    """
    moments, alarms, has_forecast = forecasts
    minutes = quarter_hours.start + moments * BIN_MINUTES
    alarm: range | None = None  # the minutes of the alarm that lasts
    next_moment = 0  # an index of `moments`, as is `end_moment`
    end_of_data = quarter_hours.start + quarter_hours.count * BIN_MINUTES
    for episode in (*episodes, None):
        begin = episode.begin if episode else end_of_data
        end_moment = int(np.searchsorted(minutes, begin, side="right"))
        for index in range(next_moment, end_moment):
            now, horizon = int(minutes[index]), int(alarms[index])
            if alarm is not None and now >= alarm.stop:
                comparison.false_alarms += 1
                alarm = None
            if horizon >= 0 and alarm is None:
                alarm = range(now, now + HORIZONS[horizon])
        if episode is None:
            break  # an alarm that still lasts may yet be right
        if not has_forecast[next_moment:end_moment].any():
            comparison.without_forecast += 1
        else:
            is_right = alarm is not None and begin < alarm.stop
            comparison.false_alarms += alarm is not None and not is_right
            lead = begin - alarm.start if alarm is not None and is_right else None
            comparison.foresights.append(Foresight(episode.slot, begin, lead))
        next_moment = max(next_moment, int(np.searchsorted(minutes, episode.end, side="left")))
        alarm = None
