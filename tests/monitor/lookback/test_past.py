"""A look-back over samples with holes, changing limits, recreated streams and other ways of judging.

Letters stand for samples: `.` within the band, `a` above it, `c` near the limit, `s` throttled, `_` none.
"""

from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Metric, total
from monitor.lookback.ways import Way
from rules.limits import PUBLISHED_ONLY, Limit, LimitSource
from tests.monitor.alerting.harness import LIMIT, SHORT, configuration
from tests.monitor.fleet.fleets import throttled_metric, traffic
from tests.monitor.lookback.past import DAY, HOUR, START, Past, letters_of_runs, notices_of

QUIET_HOUR = letters_of_runs((".", HOUR))


def test_an_episode_has_start_length_peak_and_throttled_demand() -> None:
    past = Past()
    past.add_stream(
        "orders", QUIET_HOUR + letters_of_runs(("c", 5), ("s", 20), (".", 3), ("s", 2)) + QUIET_HOUR
    )
    past.add_stream("calm", QUIET_HOUR * 2)
    (episode,) = past.look_back().episodes
    assert (episode.begin, episode.end) == (START + HOUR, START + HOUR + 30)
    assert episode.throttled_minutes == 22
    assert episode.throttled_demand == pytest.approx(22 * 60)
    assert (episode.peak, episode.usage, episode.limit) == pytest.approx((1.0, LIMIT, LIMIT))
    assert not episode.ongoing


def test_ten_quiet_minutes_end_an_episode_and_the_end_of_the_data_does_not() -> None:
    past = Past()
    past.add_stream("orders", QUIET_HOUR + letters_of_runs(("c", 4), (".", 9), ("c", 4), (".", 10), ("c", 6)))
    first, last = past.look_back().episodes
    assert (first.minutes, first.ongoing) == (17, False)
    assert (last.minutes, last.ongoing) == (6, True)


def test_an_episode_extends_across_chunks_of_samples() -> None:
    past = Past()
    past.add_stream("orders", letters_of_runs((".", HOUR), ("c", 6 * HOUR), (".", HOUR)))
    (episode,) = past.look_back().episodes
    assert (episode.begin, episode.minutes) == (START + HOUR, 6 * HOUR)


def test_days_without_samples_are_not_zero_usage_and_resolve_no_alert() -> None:
    past = Past()
    letters = QUIET_HOUR + letters_of_runs(("c", HOUR), ("_", 2 * DAY), ("c", HOUR)) + QUIET_HOUR
    slot = past.add_stream("orders", letters).slot
    lookback = past.look_back()
    assert [episode.minutes for episode in lookback.episodes] == [HOUR, HOUR]
    assert lookback.known_days == pytest.approx(4 * HOUR / DAY)
    resolved_at = 2 * HOUR + 2 * DAY + HOUR + 2
    assert notices_of(lookback, {slot: "orders"}) == [
        (HOUR + 2, "orders", "firing", "warning"),
        (resolved_at, "orders", "resolved", "warning"),
    ]


def test_samples_from_before_the_creation_of_a_stream_are_not_judged() -> None:
    past = Past()
    created = START + 14 * DAY
    # The points before `created` are those of a former stream of the same name, which was always throttled.
    series = past.add_stream("orders", "", created_at=created * 60.0)
    for minute in range(START, created + 3 * HOUR):
        past.add_point(series, traffic, minute, LIMIT * 60 * (1.0 if minute < created else 0.5))
        past.add_point(series, throttled_metric, minute, 600.0 if minute < created else 0.0)
    past.stop = created + 3 * HOUR
    lookback = past.look_back()
    assert not lookback.episodes
    assert not lookback.ways[0].notices
    assert lookback.known_days == pytest.approx(3 * HOUR / DAY)
    assert lookback.forecasts is not None
    assert lookback.forecasts.series_days == 0


def test_each_minute_is_compared_with_the_limit_published_for_it() -> None:
    past = Past()
    published = Metric("AWS/Kinesis", "Limit", "Maximum").of(StreamName="orders")
    limit = Limit(PUBLISHED_ONLY, LimitSource.METRIC, 0)
    series = past.add_stream("orders", "", replace(SHORT, limit=limit), published_limit=total(published))
    row = max(past.fleet.published_limits.get(series.slot).rows)  # type: ignore[union-attr]
    for minute in range(START, START + 4 * HOUR):
        past.add_point(series, traffic, minute, 500.0 * 60)
        is_low = (minute - START) // 30 % 2
        past.points.setdefault(row, {})[minute] = 520.0 if is_low else 1000.0
    past.stop = START + 4 * HOUR
    lookback = past.look_back()
    assert lookback.published_limit_count == 1
    assert [(episode.begin - START, episode.minutes, episode.limit) for episode in lookback.episodes] == [
        (30, 30, 520.0),
        (90, 30, 520.0),
        (150, 30, 520.0),
        (210, 30, 520.0),
    ]


def test_a_series_with_unread_metrics_has_no_samples_and_affects_no_other_series() -> None:
    past = Past()
    past.add_stream("orders", letters_of_runs(("s", HOUR)))
    denied = past.add_stream("denied", letters_of_runs(("s", HOUR)))
    for metric in (traffic, throttled_metric):
        del past.points[past.row_of(denied, metric)]
    lookback = past.look_back()
    assert [lookback.series[episode.slot].key.resource for episode in lookback.episodes] == ["orders"]
    assert lookback.without_samples_count == 1


def test_other_bands_and_durations_are_judged_and_the_configured_ones_are_restored() -> None:
    past = Past()
    slot = past.add_stream("orders", QUIET_HOUR + letters_of_runs(("a", 30)) + QUIET_HOUR).slot
    wide = Way.in_force(past.fleet, "band to 85 %")
    wide.columns["high"][:] = 0.85
    slow = Way.in_force(past.fleet, "for 20 min")
    slow.columns["pending_for"][:] = 20
    lookback = past.look_back(other_ways=[wide, slow])
    names = {slot: "orders"}
    assert [way.name for way in lookback.ways] == ["as configured", "band to 85 %", "for 20 min"]
    assert [notices_of(lookback, names, way)[:1] for way in range(3)] == [
        [(HOUR + 2, "orders", "firing", "info")],
        [],
        [(HOUR + 20, "orders", "firing", "info")],
    ]
    assert past.fleet.high[slot] == np.float32(0.7)
    assert past.fleet.pending_for[slot] == SHORT.pending_for


def test_with_the_rule_near_switched_off_the_notices_have_the_zone_above() -> None:
    past = Past()
    past.add_stream("orders", QUIET_HOUR + letters_of_runs(("c", 30)) + QUIET_HOUR)
    config = configuration(alerts=[{"resource": "orders", "near": "none", "above": "critical"}])
    (fired, resolved) = past.look_back(config).ways[0].notices
    assert (fired.severity, fired.zone.word) == ("critical", "above")
    assert resolved.minute > fired.minute
