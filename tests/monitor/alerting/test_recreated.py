"""Resources that were deleted and created again: samples of the former resource lead to no alert.

The letters of samples and notices are explained in `harness`.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from rules.band import Zone
from tests.monitor.alerting.harness import SHORT, AlertingHarness

FORMER_MINUTES = 30  # minutes with samples of the former resource


@pytest.mark.parametrize("former_letter", ["s", "c", "a"])
async def test_alerts_never_use_samples_of_a_former_resource_of_the_same_name(
    former_letter: str, tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        first_minute = harness.minute
        await harness.run_minutes(other="." * FORMER_MINUTES)
        series = harness.series("orders", replace(SHORT, pending_for=5), created_at=harness.minute * 60.0)
        for minute in range(first_minute, harness.minute):  # the first poll returns the former samples
            harness.write(series, minute, former_letter)
        assert await harness.run_minutes(other="." * 10, orders="." * 10) == "." * 10
        assert harness.states == {}


async def test_samples_of_the_new_resource_raise_alerts(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("orders", created_at=harness.minute * 60.0)
        assert await harness.run_minutes(orders="cccc....") == "..F...R."


async def test_throttled_demand_before_the_creation_is_ignored(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        series = harness.series("orders", created_at=harness.minute * 60.0)
        harness.write(series, harness.minute - 1, "s")
        await harness.run_minutes(orders=".")
        assert Zone(harness.fleet.zone[series.slot]) is Zone.WITHIN
        await harness.run_minutes(orders="s")
        assert Zone(harness.fleet.zone[series.slot]) is Zone.SATURATED
