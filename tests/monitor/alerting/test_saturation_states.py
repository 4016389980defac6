"""Alerts where CloudWatch tells that demand is throttled, and not how much: they name no amount."""

from dataclasses import replace
from pathlib import Path

from monitor.notifiers.notice import Severity
from tests.monitor.alerting.stage import SHORT, Stage
from tests.monitor.fleet.fleets import add, key

STATE = SHORT.signal.model_copy(update={"throttled_unit": None, "saturation_is_state": True})


async def test_a_state_is_reported_without_an_amount(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        add(stage.fleet, key("orders"), replace(SHORT, signal=STATE))
        assert await stage.play(orders="s") == "F"
        (notice,) = stage.sent[-1].notices
        assert notice.severity is Severity.CRITICAL
        assert "; demand is throttled. Remedy: " in notice.summary
        assert notice.throttled is None
