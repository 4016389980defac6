"""A global service is read once per account and partition, in the cell `global`, through the home region."""

from typing import Any

import pytest

from collectors.base import ServiceScope
from collectors.registry import Registry
from monitor.aws.account import Account
from monitor.aws.cell_factory import SharedAws, open_cells
from monitor.config.config import Config
from monitor.config.exclude import ineffective_entries
from monitor.config.file import parse_config
from monitor.fleet.fleet import Fleet
from monitor.polling.watcher import Watcher
from monitor.render.commands import increase_command
from monitor.report.scan import scan_once
from monitor.schema.problems import ConfigError
from monitor.schema.selectors import parse_selectors
from monitor.schema.types import ConfigContext
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.global_services import ACCOUNT, DNS, GLOBAL_CELL, HOME_CELL, ZONE, GlobalAws, global_registry
from tests.telemetries import Telemetries

REGISTRY = global_registry()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/headroom"
EUROPE, ASIA = (ACCOUNT, "eu-west-1"), (ACCOUNT, "ap-south-1")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, and remove the user's own AWS settings."""
    set_aws_environment(monkeypatch, CREDENTIALS)


async def watcher_after_one_run(aws: GlobalAws, registry: Registry = REGISTRY, **config: Any) -> Watcher:
    """Run a watcher once, close it and return it. config: settings beside the regions and the endpoint."""
    settings = {"regions": ["eu-west-1", "ap-south-1"], "endpoint_url": aws.url, **config}
    telemetry = Telemetries()
    watcher = Watcher(Config.model_validate(settings), registry, Fleet(), telemetry.process, telemetry.aws)
    try:
        await watcher.run_once(lambda done, steps: None)
    finally:
        await watcher.close()
    return watcher


async def test_a_global_service_is_read_once_though_two_regions_are_configured() -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws)
    assert watcher.sentences() == []
    assert {key: cell.services for key, cell in watcher.cells.items()} == {
        EUROPE: {"topics"},
        ASIA: {"topics"},
        GLOBAL_CELL: {"dns"},
    }
    assert {key.service for key in watcher.fleet.series if key.region == "global"} == {"dns"}
    assert {key.region for key in watcher.fleet.series if key.service == "dns"} == {"global"}
    assert aws.calls["route53", "us-east-1"] == 1
    assert {region for service, region in aws.calls if service == "sns"} == {"eu-west-1", "ap-south-1"}


async def test_each_cell_has_a_call_budget_of_its_own() -> None:
    telemetry = Telemetries()
    async with GlobalAws.serving() as aws:
        config = Config.model_validate({"regions": ["eu-west-1"], "endpoint_url": aws.url})
        watcher = Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws, quota_calls=300)
        await watcher.run_once(lambda done, steps: None, with_polls=False)
        await watcher.close()
    assert {key: known.budget.calls_left for key, known in watcher.known_quotas().items()} == {
        EUROPE: 300,
        GLOBAL_CELL: 300,
    }


async def test_metrics_and_quotas_of_a_global_service_are_read_in_the_home_region() -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws)
    assert aws.metrics["AWS/Route53", "us-east-1"] > 0
    assert {region for namespace, region in aws.metrics if namespace == "AWS/Route53"} == {"us-east-1"}
    assert {region for service, region in aws.calls if service == "servicequotas"} == {"us-east-1"}
    assert watcher.fleet.metrics(GLOBAL_CELL)
    assert {status.region for status in watcher.cell_statuses()} == {"eu-west-1", "ap-south-1", "global"}


async def test_the_home_region_depends_on_the_partition() -> None:
    china = {"role_arn": ROLE.replace("arn:aws:", "arn:aws-cn:"), "regions": ["cn-north-1"]}
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws, accounts=[china])
    assert set(watcher.cells) == {(ACCOUNT, "cn-north-1"), GLOBAL_CELL}
    assert {region for namespace, region in aws.metrics if namespace == "AWS/Route53"} == {"cn-northwest-1"}
    assert {series.aws_region for key, series in watcher.fleet.series.items() if key.region == "global"} == {
        "cn-northwest-1"
    }


async def test_a_service_with_a_region_in_another_partition_is_not_called() -> None:
    """Global Accelerator exists only in us-west-2, where AWS rejects credentials of the China partition."""
    china = {"role_arn": ROLE.replace("arn:aws:", "arn:aws-cn:"), "regions": ["cn-north-1"]}
    registry = global_registry(f"region: us-west-2{DNS}")
    async with GlobalAws.serving() as aws:
        in_china = await watcher_after_one_run(aws, registry, accounts=[china])
        in_europe = await watcher_after_one_run(
            aws, registry, accounts=[{"role_arn": ROLE, "regions": ["eu-west-1"]}]
        )
    assert set(in_china.cells) == {(ACCOUNT, "cn-north-1")}
    assert set(in_europe.cells) == {EUROPE, GLOBAL_CELL}
    assert in_china.sentences() == []
    assert {region for service, region in aws.calls if service == "route53"} == {"us-west-2"}
    assert not [region for _, region in aws.metrics if region == "cn-northwest-1"]


