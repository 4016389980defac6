"""Series of which only the throttled demand is judged: without a usage, without a limit, or with bounds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.base import Unobservable, per_second
from rules.band import Zone
from tests.monitor.alerting.stage import SHORT, Stage
from tests.monitor.fleet.fleets import key, refused

NO_USAGE: dict[str, Any] = {"usage": Unobservable("no metric tells the consumption of one partition")}
ORDERS = per_second(refused.of(StreamName=key("orders").id))
SERIES: dict[str, Any] = {
    "without a usage": (SHORT, NO_USAGE),
    "without a limit": (replace(SHORT, limit=None), {"usage": ORDERS, "throttled": ORDERS}),
    "without a limit, but with a usage of its own": (replace(SHORT, limit=None), {}),
    "with a usage whose bounds are shown but not judged": (SHORT, {"judged": False}),
}


@pytest.mark.parametrize(("settings", "options"), SERIES.values(), ids=SERIES)
async def test_an_alert_on_throttled_demand_alone_begins_and_ends_with_it(
    settings: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        series = stage.series("orders", settings, **options)
        assert await stage.play(orders="...ss") == "...F."
        assert Zone(int(stage.fleet.zone[series.slot])) is Zone.SATURATED
        assert stage.fleet.saturation[series.slot] == 1.0
        assert (await stage.play(orders="." * 12)).strip(".") == "R"
        assert Zone(int(stage.fleet.zone[series.slot])) is Zone.UNOBSERVABLE
        assert stage.fleet.saturation[series.slot] == 0.0
        assert stage.fleet.minute[series.slot] == stage.minute - 1
        assert np.isnan(stage.fleet.utilization[series.slot])


@pytest.mark.parametrize(("settings", "options"), SERIES.values(), ids=SERIES)
async def test_an_alert_on_throttled_demand_alone_keeps_firing_while_it_is_unknown(
    settings: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", settings, **options)
        assert await stage.play(orders="..s____????____") == "..F............"
        assert (await stage.play(orders="." * 12)).strip(".") == "R"
