"""Every call is denied, with all services on: one sentence per account says so."""

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
from tests.monitor.alerting.play_cells import play_cells
from tests.monitor.alerting.stage import Stage, configuration
from tests.monitor.polling.inventories import inventory_of
from tests.registries import REGISTRY

ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("eu-west-1", "us-east-1")


SETTINGS: Mapping[str, dict[str, Any]] = {
    "core signals": {},
    "detail signals and all counts": {"signals": {"detail": True, "quotas": ["*"]}},
}


async def refusals(config: Config) -> dict[str, Sequence[Failure]]:
    """The failures of every service that makes calls, and of the reading of metrics."""
    inventory = inventory_of(FakeAws().cell, Fleet(), config)
    for collector in REGISTRY.collectors:
        await inventory.run(collector)
    failures = {name: status.failures for name, status in inventory.statuses.items() if status.failures}
    return {**failures, METRICS: (Failure("GetMetricData", "", "AccessDenied", "not authorized"),)}


@pytest.mark.parametrize("settings", SETTINGS)
async def test_an_account_without_permissions_has_one_alert_of_one_sentence(
    settings: str, tmp_path: Path
) -> None:
    refused = await refusals(Config.model_validate(SETTINGS[settings]))
    assert {one.code for those in refused.values() for one in those} <= {
        "AccessDenied",
        "AccessDeniedException",
    }
    calls = {collector.service for collector in REGISTRY.collectors if collector.iam_actions}
    assert refused.keys() >= calls
    cells = SimulatedCells(
        ACCOUNTS,
        REGIONS,
        sorted(refused.keys() - {METRICS}),
        lambda account, region, service: refused.get(service, ()),
    )
    async with Stage.opened(tmp_path, configuration(route={"receiver": "pager"})) as stage:
        await play_cells(stage, cells, 2 * 60, step=60)
        assert len(stage.sent) == len(stage.notices) == len(ACCOUNTS)
        assert {one.labels["account"] for one in stage.notices} == {*ACCOUNTS}
        for one in stage.notices:
            assert "in 2 of 2 regions of name-" in one.summary
            assert one.summary.endswith(f" and {len(refused) - MAX_SERVICES} more.")
            assert len(one.summary) < 600
