"""Series that are judged by their throttled demand alone: they have no usage, no limit or no judged usage.

The letters of samples and notices are explained in `harness`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.base import Unobservable, per_second
from rules.band import Zone
from tests.monitor.alerting.harness import SHORT, AlertingHarness
from tests.monitor.fleet.fleets import key, throttled_metric

NO_USAGE: dict[str, Any] = {"usage": Unobservable("no metric tells the consumption of one partition")}
THROTTLED_RECORDS = per_second(throttled_metric.of(StreamName=key("orders").id))
# Settings of a series, and options of `AlertingHarness.series`.
SERIES_SETTINGS: dict[str, Any] = {
    "without a usage": (SHORT, NO_USAGE),
    "without a limit": (
        replace(SHORT, limit=None),
        {"usage": THROTTLED_RECORDS, "throttled": THROTTLED_RECORDS},
    ),
    "without a limit, with a usage that is not the throttled demand": (replace(SHORT, limit=None), {}),
    "with a usage whose bounds are shown but not judged": (SHORT, {"judged": False}),
}


@pytest.mark.parametrize(("settings", "options"), SERIES_SETTINGS.values(), ids=SERIES_SETTINGS)
async def test_an_alert_of_a_series_without_judged_usage_begins_and_ends_with_throttled_demand(
    settings: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        series = harness.series("orders", settings, **options)
        assert await harness.run_minutes(orders="...ss") == "...F."
        assert Zone(int(harness.fleet.zone[series.slot])) is Zone.SATURATED
        assert harness.fleet.saturation[series.slot] == 1.0
        assert (await harness.run_minutes(orders="." * 12)).strip(".") == "R"
        assert Zone(int(harness.fleet.zone[series.slot])) is Zone.UNOBSERVABLE
        assert harness.fleet.saturation[series.slot] == 0.0
        assert harness.fleet.minute[series.slot] == harness.minute - 1
        assert np.isnan(harness.fleet.utilization[series.slot])


@pytest.mark.parametrize(("settings", "options"), SERIES_SETTINGS.values(), ids=SERIES_SETTINGS)
async def test_an_alert_of_a_series_without_judged_usage_keeps_firing_while_throttled_demand_is_unknown(
    settings: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("orders", settings, **options)
        assert await harness.run_minutes(orders="..s____????____") == "..F............"
        assert (await harness.run_minutes(orders="." * 12)).strip(".") == "R"
