"""Notices of series: their summaries, fields and labels."""

import re
from dataclasses import replace
from typing import Any

import pytest

from collectors.base import Resource, Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.alerting.series_notices import IDLE_REMEDY, NoticeDetails, limit_change, series_notice
from monitor.alerting.trend import Trend
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.notifiers.notice import NoticeKind, Severity
from rules.band import Zone
from rules.limits import LimitSource
from rules.signals import Service
from rules.units import unit_named
from tests.monitor.alerting.notices import ACCOUNT, REGION
from tests.registries import REGISTRY, each_service, signal_of
from tests.resources import resource as resource_named

NOW = 1_764_000_000.0
MIB = 2**20
DETAILS = NoticeDetails(
    alert="a",
    number=3,
    kind=NoticeKind.FIRING,
    severity=Severity.WARNING,
    zone=Zone.NEAR,
    at=NOW,
    since=NOW - 42 * 60,
    account_name="prod",
)


def row(signal_id: str, resource: str, usage: float | None, limit: float | None, **changes: Any) -> Row:
    """Return the row of a series, in the zone `near`. `changes` replace the row's fields."""
    service, signal = signal_id.split(".")
    key = Key(ACCOUNT, REGION, service, signal, resource_named(resource))
    fields = {
        "key": key,
        "signal": signal_of(key),
        "zone": Zone.NEAR,
        "usage": usage,
        "upper_bound": None,
        "limit": limit,
        "source": LimitSource.API,
        "utilization": usage / limit if usage is not None and limit else None,
        "throttled": None,
        "sample_time": int(NOW) - 120,
        "unobservable": None,
    }
    return Row(**{**fields, **changes})


CLICKS = row("kinesis.stream_write_bytes", "clicks", 3.64 * MIB, 4 * MIB, throttled=0.0)
REMEDY = "Raise the shard count (UpdateShardCount, at most double, 10 times in 24 hours)."
RISING = Trend("rising", 22)
UNOBSERVABLE = Unobservable("no metric tells the consumption of one partition")
STREAM, LAMBDA = "Kinesis stream `clicks` (prod, eu-west-1)", "Lambda (prod, eu-west-1)"

