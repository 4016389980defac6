"""Accounts with all services switched on, in which AWS denies all calls: each has one alert."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.blind_text import MAX_SERVICES
from monitor.aws.failure import Failure
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from tests.fake_aws import FakeAws
from tests.monitor.alerting.cells import METRICS, SimulatedCells
from tests.monitor.alerting.harness import AlertingHarness, configuration
from tests.monitor.alerting.read_cells import read_cells
from tests.monitor.polling.inventories import inventory_of
from tests.registries import REGISTRY

ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("eu-west-1", "us-east-1")


SETTINGS: Mapping[str, dict[str, Any]] = {
    "core signals": {},
    "detail signals and all counts": {"signals": {"detail": True, "quotas": ["*"]}},
}


async def failures_of_denied_calls(config: Config) -> dict[str, Sequence[Failure]]:
    """Return the failures by service if AWS denies all calls; `METRICS` has the failure to read metrics."""
    inventory = inventory_of(FakeAws().cell, Fleet(), config)
    for collector in REGISTRY.collectors:
        await inventory.run(collector)
    failures = {name: status.failures for name, status in inventory.statuses.items() if status.failures}
    return {**failures, METRICS: (Failure("GetMetricData", "", "AccessDenied", "not authorized"),)}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
async def test_an_account_without_permissions_has_one_alert_with_one_sentence(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    failures = await failures_of_denied_calls(Config.model_validate(settings))
    assert {failure.code for service_failures in failures.values() for failure in service_failures} <= {
        "AccessDenied",
        "AccessDeniedException",
    }
    calling_services = {collector.service for collector in REGISTRY.collectors if collector.iam_actions}
    assert failures.keys() >= calling_services
    cells = SimulatedCells(
        ACCOUNTS,
        REGIONS,
        sorted(failures.keys() - {METRICS}),
        lambda account, region, service: failures.get(service, ()),
    )
    async with AlertingHarness.opened(tmp_path, configuration(route={"receiver": "pager"})) as harness:
        await read_cells(harness, cells, minutes=120, step=60)
        assert len(harness.sent) == len(harness.notices) == len(ACCOUNTS)
        assert {notice.labels["account"] for notice in harness.notices} == {*ACCOUNTS}
        for notice in harness.notices:
            assert "in 2 of 2 regions of name-" in notice.summary
            assert notice.summary.endswith(f" and {len(failures) - MAX_SERVICES} more.")
            assert len(notice.summary) < 600
