"""The key `exclude`: wholly excluded services are not called, and excluded series cost nothing."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli.commands import app
from monitor.config.config import Config
from monitor.config.exclude import excludes_all_of, ineffective_entries
from monitor.schema.selector import Location
from tests.kinesis_answers import stream_summary
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount
from tests.registries import REGISTRY

PROD, STAGING = "123456789012", "210987654321"
SQS = Location(PROD, "prod", "ap-south-1", "sqs")
SERVICES = REGISTRY.service_names


def config_with(*exclude: dict[str, Any], **further_keys: Any) -> Config:
    """Return a configuration of two accounts with these entries of `exclude`, and further keys."""
    accounts = [
        {"name": "prod", "role_arn": f"arn:aws:iam::{PROD}:role/headroom"},
        {"name": "staging", "role_arn": f"arn:aws:iam::{STAGING}:role/headroom"},
    ]
    settings = {"accounts": accounts, "regions": ["eu-west-1", "ap-south-1"], "exclude": exclude}
    return Config.model_validate(settings | further_keys)


# Entries of `exclude`, and whether they exclude all series of SQS in the account `prod` and in ap-south-1.
EXCLUDES_SQS = [
    ([{"region": "ap-*"}], True),
    ([{"region": "eu-*"}], False),
    ([{"service": "sqs"}], True),
    ([{"service": "s?s", "region": "ap-south-1"}], True),
    ([{"service": "kinesis"}], False),
    ([{"signal": "sqs.*"}], True),
    ([{"signal": "sqs.standard_*"}], False),
    ([{"signal": "sqs.standard_*"}, {"signal": "fifo_*"}], True),  # together they match all signals of SQS
    ([{"account": "prod"}], True),
    ([{"account": PROD}], True),
    ([{"account": "staging"}], False),
    ([{"resource": "*"}], True),
    ([{"region": "ap-*", "resource": "test-*"}], False),
    ([{"region": "ap-*", "service": "s3"}], False),
    ([], False),
]


@pytest.mark.parametrize(("exclude", "is_excluded"), EXCLUDES_SQS)
def test_a_service_in_a_region_is_excluded_if_all_its_series_are_excluded(
    exclude: list[dict[str, Any]], is_excluded: bool
) -> None:
    assert excludes_all_of(config_with(*exclude).exclude, SQS, REGISTRY) is is_excluded


# An entry of `exclude`, and the regions and services that are then monitored, by the account's name.
MONITORED: list[tuple[dict[str, Any], dict[str, tuple[set[str], set[str]]]]] = [
    ({"region": "ap-*"}, {"prod": ({"eu-west-1"}, {*SERVICES}), "staging": ({"eu-west-1"}, {*SERVICES})}),
    ({"account": "staging"}, {"prod": ({"eu-west-1", "ap-south-1"}, {*SERVICES})}),
    (
        {"account": STAGING, "service": "sqs"},
        {
            "prod": ({"eu-west-1", "ap-south-1"}, {*SERVICES}),
            "staging": ({"eu-west-1", "ap-south-1"}, {*SERVICES} - {"sqs"}),
        },
    ),
    ({"region": "*"}, {}),
]


@pytest.mark.parametrize(("entry", "expected"), MONITORED)
def test_excluded_accounts_and_regions_and_services_are_not_monitored(
    entry: dict[str, Any], expected: dict[str, tuple[set[str], set[str]]]
) -> None:
    accounts = config_with(entry).monitored_accounts(REGISTRY)
    assert {account.name: ({*account.regions}, {*account.services}) for account in accounts} == expected


def test_the_value_all_is_not_changed_before_aws_has_listed_the_regions() -> None:
    accounts = config_with({"region": "a*"}, regions="all").monitored_accounts(REGISTRY)
    assert [account.regions for account in accounts] == [("all",), ("all",)]


# An entry of `exclude`, and the reason why it excludes nothing; None if it excludes something.
INEFFECTIVE_ENTRIES = [
    ({"region": "us-*"}, "no configured region matches 'us-*'"),
    ({"account": "sandbox"}, "no configured account matches 'sandbox'"),
    ({"service": "s3"}, "no configured service matches 's3'"),
    ({"signal": "s3.*"}, "nothing configured matches all of its patterns"),
    ({"region": "eu-*", "service": "sqs", "signal": "kinesis.*"}, "nothing configured"),
    ({"region": "ap-*"}, None),
    ({"resource": "test-*"}, None),
    ({"account": "prod", "region": "eu-*", "service": "sqs"}, None),
]


@pytest.mark.parametrize(("entry", "reason"), INEFFECTIVE_ENTRIES)
def test_an_entry_without_effect_is_reported_with_the_reason(
    entry: dict[str, Any], reason: str | None
) -> None:
    config = config_with(entry, services=["kinesis", "sqs"])
    sentences = list(ineffective_entries(config.exclude, config.configured_entries(REGISTRY), REGISTRY))
    if reason is None:
        assert sentences == []
    else:
        (sentence,) = sentences
        assert sentence.startswith(f"exclude[0] excludes nothing: {reason}")


@pytest.mark.parametrize("regions", ["all", []])
def test_an_entry_for_regions_or_accounts_that_are_not_known_yet_is_not_reported(regions: Any) -> None:
    config = config_with({"region": "us-*"}, {"account": "0" * 12}, regions=regions, accounts=[{}])
    assert list(ineffective_entries(config.exclude, config.configured_entries(REGISTRY), REGISTRY)) == []


def test_config_check_lists_entries_without_effect(tmp_path: Path) -> None:
    lines = (
        "regions: [eu-west-1]",
        "exclude: [{region: 'ap-*'}]",
        "receivers: [{name: ops, type: slack, url: 'https://x'}, {name: web, type: slack, url: 'https://x'}]",
        "route: {receiver: ops}",
    )
    (tmp_path / "h.yaml").write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["config", "check", "--config", str(tmp_path / "h.yaml")])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        "exclude[0] excludes nothing: no configured region matches 'ap-*'.",
        "receivers[1] is never notified: no route names 'web'.",
    ]


async def test_no_metric_of_an_excluded_series_is_requested() -> None:
    def describe(StreamName: str) -> dict[str, Any]:
        summary = stream_summary(StreamName, 1)["StreamDescriptionSummary"]
        mode = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
        return {"StreamDescriptionSummary": summary | mode}

    requested_streams = []

    def get_metric_data(**params: Any) -> dict[str, Any]:
        (dimension,) = params["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
        requested_streams.append(dimension["Value"])
        return {"MetricDataResults": []}

    stream_list = {"StreamNames": ["orders", "test-1"], "HasMoreStreams": False}
    account = FakeAccount(
        Config.model_validate({"exclude": [{"resource": "test-*"}]}),
        list_streams=stream_list,
        describe_stream_summary=describe,
        get_metric_data=get_metric_data,
        **NO_QUOTAS,
    )
    await account.run_inventory(KINESIS)
    assert requested_streams == ["orders"]
    metric_names = b"".join(account.fleet.metrics(account.aws.cell.key))
    assert b"orders" in metric_names and b"test-1" not in metric_names