# The row of a series, changes of DETAILS, the trend of usage, and the summary, or its part until "Remedy:".
SUMMARIES: list[tuple[Row, dict[str, Any], Trend | None, str]] = [
    (
        row(
            "s3.prefix_read_rate",
            "media/x/ (filter latest)",
            5200.0,
            5500.0,
            utilization=None,
            bounded=True,
        ),
        {},
        None,
        "S3 prefix `media/x/ (filter latest)` (prod, eu-west-1) is read at at least 5.2k requests/s of "
        "5.5k requests/s. Remedy: Put CloudFront or another cache in front of hot objects.",
    ),
    (
        CLICKS,
        {},
        RISING,
        f"{STREAM} writes 3.64 MiB/s of 4 MiB/s (91 %), rising for 22 min; "
        f"0 throttled so far. Remedy: {REMEDY}",
    ),
    (
        replace(CLICKS, throttled=12.5),
        {"zone": Zone.SATURATED, "account_name": ""},
        None,
        f"Kinesis stream `clicks` ({ACCOUNT}, eu-west-1) writes 3.64 MiB/s of 4 MiB/s (91 %); "
        f"12.5 throttled/s. Remedy: {REMEDY}",
    ),
    (
        row(
            "lambda.account_concurrency",
            "",
            940,
            1000,
            quota_request=QuotaRequest(2000.0, "DENIED", NOW - 3 * 86_400, NOW - 86_400),
        ),
        {},
        None,
        f"{LAMBDA} runs or reserves 940 of 1k concurrent executions (94 %). "
        "Remedy: Request an increase of Concurrent executions (L-B99A9384). An increase to 2k concurrent "
        "executions was requested on 21 Nov 2025 and was denied on 23 Nov 2025; the limit is still "
        "1k concurrent executions.",
    ),
    (
        CLICKS,
        {"zone": Zone.SATURATED},
        None,
        f"{STREAM} writes 3.64 MiB/s of 4 MiB/s (91 %); 0 throttled at the moment. Remedy: {REMEDY}",
    ),
    (
        row("lambda.account_concurrency", "", 940, 1000, throttled=0.0),
        {},
        None,
        f"{LAMBDA} runs or reserves 940 of 1k concurrent executions (94 %); 0 throttled so far. "
        "Remedy: Request an increase of Concurrent executions (L-B99A9384).",
    ),
    (
        row("quotas.count", "glue/Max tables per database", 46, 50, largest_resource="sales`\n"),
        {},
        None,
        "quota `glue/Max tables per database` (prod, eu-west-1) limits 46 of 50 resources (92 %); "
        "the largest is `sales'`. Remedy: Delete what is no longer used.",
    ),
    (
        row("sqs.standard_in_flight", "a`b\nc", 110_000, 120_000),
        {},
        Trend("falling", 90),
        "SQS queue `a'b c` (prod, eu-west-1) has in flight 110k of 120k messages (92 %), "
        "falling for 1 h 30 min. Remedy: Delete messages as soon as they are processed.",
    ),
    (
        row("kinesis.stream_write_bytes", "clicks", 0.2 * MIB, 4 * MIB, throttled=0.0),
        {"zone": Zone.BELOW, "since": NOW - 26 * 3600},
        RISING,
        f"{STREAM} writes 205 KiB/s of 4 MiB/s (5 %), below its target band for "
        f"1 d 2 h: paid for and idle. Remedy: {IDLE_REMEDY}",
    ),
    (
        row("kinesis.stream_write_bytes", "clicks", None, 4 * MIB),
        {"kind": NoticeKind.REPEATED},
        None,
        f"{STREAM} has no sample at the moment, the last one was at 15:58 UTC. Remedy: {REMEDY}",
    ),
    (
        row(
            "kinesis.stream_write_bytes",
            "clicks",
            3.64 * MIB,
            4 * MIB,
            throttled=2.4,
            throttled_by_cause={"hot key range": 2.1, "other": 0.3},
        ),
        {"zone": Zone.SATURATED},
        None,
        f"{STREAM} writes 3.64 MiB/s of 4 MiB/s (91 %); 2.4 throttled/s (2.1 /s of it: hot key range). "
        "Remedy:",
    ),
    (
        row(
            "dynamodb.table_read_partition", "orders", None, 3000.0, throttled=5.0, unobservable=UNOBSERVABLE
        ),
        {"zone": Zone.SATURATED},
        None,
        "DynamoDB table `orders` (prod, eu-west-1) has no observable usage; 5 throttled/s. Remedy:",
    ),
    (
        row(
            "dynamodb.table_read_partition", "orders", None, 3000.0, throttled=0.0, unobservable=UNOBSERVABLE
        ),
        {"kind": NoticeKind.RESOLVED, "zone": Zone.SATURATED},
        None,
        "DynamoDB table `orders` (prod, eu-west-1) recovered after 42 min: it has no observable usage; "
        "0 throttled/s.",
    ),
    (
        row("kinesis.on_demand_write_capacity", "clicks", 3 * MIB, None, throttled=2.0),
        {"zone": Zone.SATURATED},
        None,
        f"{STREAM} writes 3 MiB/s, and its limit is not known; 2 throttled/s. Remedy:",
    ),
    (
        row("kinesis.stream_write_bytes", "clicks", 1.2 * MIB, 4 * MIB, throttled=0.0),
        {"kind": NoticeKind.RESOLVED},
        RISING,
        f"{STREAM} recovered after 42 min: it writes 1.2 MiB/s of 4 MiB/s (30 %).",
    ),
    (
        row("lambda.account_concurrency", "", 940, 2000),
        {
            "kind": NoticeKind.RESOLVED,
            "resolution_reason": limit_change(1000, 2000, unit_named("concurrent executions")),
        },
        None,
        f"{LAMBDA} recovered after 42 min: it runs or reserves 940 of 2k concurrent executions "
        "(47 %); the limit was raised from 1k concurrent executions to 2k concurrent executions.",
    ),
]


