"""Alerts on unverified signals have the severity info until CloudWatch returns points of their usage.

The letters of samples and notices are explained in `harness`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from collectors.base import Unobservable
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Severity
from tests.monitor.alerting.harness import SHORT, AlertingHarness
from tests.monitor.fleet.fleets import add, key, throttled_metric

SENTENCE = "The name of its metric is recalled."
UNVERIFIED = replace(SHORT, signal=SHORT.signal.model_copy(update={"unverified": SENTENCE}))


async def test_an_unverified_signal_with_throttled_demand_alone_has_an_alert_of_severity_info(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        add(harness.fleet, key("orders"), UNVERIFIED, usage=Unobservable("AWS publishes none"))
        row = harness.fleet.metrics(key("orders").cell)[
            metric_query(throttled_metric.of(StreamName=key("orders").id))
        ]
        harness.fleet.rings.write(np.array([row]), np.array([harness.minute]), np.array([60.0], np.float32))
        harness.fleet.rings.mark_read(np.array([row]), harness.minute)
        (notice,) = await harness.process(60)
        assert notice.severity is Severity.INFO
        assert notice.summary.endswith(f"Unverified: {SENTENCE}")


async def test_an_unverified_signal_with_points_of_its_usage_has_an_alert_of_the_severity_of_its_rule(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        add(harness.fleet, key("orders"), UNVERIFIED)
        assert await harness.run_minutes(orders="s") == "F"
        (notice,) = harness.notices
        assert notice.severity is Severity.CRITICAL
