"""Alerts on signals for which CloudWatch reports whether demand is throttled, but not how much.

The letters of samples and notices are explained in `harness`.
"""

from dataclasses import replace
from pathlib import Path

from monitor.notifiers.notice import Severity
from tests.monitor.alerting.harness import SHORT, AlertingHarness
from tests.monitor.fleet.fleets import add, key

STATE_SIGNAL = SHORT.signal.model_copy(update={"throttled_unit": None, "saturation_is_state": True})


async def test_throttling_without_an_amount_is_notified_without_a_number(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        add(harness.fleet, key("orders"), replace(SHORT, signal=STATE_SIGNAL))
        assert await harness.run_minutes(orders="s") == "F"
        (notice,) = harness.notices
        assert notice.severity is Severity.CRITICAL
        assert "; demand is throttled. Remedy: " in notice.summary
        assert notice.throttled is None