async def test_commands_for_global_services_name_the_home_region() -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws)
    by_signal = {key.signal: series for key, series in watcher.fleet.series.items()}
    zone_records = by_signal["zone_records"]
    assert zone_records.key.region == "global"
    limit = zone_records.settings.limit
    assert limit and limit.value == 140  # the default of us-east-1
    command = increase_command(zone_records.settings.signal, zone_records, 0.9)
    assert command == f"aws route53 get-hosted-zone --id={ZONE} --region=us-east-1"
    zones = by_signal["zones"]
    assert (increase_command(zones.settings.signal, zones, 0.9) or "").endswith("--region us-east-1")
    unobservable = by_signal["zone_queries"].unobservable
    assert unobservable and unobservable.enable_command == "aws route53 get-hosted-zone --region us-east-1"


async def test_a_scan_reports_a_global_service_in_the_region_global() -> None:
    async with GlobalAws.serving() as aws:
        config = Config.model_validate({"regions": ["eu-west-1"], "endpoint_url": aws.url})
        selectors = parse_selectors({"region": ["global"]}, REGISTRY)
        scan = await scan_once(config, REGISTRY, selectors, lambda done, steps: None)
    assert scan.requested_failures == []
    assert scan.cells == [(*EUROPE, ""), (*GLOBAL_CELL, "")]
    assert {(row.key.region, row.key.service, row.aws_region) for row in scan.rows} == {
        ("global", "dns", "us-east-1")
    }


async def test_without_a_global_service_there_is_no_global_cell() -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws, services=["topics"])
    assert set(watcher.cells) == {EUROPE, ASIA}
    assert "route53" not in {service for service, _ in aws.calls}


@pytest.mark.parametrize("regions", [["eu-west-1"], "all"])
async def test_if_only_global_services_are_configured_no_region_is_read_or_listed(regions: Any) -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws, services=["dns"], regions=regions)
    assert set(watcher.cells) == {GLOBAL_CELL}
    assert watcher.sentences() == []
    assert {service for service, _ in aws.calls} == {"sts", "route53", "monitoring", "servicequotas"}


async def test_a_denied_global_service_affects_only_itself() -> None:
    async with GlobalAws.serving("route53") as aws:
        watcher = await watcher_after_one_run(aws)
    assert [sentence.split(":")[0] for sentence in watcher.sentences()] == [f"{ACCOUNT}/global dns"]
    assert watcher.inaccessible_accounts == {}
    assert {key.region for key in watcher.fleet.series if key.service == "topics"} == {
        "eu-west-1",
        "ap-south-1",
    }


@pytest.mark.parametrize(
    ("exclude", "cells"),
    [
        ({"region": "global"}, {EUROPE, ASIA}),
        ({"service": "dns"}, {EUROPE, ASIA}),
        ({"region": "ap-*"}, {EUROPE, GLOBAL_CELL}),
        ({"service": "topics"}, {GLOBAL_CELL}),
        ({"region": "*-*"}, {GLOBAL_CELL}),
        ({"region": "eu-*", "service": "dns"}, {EUROPE, ASIA, GLOBAL_CELL}),
    ],
)
async def test_a_cell_whose_services_are_all_excluded_is_not_read(
    exclude: dict[str, str], cells: set[tuple[str, str]]
) -> None:
    async with GlobalAws.serving() as aws:
        watcher = await watcher_after_one_run(aws, exclude=[exclude])
    assert set(watcher.cells) == cells
    assert ("route53" in {service for service, _ in aws.calls}) is (GLOBAL_CELL in cells)


def test_an_exclusion_of_the_region_global_is_ineffective_without_a_global_service() -> None:
    config = Config.model_validate({"exclude": [{"region": "global"}], "regions": ["eu-west-1"]})
    accounts = config.configured_entries(REGISTRY)
    assert list(ineffective_entries(config.exclude, accounts, REGISTRY)) == []
    accounts_without_dns = [account.model_copy(update={"services": ("topics",)}) for account in accounts]
    assert list(ineffective_entries(config.exclude, accounts_without_dns, REGISTRY)) == [
        "exclude[0] excludes nothing: no configured region matches 'global'."
    ]


def test_global_matches_region_patterns_but_cannot_be_configured_as_a_region() -> None:
    Config.model_validate({"bands": [{"region": "global", "high": 0.8}]})
    with pytest.raises(ConfigError) as error:
        parse_config(b"regions: [global]", "headroom.yaml", ConfigContext(registry=REGISTRY))
    assert "expected an AWS region, found 'global'" in str(error.value)


async def test_cells_that_call_the_same_region_share_its_rate_limits() -> None:
    shared = SharedAws()
    account = Account(role_arn=ROLE, regions=("us-east-1", "eu-west-1"))
    async with GlobalAws.serving() as aws:
        cells = await open_cells(account, aws.url, Telemetries().aws, shared, {*ServiceScope})
        await shared.clients.aclose()
    by_key = {cell.key: cell for cell in cells}
    assert by_key[GLOBAL_CELL].limiters is by_key[HOME_CELL].limiters
    assert by_key[GLOBAL_CELL].limiters is not by_key[EUROPE].limiters
