"""Forecast alerts: notified once for each horizon, not for a changed date, and resolved with a reason.

The letters of samples and notices are explained in `harness.py`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.alerting.forecast_text import times_text
from monitor.alerting.inhibit import FORECAST
from monitor.fleet.namespaces import NEVER
from monitor.fleet.reach import Reach
from monitor.notifiers.notice import Notice, NoticeKind, Severity
from rules.forecast import BINS
from tests.monitor.alerting.harness import AT_ONCE, LIMIT, AlertingHarness, configuration

HALF_AN_HOUR = 1800.0
NAN = float("nan")
# The probabilities of reaching the limit within each horizon, the shortest horizon first. A name tells the
# shortest horizon within which the limit will probably be reached.
IMPROBABLE, WITHIN_3_DAYS, WITHIN_A_DAY, WITHIN_6_HOURS, WITHIN_AN_HOUR = (
    (0.0, 0.01, 0.05, 0.1),
    (0.0, 0.01, 0.2, 0.8),
    (0.0, 0.1, 0.7, 0.8),
    (0.1, 0.6, 0.7, 0.8),
    (0.6, 0.7, 0.8, 0.9),
)
DOUBTFUL = (0.0, 0.0, 0.1, 0.4)  # neither probable nor improbable


def set_forecast(
    harness: AlertingHarness, probability: tuple[float, ...], hours: float | None = None
) -> None:
    """Set the forecast of the series `orders`.

    hours: until the earliest likely time at which the series reaches its limit; None: no such times.
    """
    fleet, slot = harness.fleet, harness.series("orders").slot
    fleet.reach_probability[slot], fleet.history_bins[slot] = probability, BINS  # a fortnight
    minute = int(harness.seconds // 60)
    likely_minutes = NEVER if hours is None else minute + np.array([60, 90, 120]) * hours
    fleet.reach_minutes[slot] = likely_minutes


async def notices_after(
    harness: AlertingHarness, seconds: float, probability: tuple[float, ...], **options: Any
) -> list[Notice]:
    """Process a forecast after 61 s, and again `seconds` later; return the notices that were sent.

    options: see `set_forecast`.
    """
    notices = []
    for step in (61, seconds):
        harness.seconds += step
        harness.minute = int(harness.seconds // 60)
        harness.fleet.confirmed[: harness.fleet.size] = harness.minute
        harness.write(harness.series("orders"), harness.minute - 1, ".")
        harness.set_read_result()
        set_forecast(harness, probability, **options)
        notices += await harness.process()
    return notices


async def test_a_forecast_is_notified_again_only_when_its_horizon_is_shorter(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        assert await notices_after(harness, HALF_AN_HOUR, IMPROBABLE) == []
        (first,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_3_DAYS)
        assert (first.kind, first.severity, first.places) == (NoticeKind.FIRING, Severity.WARNING, 1)
        assert first.summary.startswith(
            "Kinesis stream `orders` (prod, eu-west-1) will probably reach its limit: 80 % within 3d. "
            "Now it writes 500 B/s of 1000 B/s (50 %)"
        )
        assert first.labels["cause"] == FORECAST
        assert first.series_id == harness.series("orders").key.id != first.alert
        for hours in (60, 50, 71):  # the forecast date changes
            assert await notices_after(harness, HALF_AN_HOUR, WITHIN_3_DAYS, hours=hours) == []
        (nearer,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_6_HOURS)
        assert (nearer.kind, nearer.places, nearer.alert) == (NoticeKind.WORSENED, 3, first.alert)
        assert await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY) == []  # the horizon is longer again
        assert await notices_after(harness, HALF_AN_HOUR, WITHIN_6_HOURS) == []
        (nearest,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_AN_HOUR)
        assert nearest.places == 4
        assert {notice.labels["cause"] for notice in harness.notices} == {FORECAST}


async def test_a_forecast_that_does_not_last_is_not_reported(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        for _ in range(5):
            assert await notices_after(harness, HALF_AN_HOUR / 2, WITHIN_A_DAY) == []
            assert await notices_after(harness, 120, IMPROBABLE) == []


async def test_a_forecast_alert_is_resolved_when_reaching_the_limit_has_become_improbable(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        assert await notices_after(harness, HALF_AN_HOUR, DOUBTFUL) == []
        assert await notices_after(harness, HALF_AN_HOUR / 2, IMPROBABLE) == []
        # An unknown forecast resolves no alert.
        assert await notices_after(harness, HALF_AN_HOUR, (NAN,) * 4) == []
        (ended,) = await notices_after(harness, HALF_AN_HOUR, IMPROBABLE)
        assert ended.kind is NoticeKind.RESOLVED
        assert ended.resolution_reason == "the forecast has changed: 10 % within 3d"
        (fired_again,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        assert fired_again.kind is NoticeKind.FIRING


async def test_a_forecast_alert_is_resolved_at_once_when_the_limit_is_raised(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        harness.change_limit("orders", 2 * LIMIT)
        set_forecast(harness, IMPROBABLE)
        (ended,) = await harness.process(61)
        assert ended.resolution_reason == "the limit was raised from 1000 B/s to 1.95 KiB/s"


async def test_an_alert_of_the_series_replaces_its_forecast_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        letters = await harness.run_minutes(orders="cccc")
        assert sorted(letters.replace(".", "")) == ["F", "R"]
        ended = next(notice for notice in harness.notices if notice.kind is NoticeKind.RESOLVED)
        assert ended.zone == FORECAST
        assert ended.resolution_reason.startswith("it is near its limit now")
        assert harness.notices[-1].zone in {"near", FORECAST}


async def test_a_forecast_alert_is_resolved_when_its_resource_is_deleted(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        harness.fleet.drop(harness.series("orders").key)
        harness.seconds += 61
        harness.set_read_result()
        (ended,) = await harness.process()
        assert ended.resolution_reason == "the resource no longer exists"


async def test_a_forecast_alert_of_a_deleted_resource_is_resolved_though_no_inventory_is_complete(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        harness.fleet.drop(harness.series("orders").key)
        harness.seconds += 61
        harness.set_read_result(succeeded=None)  # such as with one denied operation
        (ended,) = (notice for notice in await harness.process() if notice.zone == FORECAST)
        assert ended.resolution_reason == "the resource no longer exists"


async def test_a_forecast_alert_of_a_resource_created_anew_is_resolved(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        harness.fleet.drop(harness.series("orders").key)
        harness.seconds += 61
        harness.series("orders")
        harness.set_read_result()
        (ended,) = await harness.process()
        assert ended.resolution_reason == "the resource no longer exists"


async def test_a_forecast_alert_is_not_notified_again_after_a_restart(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        (first,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        minute = harness.minute
    async with AlertingHarness.opened(tmp_path, minute=minute) as restarted:
        await restarted.run_minutes(orders="..")
        assert await notices_after(restarted, HALF_AN_HOUR, WITHIN_A_DAY) == []
        (nearer,) = await notices_after(restarted, HALF_AN_HOUR, WITHIN_AN_HOUR)
        assert (nearer.alert, nearer.kind, nearer.since) == (first.alert, NoticeKind.WORSENED, first.since)


async def test_a_forecast_alert_is_never_repeated(tmp_path: Path) -> None:
    config = configuration(route={**AT_ONCE, "repeat_interval": 300})
    async with AlertingHarness.opened(tmp_path, config) as harness:
        await harness.run_minutes(orders="..")
        assert len(await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)) == 1
        for _ in range(10):
            assert await notices_after(harness, 3600, WITHIN_A_DAY) == []


@pytest.mark.parametrize(
    ("override", "severity"),
    [
        ({"will_reach": "critical"}, Severity.CRITICAL),
        ({"will_reach": "none"}, None),
        ({"will_reach_for": "2h"}, None),
        ({"will_reach_for": 0}, Severity.WARNING),
    ],
)
async def test_the_severity_and_the_pending_time_of_forecast_alerts_are_configurable(
    tmp_path: Path, override: dict[str, Any], severity: Severity | None
) -> None:
    config = configuration(alerts=[{"signal": "kinesis.*", **override}])
    async with AlertingHarness.opened(tmp_path, config) as harness:
        await harness.run_minutes(orders="..")
        notices = await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        assert [notice.severity for notice in notices] == ([severity] if severity else [])


async def test_a_forecast_that_flaps_notifies_nobody(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        for probability in (WITHIN_AN_HOUR, IMPROBABLE) * 6:
            assert await notices_after(harness, 1200, probability) == []
        assert len(await notices_after(harness, HALF_AN_HOUR, WITHIN_AN_HOUR)) == 1


async def test_a_forecast_alert_that_is_switched_off_is_resolved(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        await notices_after(harness, HALF_AN_HOUR, WITHIN_A_DAY)
        harness.configure(configuration(alerts=[{"signal": "kinesis.*", "will_reach": "none"}]))
        (ended,) = await notices_after(harness, 60, WITHIN_A_DAY)
        assert ended.resolution_reason == "the configuration switches the alert off"


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        ((2, 3, 4), "in 2-4 h (12:15 to 14:15 UTC)"),
        ((2, 2, 2), "in 120 min (12:15 UTC)"),
        ((-1, 0, 1), "in 0-60 min (10:15 to 11:15 UTC)"),
        ((18, 24, 72), "in 18 h to 3 d (1 Dec 04:15 to 3 Dec 10:15 UTC)"),
    ],
)
def test_the_times_of_a_forecast_are_relative_and_absolute(hours: tuple[int, int, int], text: str) -> None:
    now = int(datetime(2026, 11, 30, 10, 15, tzinfo=UTC).timestamp() // 60)
    reach = Reach((0.1, 0.4, 0.8, 0.9), tuple(now + 60 * hour for hour in hours), 14.0)
    assert times_text(reach, now) == text


async def test_a_forecast_alert_says_act_now_when_little_time_is_left(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..")
        (first,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_6_HOURS, hours=2.0)
        assert "60 % within 6h, in 2-4 h (" in first.summary
        assert "Act now" not in first.summary
        (nearer,) = await notices_after(harness, HALF_AN_HOUR, WITHIN_AN_HOUR, hours=0.2)
        assert "Act now: the change takes about 15 min." in nearer.summary
