"""Alerts on signals for which CloudWatch reports whether demand is throttled, but not how much.

The letters of samples and notices are explained in `stage`.
"""

from dataclasses import replace
from pathlib import Path

from monitor.notifiers.notice import Severity
from tests.monitor.alerting.stage import SHORT, Stage
from tests.monitor.fleet.fleets import add, key

STATE_SIGNAL = SHORT.signal.model_copy(update={"throttled_unit": None, "saturation_is_state": True})


async def test_throttling_without_an_amount_is_notified_without_a_number(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        add(stage.fleet, key("orders"), replace(SHORT, signal=STATE_SIGNAL))
        assert await stage.run_minutes(orders="s") == "F"
        (notice,) = stage.notices
        assert notice.severity is Severity.CRITICAL
        assert "; demand is throttled. Remedy: " in notice.summary
        assert notice.throttled is None
