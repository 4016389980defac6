"""The times in which demand of a series was throttled, as its alert told it."""

from collections.abc import Sequence

from monitor.fleet.fleet import Series
from monitor.lookback.kept import kept_episodes
from monitor.notifiers.notice import Notice
from monitor.web.course import ThrottledSpan


def throttled_spans(series: Series, notices: Sequence[Notice], now: int) -> list[ThrottledSpan]:
    """Return the times in which an alert told that demand was throttled, the oldest first.

    notices: of the alert of this series, the newest first. now: the minute.
    """
    oldest_first = [one for one in reversed(notices) if one.series_id == series.key.id]
    episodes = kept_episodes((), oldest_first, {series.key.id: series}, range(now + 1))
    return [
        ThrottledSpan(one.begin, one.end, one.throttled) for one in reversed(episodes) if one.is_throttled
    ]
