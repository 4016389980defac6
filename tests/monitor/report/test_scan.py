"""A scan of the demo's AWS, and the selection of the series and services that it reads."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.aws.failure import Failure
from monitor.config.config import Config
from monitor.fleet.key import Key
from monitor.polling.watcher import DUPLICATE_ENTRY
from monitor.report.scan import (
    ScanDepth,
    limit_to_requested_services,
    requested_failures,
    scan_once,
    series_filter,
    unread_quotas,
)
from monitor.schema.problems import ConfigError
from monitor.schema.selector import Location
from monitor.schema.selectors import parse_selectors
from rules.band import Zone
from rules.right_size import Advice
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.registries import REGISTRY

ROLE = "arn:aws:iam::210987654321:role/headroom"
KEY = Key("210987654321", "eu-west-1", "kinesis", "stream_write_bytes", "orders")
NAMES = {"210987654321": "production", "123456789012": "own"}


@pytest.mark.parametrize(
    ("patterns", "is_selected"),
    [
        ({}, True),
        ({"service": None, "signal": [], "region": None, "account": None}, True),
        ({"service": ["kinesis"]}, True),
        ({"service": ["sqs"]}, False),
        ({"service": ["sqs", "kinesis"]}, True),
        ({"signal": ["stream_write_bytes"]}, True),
        ({"signal": ["kinesis.stream_write_bytes"]}, True),
        ({"signal": ["stream_*"]}, True),
        ({"signal": ["stream_write_records"]}, False),
        ({"region": ["eu-west-1"]}, True),
        ({"region": ["eu-*", "us-east-1"]}, True),
        ({"region": ["us-east-1"]}, False),
        ({"account": ["210987654321"]}, True),
        ({"account": ["production"]}, True),
        ({"account": ["own"]}, False),
        ({"service": ["kinesis"], "region": ["us-east-1"]}, False),
        ({"service": ["kinesis"], "account": ["prod*"], "signal": ["stream_*"]}, True),
    ],
)
def test_a_series_is_selected_when_one_pattern_of_each_label_matches(
    patterns: Mapping[str, Sequence[str] | None], is_selected: bool
) -> None:
    assert series_filter(NAMES, parse_selectors(patterns, REGISTRY))(KEY) is is_selected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"service": ["kinesiss"]}, "found 'kinesiss'; did you mean kinesis?"),
        ({"signal": ["stream_write_byte"]}, "found 'stream_write_byte'; did you mean stream_write_bytes?"),
        ({"region": ["eu-wset-1"]}, "found 'eu-wset-1'; did you mean eu-west-1?"),
        ({"account": [""]}, "account: expected text"),
    ],
)
def test_a_pattern_that_no_series_can_match_is_an_error(
    patterns: dict[str, list[str]], expected: str
) -> None:
    with pytest.raises(ConfigError) as error:
        parse_selectors(patterns, REGISTRY)
    (line,) = error.value.problems
    assert line.startswith(f"headroom: {next(iter(patterns))}: expected")
    assert expected in line


# Scans of the demo's AWS


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)


async def test_a_scan_reads_and_judges_the_selected_signals_once(aws_url: str) -> None:
    settings: dict[str, Any] = {"regions": ["eu-west-1"], "services": ["sqs"], "endpoint_url": aws_url}
    config = Config.model_validate(settings)
    steps: list[tuple[int, int]] = []
    selectors = parse_selectors({"signal": ["fifo_*"]}, REGISTRY)
    report = await scan_once(config, REGISTRY, selectors, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]
    assert not report.failures
    assert {row.key.signal.split("_")[0] for row in report.rows} == {"fifo"}
    rows_with_exact_usage = [row for row in report.rows if row.upper_bound is None]
    assert rows_with_exact_usage
    assert all(row.zone > Zone.STALE and row.usage is not None for row in rows_with_exact_usage)
    assert [row.urgency for row in report.rows] == sorted(row.urgency for row in report.rows)


async def test_a_scan_report_has_its_cells_its_cost_and_the_last_three_hours(aws_url: str) -> None:
    settings = {
        "accounts": [{"name": "own", "regions": ["eu-west-1"], "services": ["sqs"]}],
        "endpoint_url": aws_url,
    }
    report = await scan_once(Config.model_validate(settings), REGISTRY, [], lambda done, total: None)
    assert report.cells == [("123456789012", "eu-west-1", "own")]
    assert abs(report.finished_at - time.time()) < 60
    assert report.metrics_requested > len(report.rows) / 2
    assert report.cost_dollars == pytest.approx(report.metrics_requested * 1e-5)
    used_row = next(row for row in report.rows if row.utilization)
    series_history = report.history_of(used_row.key)
    assert np.isfinite(series_history.utilization).sum() > 170
    assert used_row.utilization in series_history.utilization


async def test_forecasts_are_made_of_the_most_urgent_series_on_request(aws_url: str) -> None:
    settings = {
        "accounts": [{"name": "own", "regions": ["eu-west-1"], "services": ["kinesis"]}],
        "endpoint_url": aws_url,
    }
    config = Config.model_validate(settings)
    without_forecasts = await scan_once(config, REGISTRY, [], lambda done, total: None)
    with_forecasts = await scan_once(config, REGISTRY, [], lambda done, total: None, ScanDepth(forecasts=10))
    assert not any(row.reach.probability for row in without_forecasts.rows)
    forecast_rows = [row for row in with_forecasts.rows if row.reach.probability]
    assert 0 < len(forecast_rows) <= 10
    assert 0 < with_forecasts.metrics_requested - without_forecasts.metrics_requested <= 3 * 10
    assert all(row.reach.history_days and row.reach.history_days > 13 for row in forecast_rows)


async def test_sizes_of_whole_purchases_are_recommended_on_request(aws_url: str) -> None:
    settings = {
        "accounts": [{"name": "own", "regions": ["eu-west-1"], "services": ["kinesis"]}],
        "endpoint_url": aws_url,
    }
    config = Config.model_validate(settings)
    all_sizes, some_sizes = [
        await scan_once(config, REGISTRY, [], lambda done, total: None, ScanDepth(sizes=number))
        for number in (1000, 6)
    ]
    assert all_sizes.sizes is not None
    assert some_sizes.sizes is not None
    assert all_sizes.sizes.omitted == 0
    assert (
        len(all_sizes.sizes.recommendations)
        == len(some_sizes.sizes.recommendations) + some_sizes.sizes.omitted
    )
    all_recommendations, some_recommendations = (
        all_sizes.sizes.recommendations,
        some_sizes.sizes.recommendations,
    )
    assert sum(len(recommendation.series) for recommendation in some_recommendations) <= 6
    by_name = {recommendation.name: recommendation for recommendation in all_recommendations}
    assert all(recommendation == by_name[recommendation.name] for recommendation in some_recommendations)
    assert {recommendation.advice for recommendation in all_recommendations} - {Advice.UNKNOWN}
    assert all_sizes.metrics_requested > some_sizes.metrics_requested


async def test_a_call_that_aws_denies_is_in_the_report(aws_url: str) -> None:
    config = Config.model_validate(
        {"regions": ["ap-southeast-2"], "services": ["sqs"], "endpoint_url": aws_url}
    )
    report = await scan_once(config, REGISTRY, [], lambda done, total: None)
    assert report.rows == []
    assert any("ListQueues" in sentence for sentence in report.failures.by_failure)
    assert report.requested_failures == report.failures.by_failure


async def test_a_denied_operation_that_several_reads_call_is_reported_once(aws_url: str) -> None:
    config = Config.model_validate(
        {"regions": ["ap-southeast-2"], "services": ["cognito", "networkfirewall"], "endpoint_url": aws_url}
    )
    report = await scan_once(config, REGISTRY, [], lambda done, total: None)
    assert sum("ListRuleGroups" in sentence for sentence in report.failures.by_failure) == 1
    assert len(report.requested_failures) > len(report.failures.by_failure)


SQS = Location("210987654321", "production", "eu-west-1", "sqs")
# The patterns of selectors, a failure's place and error code, whether it concerns the requested series.
FAILED_READS: list[tuple[dict[str, list[str]], Location, str, bool]] = [
    ({}, SQS, "AccessDenied", True),
    ({"service": ["sqs"], "region": ["eu-*"]}, SQS, "AccessDenied", True),
    ({"region": ["us-east-1"]}, SQS, "AccessDenied", False),
    ({"region": ["us-east-1", "eu-*"]}, SQS, "AccessDenied", True),
    ({"account": ["prod*"]}, SQS, "AccessDenied", True),
    ({"account": ["staging"]}, SQS, "AccessDenied", False),
    # without a service: a read of the whole cell, which concerns the service, too
    ({"service": ["sqs"]}, SQS._replace(service=""), "AccessDenied", True),
    # the account was not opened: it may have resources in the region
    ({"region": ["us-east-1"]}, Location("", "production"), "AccessDenied", True),
    # the unknown account id may match the pattern
    ({"account": ["staging"]}, Location("", "production"), "AccessDenied", True),
    ({"account": ["staging"]}, Location("210987654321", "production"), "AccessDenied", False),
    ({}, SQS, "Throttling", True),
    ({}, SQS, "OptInRequired", False),  # a region that is not enabled has no resources
    ({}, SQS, "Repeated", True),  # the code of DUPLICATE_ENTRY, but as an error of AWS
]


@pytest.mark.parametrize(("patterns", "location", "code", "is_requested"), FAILED_READS)
def test_a_failed_read_counts_if_it_concerns_requested_series(
    patterns: dict[str, list[str]], location: Location, code: str, is_requested: bool
) -> None:
    failures = [(location, Failure("ListQueues", "", code, "no"))]
    assert bool(requested_failures(failures, parse_selectors(patterns, REGISTRY))) is is_requested


def test_an_account_that_another_entry_monitors_is_no_failed_read() -> None:
    assert requested_failures([(Location("", "twin"), DUPLICATE_ENTRY)], []) == []


def test_services_without_a_requested_signal_are_not_read() -> None:
    accounts = [
        {"role_arn": "arn:aws:iam::123456789012:role/headroom", "services": ["kinesis", "sqs"]},
        {"role_arn": "arn:aws:iam::210987654321:role/headroom", "services": ["sqs"]},
    ]
    config = Config.model_validate({"accounts": accounts})
    requested = parse_selectors({"service": ["kin*"], "signal": None}, REGISTRY)
    assert [
        account.services
        for account in limit_to_requested_services(config, REGISTRY, requested).monitored_accounts(REGISTRY)
    ] == [("kinesis",)]
    assert limit_to_requested_services(config, REGISTRY, []).monitored_accounts(
        REGISTRY
    ) == config.monitored_accounts(REGISTRY)
    with pytest.raises(ConfigError, match="none of the requested services is configured"):
        limit_to_requested_services(config, REGISTRY, parse_selectors({"signal": ["lambda.*"]}, REGISTRY))


def test_unread_counts_and_lists_of_quotas_are_counted_in_all_cells() -> None:
    cells = [
        KnownQuotas(in_use=frozenset({"ec2", "glue"}), lists={"glue": ()}, uncounted=5),
        KnownQuotas(in_use=frozenset({"ec2"}), uncounted=2),
    ]
    assert unread_quotas(cells) == (7, 2)
    assert unread_quotas([KnownQuotas()]).sentence == ""
