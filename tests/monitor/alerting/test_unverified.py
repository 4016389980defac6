"""Alerts on unverified signals have the severity info until CloudWatch returns points of their usage.

The letters of samples and notices are explained in `stage`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from collectors.base import Unobservable
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Severity
from tests.monitor.alerting.stage import SHORT, Stage
from tests.monitor.fleet.fleets import add, key, throttled_metric

SENTENCE = "The name of its metric is recalled."
UNVERIFIED = replace(SHORT, signal=SHORT.signal.model_copy(update={"unverified": SENTENCE}))


async def test_an_unverified_signal_with_throttled_demand_alone_has_an_alert_of_severity_info(
    tmp_path: Path,
) -> None:
    async with Stage.opened(tmp_path) as stage:
        add(stage.fleet, key("orders"), UNVERIFIED, usage=Unobservable("AWS publishes none"))
        row = stage.fleet.metrics(key("orders").cell)[
            metric_query(throttled_metric.of(StreamName=key("orders").id))
        ]
        stage.fleet.rings.write(np.array([row]), np.array([stage.minute]), np.array([60.0], np.float32))
        stage.fleet.rings.mark_read(np.array([row]), stage.minute)
        (notice,) = await stage.process(60)
        assert notice.severity is Severity.INFO
        assert notice.summary.endswith(f"Unverified: {SENTENCE}")


async def test_an_unverified_signal_with_points_of_its_usage_has_an_alert_of_the_severity_of_its_rule(
    tmp_path: Path,
) -> None:
    async with Stage.opened(tmp_path) as stage:
        add(stage.fleet, key("orders"), UNVERIFIED)
        assert await stage.run_minutes(orders="s") == "F"
        (notice,) = stage.notices
        assert notice.severity is Severity.CRITICAL
