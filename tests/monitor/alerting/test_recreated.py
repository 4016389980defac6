"""Resources that were deleted and created again: samples of the former resource lead to no alert.

The letters of samples and notices are explained in `stage`.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from rules.band import Zone
from tests.monitor.alerting.stage import SHORT, Stage

FORMER_MINUTES = 30  # minutes with samples of the former resource


@pytest.mark.parametrize("former_letter", ["s", "c", "a"])
async def test_alerts_never_use_samples_of_a_former_resource_of_the_same_name(
    former_letter: str, tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        first_minute = stage.minute
        await stage.run_minutes(other="." * FORMER_MINUTES)
        series = stage.series("orders", replace(SHORT, pending_for=5), created_at=stage.minute * 60.0)
        for minute in range(first_minute, stage.minute):  # the first poll returns the former samples
            stage.write(series, minute, former_letter)
        assert await stage.run_minutes(other="." * 10, orders="." * 10) == "." * 10
        assert stage.states == {}


async def test_samples_of_the_new_resource_raise_alerts(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", created_at=stage.minute * 60.0)
        assert await stage.run_minutes(orders="cccc....") == "..F...R."


async def test_throttled_demand_before_the_creation_is_ignored(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        series = stage.series("orders", created_at=stage.minute * 60.0)
        stage.write(series, stage.minute - 1, "s")
        await stage.run_minutes(orders=".")
        assert Zone(stage.fleet.zone[series.slot]) is Zone.WITHIN
        await stage.run_minutes(orders="s")
        assert Zone(stage.fleet.zone[series.slot]) is Zone.SATURATED
