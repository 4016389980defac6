"""The result of a look-back: what happened to series in past minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.fleet.fleet import Series
from monitor.lookback.backtest import Backtest
from monitor.lookback.episodes import Episode
from monitor.lookback.notices import AlertSpan, PastNotice, alert_spans


@dataclass(frozen=True, slots=True)
class WayResult:
    """The notices of one way of judging, sorted by minute.

    unlisted_notice_count: the number of further notices, which were only counted.
    """

    name: str
    notices: Sequence[PastNotice]
    unlisted_notice_count: int = 0

    @property
    def spans(self) -> Sequence[AlertSpan]:
        """The times in which alerts fired."""
        return alert_spans(self.notices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """The events of series in past minutes.

    minutes: the minutes that were judged. series: the judged series, by slot. without_samples_count: the
    number of series without a sample. known_days: the days of known usage, summed over all series.
    published_limit_count: the number of series whose limit CloudWatch publishes for each minute; samples of
    other series are compared with the limit in force now. episodes: sorted by begin. unlisted_episode_count:
    the number of episodes that were only counted. ways: the notices of each way of judging; the configured
    way is the first. forecasts: None if the history is too short for a forecast.
    """

    minutes: range
    series: Mapping[int, Series]
    without_samples_count: int
    known_days: float
    published_limit_count: int
    episodes: Sequence[Episode]
    unlisted_episode_count: int
    ways: Sequence[WayResult]
    forecasts: Backtest | None

    @property
    def days(self) -> float:
        """The number of days in `minutes`."""
        return len(self.minutes) / (24 * 60)
