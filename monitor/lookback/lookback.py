"""The result of looking back at some past minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.fleet.fleet import Series
from monitor.lookback.backtest import Backtest
from monitor.lookback.episodes import Episode
from monitor.lookback.notices import AlertSpan, PastNotice, alert_spans


@dataclass(frozen=True, slots=True)
class WayResult:
    """The notices of one way of judging, by minute. more: the number of further ones, which are not kept."""

    name: str
    notices: Sequence[PastNotice]
    more: int = 0

    @property
    def spans(self) -> Sequence[AlertSpan]:
        """The times in which alerts fired."""
        return alert_spans(self.notices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """The events of some past minutes.

    minutes: that were judged. series: by slot, those that were looked at. without_samples: how many of them
    had no sample. known_days: days of which usage is known, of all series together. published_limits: how
    many of them have a limit that CloudWatch publishes for each minute; others are compared with the one in
    force now. episodes: of throttling and of being near a limit, by begin. more_episodes: that are not kept.
    ways: the notices of each way of judging, of the configured one first. forecasts: None where the history
    is too short for any.
    """

    minutes: range
    series: Mapping[int, Series]
    without_samples: int
    known_days: float
    published_limits: int
    episodes: Sequence[Episode]
    more_episodes: int
    ways: Sequence[WayResult]
    forecasts: Backtest | None

    @property
    def days(self) -> float:
        """The length of the time that was looked at."""
        return len(self.minutes) / (24 * 60)
