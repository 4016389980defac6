"""A control policy denies most regions of three accounts: what that costs a receiver in simulated hours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.aws.failure import Failure
from monitor.fleet.fleet import Fleet
from tests.fake_aws import FakeAws, denied
from tests.monitor.alerting.cells import METRICS, SimulatedCells
from tests.monitor.alerting.play_cells import play_cells
from tests.monitor.alerting.stage import Stage, configuration
from tests.monitor.polling.inventories import inventory_of
from tests.registries import REGISTRY

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
SEEN = "eu-west-1"
DENIED = [f"ap-south-{number}" for number in range(1, 15)]
SHORT = ("list_queues", "list_buckets", "describe_account_limits", "describe_auto_scaling_groups")
# As many as the summary of an alert can name.
SERVICES = ("alb", "apigateway", "autoscaling", "dynamodb", "kinesis", "lambda", "s3", "sqs")
ROUTES = {"receiver": "pager"}  # as a user has them: gathered, grouped and repeated as usual


async def refusals() -> Mapping[str, Sequence[Failure]]:
    """Return the failures of the real collectors in a region that denies everything, by service."""
    answers: dict[str, Any] = {method: denied(method, "AccessDenied") for method in SHORT}
    aws = FakeAws(**answers)
    inventory = inventory_of(aws.cell, Fleet())
    for collector in REGISTRY.collectors_of(SERVICES):
        await inventory.run(collector)
    failures = {name: outcome.failures for name, outcome in inventory.statuses.items()}
    return {**failures, METRICS: (Failure("GetMetricData", "", "AccessDenied", "not authorized"),)}


def denied_cells(refused: Mapping[str, Sequence[Failure]]) -> SimulatedCells:
    """The regions of all accounts; refused: the failures of each service, in all regions but one."""
    return SimulatedCells(
        ACCOUNTS,
        [SEEN, *DENIED],
        SERVICES,
        lambda account, region, service: () if region == SEEN else refused[service],
    )


async def test_each_account_has_one_alert_that_names_the_denied_regions(tmp_path: Path) -> None:
    refused = await refusals()
    assert {one.code for those in refused.values() for one in those} == {
        "AccessDenied",
        "AccessDeniedException",
    }
    cells = denied_cells(refused)
    async with Stage.opened(tmp_path, configuration(route=ROUTES)) as stage:
        await play_cells(stage, cells, 6 * 60, step=60)
        assert len(stage.sent) == len(stage.notices) == len(ACCOUNTS)
        assert {one.labels["account"] for one in stage.notices} == {*ACCOUNTS}
        for one in stage.notices:
            assert "in 14 of 15 regions of name-" in one.summary
            assert "Lambda" in one.summary and "CloudWatch metrics" in one.summary
        await play_cells(stage, cells, 24 * 60, step=300)
        assert len(stage.sent) == 2 * len(ACCOUNTS)  # and once a day


def worded(failures: Sequence[Failure]) -> Sequence[Failure]:
    """The failures, as the services word them that say which policy denies a call."""
    message = "not authorized to perform: {} with an explicit deny in a service control policy"
    return [replace(one, message=message.format(f"any:{one.operation}")) for one in failures]


async def test_a_denial_by_the_organization_is_one_cause_though_some_messages_do_not_name_it(
    tmp_path: Path,
) -> None:
    refused = await refusals()
    named = {name: worded(failed) for name, failed in refused.items()}
    cells = denied_cells({**named, "sqs": refused["sqs"]})
    async with Stage.opened(tmp_path, configuration(route=ROUTES)) as stage:
        await play_cells(stage, cells, 6 * 60, step=60)
        assert [one.labels["cause"] for one in stage.notices] == ["organization"] * len(ACCOUNTS)
        for one in stage.notices:
            assert one.summary.startswith("The organization denies any:")
            assert "in 14 of 15 regions of name-" in one.summary
            assert one.places == len(DENIED) * len(refused)
            assert len(one.remedy) == 2
            assert one.remedy[-1] == f"It is denied in {', '.join(sorted(DENIED))}."


async def test_alerts_of_denied_regions_fire_and_are_resolved_once_for_each_account(tmp_path: Path) -> None:
    cells = denied_cells(await refusals())
    async with Stage.opened(tmp_path, configuration(route=ROUTES)) as stage:
        for minute in range(120):
            if minute == 60:
                cells.fails = lambda account, region, service: ()
            stage.seconds += 60
            stage.status = cells.step(stage.seconds)
            await stage.process()
        assert [one.kind.value for one in stage.notices] == ["firing"] * 3 + ["resolved"] * 3
