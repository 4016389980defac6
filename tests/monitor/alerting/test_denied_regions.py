"""A control policy that denies most regions of three accounts: the notifications of simulated hours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.aws.failure import Failure
from monitor.fleet.fleet import Fleet
from tests.fake_aws import FakeAws, denied
from tests.monitor.alerting.cells import METRICS, SimulatedCells
from tests.monitor.alerting.harness import AlertingHarness, configuration
from tests.monitor.alerting.read_cells import read_cells
from tests.monitor.polling.inventories import inventory_of
from tests.registries import REGISTRY

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
ALLOWED_REGION = "eu-west-1"
DENIED_REGIONS = [f"ap-south-{number}" for number in range(1, 15)]
# The error code of these methods is AccessDenied; of other methods it is AccessDeniedException.
ACCESS_DENIED_METHODS = (
    "list_queues",
    "list_buckets",
    "describe_account_limits",
    "describe_auto_scaling_groups",
)
# As many services as the summary of an alert can name.
SERVICES = ("alb", "apigateway", "autoscaling", "dynamodb", "kinesis", "lambda", "s3", "sqs")
ROUTE = {"receiver": "pager"}  # with the default labels and times of groups


async def read_denials() -> Mapping[str, Sequence[Failure]]:
    """Run the real collectors in a region that denies everything; return the failures by service."""
    answers: dict[str, Any] = {method: denied(method, "AccessDenied") for method in ACCESS_DENIED_METHODS}
    aws = FakeAws(**answers)
    inventory = inventory_of(aws.cell, Fleet())
    for collector in REGISTRY.collectors_of(SERVICES):
        await inventory.run(collector)
    failures = {name: outcome.failures for name, outcome in inventory.statuses.items()}
    return {**failures, METRICS: (Failure("GetMetricData", "", "AccessDenied", "not authorized"),)}


def denied_cells(failures_by_service: Mapping[str, Sequence[Failure]]) -> SimulatedCells:
    """Return the cells of all accounts. failures_by_service: of reads in all regions but ALLOWED_REGION."""
    return SimulatedCells(
        ACCOUNTS,
        [ALLOWED_REGION, *DENIED_REGIONS],
        SERVICES,
        lambda account, region, service: () if region == ALLOWED_REGION else failures_by_service[service],
    )


async def test_each_account_has_one_alert_that_names_the_denied_regions(tmp_path: Path) -> None:
    failures_by_service = await read_denials()
    assert {failure.code for failures in failures_by_service.values() for failure in failures} == {
        "AccessDenied",
        "AccessDeniedException",
    }
    cells = denied_cells(failures_by_service)
    async with AlertingHarness.opened(tmp_path, configuration(route=ROUTE)) as harness:
        await read_cells(harness, cells, 6 * 60, step=60)
        assert len(harness.sent) == len(harness.notices) == len(ACCOUNTS)
        assert {notice.labels["account"] for notice in harness.notices} == {*ACCOUNTS}
        for notice in harness.notices:
            assert "in 14 of 15 regions of name-" in notice.summary
            assert "Lambda" in notice.summary and "CloudWatch metrics" in notice.summary
        await read_cells(harness, cells, 24 * 60, step=300)
        assert len(harness.sent) == 2 * len(ACCOUNTS)  # repeated once a day


def with_policy_in_message(failures: Sequence[Failure]) -> Sequence[Failure]:
    """Return the failures with the message of services that name the policy which denies a call."""
    message = "not authorized to perform: {} with an explicit deny in a service control policy"
    return [replace(failure, message=message.format(f"any:{failure.operation}")) for failure in failures]


async def test_a_denial_by_the_organization_is_one_alert_though_some_messages_do_not_name_the_policy(
    tmp_path: Path,
) -> None:
    failures_by_service = await read_denials()
    named_policy = {
        service: with_policy_in_message(failures) for service, failures in failures_by_service.items()
    }
    cells = denied_cells({**named_policy, "sqs": failures_by_service["sqs"]})
    async with AlertingHarness.opened(tmp_path, configuration(route=ROUTE)) as harness:
        await read_cells(harness, cells, 6 * 60, step=60)
        assert [notice.labels["cause"] for notice in harness.notices] == ["organization"] * len(ACCOUNTS)
        for notice in harness.notices:
            assert notice.summary.startswith("The organization denies any:")
            assert "in 14 of 15 regions of name-" in notice.summary
            assert notice.places == len(DENIED_REGIONS) * len(failures_by_service)
            assert len(notice.remedy) == 2
            assert notice.remedy[-1] == f"It is denied in {', '.join(sorted(DENIED_REGIONS))}."


async def test_alerts_of_denied_regions_fire_and_are_resolved_once_for_each_account(tmp_path: Path) -> None:
    cells = denied_cells(await read_denials())
    async with AlertingHarness.opened(tmp_path, configuration(route=ROUTE)) as harness:
        for minute in range(120):
            if minute == 60:
                cells.failures_of = lambda account, region, service: ()
            harness.seconds += 60
            harness.status = cells.step(harness.seconds)
            await harness.process()
        assert [notice.kind.value for notice in harness.notices] == (
            ["firing"] * len(ACCOUNTS) + ["resolved"] * len(ACCOUNTS)
        )
