"""Episodes of a fortnight, found in the stored usage and notices of a running Headroom."""

from typing import Any

import numpy as np
import pytest

from monitor.fleet.fleet import Fleet, Series
from monitor.lookback.stored_episodes import NearRun, StoredEpisode, near_runs, stored_episodes
from monitor.notifiers.notice import Notice, NoticeKind, Severity
from tests.monitor.fleet.fleets import add, key

DAY = 24 * 60  # minutes
MINUTES = range(29_000_010, 29_000_010 + 14 * DAY)
BEGIN = MINUTES.start
NAN = float("nan")


def series_of(*names: str) -> dict[str, Series]:
    """Return series with these names, by id."""
    fleet = Fleet()
    return {series.key.id: series for series in (add(fleet, key(name)) for name in names)}


def notice(name: str, minute: int, zone: str, **fields: Any) -> Notice:
    """Return a notice of the alert of a series. minute: counted from BEGIN."""
    series_key = key(name)
    defaults: dict[str, Any] = {"kind": NoticeKind.FIRING, "severity": Severity.CRITICAL, "number": minute}
    return Notice(
        alert=series_key.id,
        zone=zone,
        summary=f"{name} is {zone}",
        labels={**series_key.labels, "severity": "critical"},
        at=(BEGIN + minute) * 60.0,
        since=(BEGIN + minute) * 60.0,
        subject=series_key.subject,
        **(defaults | fields),
    )


def resolved_notice(name: str, minute: int, zone: str = "within") -> Notice:
    return notice(name, minute, zone, kind=NoticeKind.RESOLVED)


def episodes_of(
    runs: list[NearRun], *notices: Notice, names: tuple[str, ...] = ("orders",)
) -> list[StoredEpisode]:
    return stored_episodes(runs, notices, series_of(*names), MINUTES)


def near_run(begin: int, end: int, usage: float = 950.0, slot: int = 0) -> NearRun:
    """Return a run near the limit. begin, end: minutes from BEGIN."""
    return NearRun(slot, BEGIN + begin, BEGIN + end, usage)


def test_consecutive_quarter_hours_near_the_limit_are_a_run() -> None:
    usage = np.full((20, 3), 10, np.float32)
    usage[3:6, 0] = [91, 99, 90]
    usage[[8, 10], 0], usage[9, 0] = 95, NAN  # unknown ends a run
    usage[19, 1] = 95
    near_from = np.array([90, 90, NAN], np.float32)
    first_quarter_hour = 1000
    runs = [*near_runs([7, 8, 9], usage, near_from, first_quarter_hour)]
    start = first_quarter_hour * 15
    assert runs == [
        NearRun(7, start + 45, start + 90, 99.0),
        NearRun(7, start + 120, start + 135, 95.0),
        NearRun(7, start + 150, start + 165, 95.0),
        NearRun(8, start + 285, start + 300, 95.0, ongoing=True),
    ]


def test_a_run_without_an_alert_is_an_episode_without_notices() -> None:
    (episode,) = episodes_of([near_run(60, 90)])
    assert (episode.begin - BEGIN, episode.end - BEGIN, episode.usage) == (60, 90, 950)
    assert (episode.is_throttled, episode.throttled, episode.ongoing, episode.notices) == (
        False,
        None,
        False,
        [],
    )
    assert episode.peak(1000) == pytest.approx(0.95)


def test_an_alert_on_throttling_extends_the_run_and_adds_the_throttled_demand() -> None:
    notices = (
        notice("orders", 70, "near", severity=Severity.WARNING, usage=960.0),
        notice("orders", 75, "saturated", kind=NoticeKind.WORSENED, throttled=3.0, usage=990.0),
        notice("orders", 80, "saturated", kind=NoticeKind.REPEATED, throttled=8.0),
        resolved_notice("orders", 100),
    )
    (episode,) = episodes_of([near_run(60, 90)], *notices)
    assert (episode.begin - BEGIN, episode.end - BEGIN, episode.usage) == (60, 100, 990)
    assert (episode.is_throttled, episode.throttled) == (True, 8)
    assert [notice.number for notice in episode.notices] == [70, 75, 80, 100]


def test_throttling_without_a_run_near_the_limit_is_an_episode_because_of_its_alert() -> None:
    (episode,) = episodes_of(
        [], notice("orders", 300, "saturated", throttled=2.0), resolved_notice("orders", 320)
    )
    assert (episode.begin - BEGIN, episode.end - BEGIN, episode.is_throttled) == (300, 320, True)
    assert episode.known_usage is None and episode.peak(1000) is None


def test_an_episode_that_has_not_ended_is_ongoing_and_lasts_until_the_last_minute() -> None:
    last = len(MINUTES)
    (episode,) = episodes_of([near_run(last - 30, last)._replace(ongoing=True)])
    assert episode.ongoing
    (episode,) = episodes_of([], notice("orders", 300, "saturated"))
    assert episode.ongoing and episode.end == MINUTES.stop


def test_runs_less_than_a_quarter_of_an_hour_apart_are_one_episode_and_the_newest_is_first() -> None:
    episodes = episodes_of(
        [near_run(60, 90), near_run(100, 115), near_run(130, 145), near_run(60, 75, slot=1)], names=("a", "b")
    )
    spans = [(entry.series.key.resource, entry.begin - BEGIN, entry.end - BEGIN) for entry in episodes]
    assert spans == [("a", 130, 145), ("a", 60, 115), ("b", 60, 75)]


def test_a_notice_of_a_forecast_makes_no_episode() -> None:
    forecast = notice("orders", 62, "forecast", severity=Severity.WARNING)
    assert episodes_of([], forecast) == []
    (episode,) = episodes_of([near_run(60, 90)], forecast)
    assert episode.notices == [forecast]


def test_removed_series_and_blind_spots_are_left_out() -> None:
    blind = notice("orders", 62, "blind")
    removed = notice("removed", 62, "saturated")
    assert episodes_of([near_run(60, 90, slot=5)], removed, blind) == []