@pytest.mark.parametrize(("series_row", "changes", "trend", "expected"), SUMMARIES)
def test_the_summary_of_a_notice_describes_the_series(
    series_row: Row, changes: dict[str, Any], trend: Trend | None, expected: str
) -> None:
    summary = series_notice(series_row, replace(DETAILS, **changes), REGISTRY, trend).summary
    assert summary == expected or (expected.endswith("Remedy:") and summary.startswith(expected))


def test_a_notice_has_the_numbers_of_its_series() -> None:
    notice = series_notice(CLICKS, replace(DETAILS, links={"page": "https://x/"}), REGISTRY, RISING)
    assert (notice.usage, notice.limit, notice.unit, notice.source) == (3.64 * MIB, 4 * MIB, "bytes/s", "api")
    assert (notice.utilization, notice.throttled, notice.sampled) == (0.91, 0.0, int(NOW) - 120)
    assert (notice.alert, notice.number, notice.kind) == ("a", 3, "firing")
    assert (notice.severity, notice.zone) == ("warning", "near")
    assert (notice.since, notice.at, notice.links) == (NOW - 42 * 60, NOW, {"page": "https://x/"})


def test_a_notice_has_the_labels_and_tags_of_its_series() -> None:
    notice = series_notice(CLICKS, replace(DETAILS, tags={"tag_team": "web"}), REGISTRY, RISING)
    assert notice.labels == {
        "account": ACCOUNT,
        "account_name": "prod",
        "region": REGION,
        "service": "kinesis",
        "signal": "stream_write_bytes",
        "resource": "clicks",
        "severity": "warning",
        "tag_team": "web",
    }


def test_a_notice_has_the_remedy_of_its_signal_and_the_documentation_of_its_partition() -> None:
    notice = series_notice(CLICKS, DETAILS, REGISTRY, RISING)
    assert notice.remedy == signal_of(CLICKS.key).remedy
    assert notice.docs.startswith("https://docs.aws.amazon.com/")
    row_in_china = replace(CLICKS, key=CLICKS.key._replace(region="cn-north-1"))
    assert series_notice(row_in_china, DETAILS, REGISTRY, RISING).docs == notice.docs.replace(
        "https://docs.aws.amazon.com/", "https://docs.amazonaws.cn/en_us/"
    )


def test_tags_do_not_replace_other_labels() -> None:
    notice = series_notice(CLICKS, replace(DETAILS, tags={"severity": "info", "account": "x"}), REGISTRY)
    assert (notice.labels["severity"], notice.labels["account"]) == ("warning", ACCOUNT)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1000, 2000, "the limit was raised from 1k requests/s to 2k requests/s"),
        (2000, 500, "the limit was lowered from 2k requests/s to 500 requests/s"),
        (1000, 1000, ""),
        (None, 1000, ""),
        (1000, None, ""),
    ],
)
def test_a_raised_or_lowered_limit_is_a_resolution_reason(
    before: float | None, after: float | None, expected: str
) -> None:
    assert limit_change(before, after, unit_named("requests/s")) == expected


@each_service
def test_the_summary_of_every_signal_has_usage_trend_throttling_and_remedy(service: Service) -> None:
    for signal in service.signals.values():
        summary = series_notice(
            row(signal.id, "orders", 90, 100, throttled=1.0), DETAILS, REGISTRY, RISING
        ).summary
        assert "`orders` (prod, eu-west-1) " in summary
        throttled_text = "demand is throttled" if signal.saturation_is_state else "1 throttled/s"
        assert re.search(rf" (90 %|\(90 %\)), rising for 22 min; {throttled_text}\. Remedy: ", summary)


def test_the_summary_names_a_resource_called_account_like_any_other_resource() -> None:
    for name in ("account", "whole account", "a/b"):
        notice = series_notice(
            replace(CLICKS, key=CLICKS.key._replace(subject=Resource("stream", (name,)))), DETAILS, REGISTRY
        )
        assert notice.summary.startswith(f"Kinesis stream `{name}` (prod, eu-west-1) ")
        assert notice.labels["resource"] == name
