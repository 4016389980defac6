"""The times in which demand of a series was throttled, by the notices of its alert."""

from collections.abc import Sequence

from monitor.fleet.fleet import Series
from monitor.lookback.stored_episodes import stored_episodes
from monitor.notifiers.notice import Notice
from monitor.web.chart_data import ThrottledSpan


def throttled_spans(series: Series, notices: Sequence[Notice], now: int) -> list[ThrottledSpan]:
    """Return the times in which demand was throttled according to an alert's notices, the oldest first.

    notices: the notices of the series' alert, the newest first. now: the current minute, since the epoch.
    """
    oldest_first = [notice for notice in reversed(notices) if notice.series_id == series.key.id]
    episodes = stored_episodes((), oldest_first, {series.key.id: series}, range(now + 1))
    return [
        ThrottledSpan(episode.begin, episode.end, episode.throttled)
        for episode in reversed(episodes)
        if episode.is_throttled
    ]
