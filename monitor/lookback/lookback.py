"""The result of looking back at some past minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.fleet.fleet import Series
from monitor.lookback.backtest import Backtest
from monitor.lookback.episodes import Episode
from monitor.lookback.telling import AlertSpan, ToldChange, alert_spans


@dataclass(frozen=True, slots=True)
class WayResult:
    """The changes told in one way of judging, by minute. more: further changes that are not kept."""

    name: str
    told: Sequence[ToldChange]
    more: int = 0

    @property
    def spans(self) -> Sequence[AlertSpan]:
        """The times in which alerts fired."""
        return alert_spans(self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """The events of some past minutes.

    minutes: that were judged. series: by slot, those that were looked at. without_samples: how many of them
    had no sample. known_days: days of which usage is known, of all series together. by_minute: how many have
    a limit that CloudWatch publishes for each minute; that of all others is the one in force now.
    episodes: of throttling and of being near a limit, by begin. more_episodes: that are not kept.
    ways: what would have been told, first as it is configured. forecasts: None where the history is too short
    for any.
    """

    minutes: range
    series: Mapping[int, Series]
    without_samples: int
    known_days: float
    by_minute: int
    episodes: Sequence[Episode]
    more_episodes: int
    ways: Sequence[WayResult]
    forecasts: Backtest | None

    @property
    def days(self) -> float:
        """The length of the time that was looked at."""
        return len(self.minutes) / (24 * 60)
