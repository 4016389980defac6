"""/api/v1/coverage: which quotas are watched, and why the other quotas are not."""

from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from collectors.base import ACCOUNT as WHOLE_ACCOUNT
from collectors.base import Resource, SettingCost, Unobservable
from collectors.metrics_only import LIMIT_NEEDED, ROLE_NEEDED
from collectors.service_quotas.collector import count_groups
from collectors.service_quotas.known_quotas import KnownQuotas, LastCounts
from collectors.service_quotas.quota_list import ListedQuota, UsageMetric
from collectors.service_quotas.utilization import (
    ReportedQuota,
    UtilizationReport,
    UtilizationReportError,
)
from monitor.aws.failure import Failure, failure_from
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.cost.prices import SECONDS_PER_MONTH
from monitor.coverage.telemetry import CoverageTelemetry
from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from rules.band import Zone
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import denied
from tests.monitor.fleet.fleets import ACCOUNT, REGION, add, set_judgement
from tests.monitor.fleet_server import Server, error_of, json_of

COVERAGE = "/api/v1/coverage"
CONCURRENCY = Quota(service="lambda", code="L-B99A9384")
WEB_ACLS, PATTERN_SETS = (Quota(service="wafv2", code=code) for code in ("L-2EC3DE7B", "L-BF0029B0"))
CONCURRENCY_KEY = Key(ACCOUNT, REGION, "lambda", "account_concurrency", WHOLE_ACCOUNT)
# The monthly cost of a metric that is polled every five minutes.
METRIC_DOLLARS = 0.01 / 1000 * SECONDS_PER_MONTH / 300
USAGE_METRIC = UsageMetric("AWS/Usage", "CallCount", (("Service", "X"),), "")


def listed_quota(quota: Quota, value: float | None = 10.0, **fields: Any) -> ListedQuota:
    """Return a quota as Service Quotas lists it."""
    defaults: dict[str, Any] = {
        "name": f"Name of {quota.code}",
        "source": LimitSource.APPLIED,
        "usage_metric": None,
        "period": None,
        "adjustable": True,
        "is_global": False,
    }
    return ListedQuota(quota=quota, value=value, **(defaults | fields))


def add_known_quotas(server: Server, *quotas: ListedQuota) -> KnownQuotas:
    """Add quotas to the known quotas of the tests' cell, and return these known quotas."""
    known_quotas = server.known_quotas.setdefault((ACCOUNT, REGION), KnownQuotas())
    for quota in quotas:
        known_quotas.lists[quota.quota.service] = (*known_quotas.lists.get(quota.quota.service, ()), quota)
    return known_quotas


def quota_subject(quota: Quota) -> Resource:
    """Return the resource that represents a quota in the series of its count."""
    return Resource("quota", (quota.service, quota.code), (quota.service, "x"), parent_kinds=("service",))


def add_count_series(server: Server, quota: Quota, zone: Zone = Zone.WITHIN) -> Series:
    """Add a judged series for the count of a quota's resources, and return it.

    The series shows that the service of the quota is in use.
    """
    key = Key(ACCOUNT, REGION, "quotas", "count", quota_subject(quota))
    series = add(server.fleet, key, usage=5.0, throttled=None)
    set_judgement(server.fleet, series, zone, 5.0)
    return series


async def states_by_code(server: Server, client: httpx.AsyncClient, **parameters: str) -> dict[str, str]:
    """Return the state of each listed quota by its code. parameters: the parameters of the request."""
    await server.publish()
    coverage = await json_of(client, str(httpx.URL(COVERAGE, params=parameters)))
    return {item["code"]: item["state"] for item in coverage["items"]}


async def item_of(server: Server, client: httpx.AsyncClient, code: str) -> dict[str, Any]:
    """Return the item of the quota with this code in the response."""
    await server.publish()
    coverage = await json_of(client, COVERAGE)
    (item,) = [item for item in coverage["items"] if item["code"] == code]
    return dict(item)


async def test_a_quota_with_a_judged_series_is_watched(server: Server, client: httpx.AsyncClient) -> None:
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.NEAR, 9.0)
    add_known_quotas(server, listed_quota(CONCURRENCY))
    assert await item_of(server, client, CONCURRENCY.code) == {
        "account": ACCOUNT,
        "region": REGION,
        "service_code": "lambda",
        "code": CONCURRENCY.code,
        "name": f"Name of {CONCURRENCY.code}",
        "value": 10.0,
        "source": "quota_applied",
        "adjustable": True,
        "state": "watched",
        "reason": "",
        "enable": "",
        "signals": ["lambda.account_concurrency"],
        "monthly_dollars": pytest.approx(2 * METRIC_DOLLARS),
        "cost_note": "",
        "note": "",
    }


async def test_a_quota_is_watched_if_one_of_its_series_is_judged(
    server: Server, client: httpx.AsyncClient
) -> None:
    stale_key = CONCURRENCY_KEY._replace(service="lambda_edge", signal="concurrency")
    set_judgement(server.fleet, add(server.fleet, stale_key), Zone.STALE)
    add_known_quotas(server, listed_quota(CONCURRENCY))
    assert (await item_of(server, client, CONCURRENCY.code))["state"] == "stale"
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.WITHIN, 5.0)
    assert (await item_of(server, client, CONCURRENCY.code))["state"] == "watched"


async def test_names_that_utf8_cannot_carry_are_replaced(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, CONCURRENCY_KEY, usage=Unobservable("\udc80", "aws \udc80"), throttled=None)
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE)
    add_known_quotas(server, listed_quota(CONCURRENCY))
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["reason"], item["enable"]) == ("?", "aws ?")


@pytest.mark.parametrize(("command", "state"), [("aws x", "not_enabled"), (None, "no_usage_source")])
async def test_an_unobservable_quota_has_a_reason(
    server: Server, client: httpx.AsyncClient, command: str | None, state: str
) -> None:
    series = add(
        server.fleet, CONCURRENCY_KEY, usage=Unobservable("no metric tells it", command), throttled=None
    )
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE)
    add_known_quotas(server, listed_quota(CONCURRENCY))
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["reason"], item["enable"]) == (state, "no metric tells it", command or "")


async def test_a_quota_whose_signals_are_off_says_how_to_enable_them(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_count_series(server, Quota(service="lambda", code="L-00000001"))
    add_known_quotas(server, listed_quota(CONCURRENCY))
    assert (await item_of(server, client, CONCURRENCY.code))["state"] == "value_only"
    server.signals_off = {
        "lambda.account_concurrency",
        "lambda.invoke_rate_sync",
        "lambda_edge.concurrency",
        "lambda_edge.request_rate",
    }
    item = await item_of(server, client, CONCURRENCY.code)
    assert item["state"] == "not_enabled"
    assert item["enable"].startswith("signals: {enabled: [lambda.account_concurrency, ")


async def test_the_state_of_a_quota_without_a_series_is_value_only_or_no_usage_source(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_count_series(server, WEB_ACLS)
    without_metric, with_metric = (Quota(service="wafv2", code=f"L-0000000{n}") for n in (1, 2))
    add_known_quotas(
        server,
        listed_quota(WEB_ACLS),
        listed_quota(without_metric),
        listed_quota(with_metric, usage_metric=USAGE_METRIC),
        listed_quota(PATTERN_SETS),
    )
    assert await states_by_code(server, client) == {
        "L-00000001": "no_usage_source",
        "L-00000002": "value_only",
        WEB_ACLS.code: "watched",
        PATTERN_SETS.code: "value_only",
    }


@pytest.mark.parametrize(
    ("failure", "state"), [(denied("ListRegexPatternSets"), "not_permitted"), (TimeoutError(), "stale")]
)
async def test_a_quota_whose_count_fails_has_a_state_and_a_reason(
    server: Server, client: httpx.AsyncClient, failure: Exception, state: str
) -> None:
    add_count_series(server, WEB_ACLS)
    known_quotas = add_known_quotas(server, listed_quota(WEB_ACLS), listed_quota(PATTERN_SETS))
    (group_number,) = (n for n, group in enumerate(count_groups()) if PATTERN_SETS in group.counts)
    known_quotas.last_counts[group_number] = LastCounts(failures={PATTERN_SETS: failure})
    item = await item_of(server, client, PATTERN_SETS.code)
    assert (item["state"], bool(item["reason"])) == (state, True)


async def test_quotas_of_a_service_that_is_not_in_use_are_left_out(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_known_quotas(server, listed_quota(CONCURRENCY))
    assert await states_by_code(server, client) == {}


async def test_quotas_are_filtered_by_state_and_counted(server: Server, client: httpx.AsyncClient) -> None:
    add_count_series(server, WEB_ACLS)
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.STALE)
    add_known_quotas(server, listed_quota(WEB_ACLS), listed_quota(PATTERN_SETS), listed_quota(CONCURRENCY))
    assert [*await states_by_code(server, client, state="stale")] == [CONCURRENCY.code]
    assert [*await states_by_code(server, client, service_code="wafv2")] == [WEB_ACLS.code, PATTERN_SETS.code]
    assert await states_by_code(server, client, account="111111111111") == {}
    assert [*await states_by_code(server, client, q="service:wafv2 -state:watched")] == [PATTERN_SETS.code]
    assert "did you mean" in error_of(await client.get(f"{COVERAGE}?q=state:watchd"))
    coverage = await json_of(client, f"{COVERAGE}?limit=1")
    assert (len(coverage["items"]), coverage["total"]) == (1, 3)
    assert coverage["states"] == {"stale": 1, "watched": 1, "value_only": 1}
    assert "state" in error_of(await client.get(f"{COVERAGE}?state=green"))


async def test_a_value_that_aws_does_not_return_is_null(server: Server, client: httpx.AsyncClient) -> None:
    add_count_series(server, WEB_ACLS)
    add_known_quotas(
        server, listed_quota(WEB_ACLS), listed_quota(PATTERN_SETS, value=None, source=LimitSource.DEFAULT)
    )
    item = await item_of(server, client, PATTERN_SETS.code)
    assert (item["value"], item["source"], item["state"]) == (None, "quota_default", "stale")
    assert np.isfinite((await item_of(server, client, WEB_ACLS.code))["value"])


async def test_the_exported_family_counts_quotas_by_state(server: Server) -> None:
    add_count_series(server, WEB_ACLS)
    add_known_quotas(server, listed_quota(WEB_ACLS), listed_quota(PATTERN_SETS))
    await server.publish()
    registry = CollectorRegistry()
    CoverageTelemetry(registry).count(server.coverage().quotas())
    labels = {"aws_account": ACCOUNT, "aws_region": REGION, "service_code": "wafv2"}
    for state, count in (("watched", 1), ("value_only", 1), ("stale", None)):
        assert registry.get_sample_value("headroom_quota_coverage", {**labels, "state": state}) == count


def fail_inventories(server: Server, **failures: Failure) -> None:
    """Set a status in which the last inventory of each of these services failed in the tests' cell."""
    runs = {service: RunStatus() for service in failures}
    for service, run in runs.items():
        run.end((failures[service],), 1.0)
    cell = CellStatus(account=ACCOUNT, region=REGION, name="prod", collectors=runs, poll=RunStatus())
    server.status = MonitorStatus(cells=[cell])


DENIAL = Failure(
    "ListFunctions",
    "",
    "AccessDeniedException",
    "User: x is not authorized to perform: lambda:ListFunctions on y",
)


async def test_a_failed_inventory_makes_a_quota_stale_and_a_denied_inventory_makes_it_not_permitted(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_count_series(server, Quota(service="lambda", code="L-00000001"))
    add_known_quotas(server, listed_quota(CONCURRENCY))
    fail_inventories(server, **{"lambda": Failure("ListFunctions", "", "InternalError", "try again")})
    assert (await item_of(server, client, CONCURRENCY.code))["state"] == "stale"
    fail_inventories(server, **{"lambda": DENIAL})
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["enable"]) == ("not_permitted", "allow lambda:ListFunctions")
    assert "not authorized" in item["reason"]


async def test_a_quota_that_is_not_enabled_has_the_services_to_add_to_the_configuration(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_count_series(server, Quota(service="lambda", code="L-00000001"))
    add_known_quotas(server, listed_quota(CONCURRENCY))
    server.services_read = {(ACCOUNT, REGION): {"quotas"}}
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["enable"]) == ("not_enabled", "services: [..., lambda, lambda_edge]")


async def test_a_quota_without_a_series_is_listed_if_its_service_is_in_use(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_known_quotas(server, listed_quota(PATTERN_SETS)).in_use = frozenset({"wafv2"})
    assert await states_by_code(server, client) == {PATTERN_SETS.code: "value_only"}


@pytest.mark.parametrize(
    ("quota", "signals_off", "dollars"),
    [
        (listed_quota(PATTERN_SETS), (), 0.0),  # counted by calls, which are free
        (
            listed_quota(Quota(service="wafv2", code="L-00000001")),
            (),
            None,
        ),  # no source of its usage is known
        (
            listed_quota(Quota(service="wafv2", code="L-00000002"), usage_metric=USAGE_METRIC),
            (),
            2 * METRIC_DOLLARS,
        ),
        (listed_quota(Quota(service="vpc", code="L-2AFB9258")), ("vpc.security_groups_per_interface",), 0.0),
        (listed_quota(CONCURRENCY), ("lambda.account_concurrency", "lambda_edge.concurrency"), None),
    ],
)
async def test_a_quota_without_a_series_has_the_cost_of_watching_it(
    server: Server,
    client: httpx.AsyncClient,
    quota: ListedQuota,
    signals_off: tuple[str, ...],
    dollars: float | None,
) -> None:
    add_known_quotas(server, quota).in_use = frozenset({quota.quota.service})
    server.signals_off = {*signals_off}
    item = await item_of(server, client, quota.quota.code)
    assert item["monthly_dollars"] == (None if dollars is None else pytest.approx(dollars))


async def test_known_costs_are_added_up_and_unknown_costs_counted(
    server: Server, client: httpx.AsyncClient
) -> None:
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.WITHIN, 5.0)
    disabled_quota = Quota(service="lambda", code="L-00000001")
    series = add(
        server.fleet,
        CONCURRENCY_KEY._replace(service="quotas", signal="count", subject=quota_subject(disabled_quota)),
        usage=Unobservable("off", "aws x"),
        throttled=None,
    )
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE)
    add_known_quotas(
        server,
        listed_quota(CONCURRENCY),
        listed_quota(disabled_quota),
        listed_quota(Quota(service="lambda", code="L-00000002")),
    )
    await server.publish()
    coverage = await json_of(client, COVERAGE)
    assert (coverage["monthly_dollars"], coverage["unknown_costs"]) == (pytest.approx(2 * METRIC_DOLLARS), 1)
    # The cost of two quotas is unknown. Only one is counted: the other has no usage source, so it cannot be
    # watched.
    assert [item["monthly_dollars"] is None for item in coverage["items"]] == [True, True, False]


async def test_the_parameter_text_finds_names_and_codes_in_any_case(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_known_quotas(
        server, listed_quota(WEB_ACLS, name="Web ACLs"), listed_quota(PATTERN_SETS)
    ).in_use = frozenset({"wafv2"})
    assert [*await states_by_code(server, client, text="web acl")] == [WEB_ACLS.code]
    assert [*await states_by_code(server, client, text="l-bf0029b0")] == [PATTERN_SETS.code]


async def test_services_and_quotas_that_are_not_read_are_reported(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_known_quotas(server).in_use = frozenset({"wafv2", "ec2"})
    fail_inventories(server)
    assert (await json_of(client, COVERAGE))["unread"] == [f"prod/{REGION}: not listed yet: ec2, wafv2"]
    fail_inventories(server, quotas=failure_from(denied("ListServiceQuotas")))
    (sentence,) = (await json_of(client, COVERAGE))["unread"]
    assert sentence.startswith(f"prod/{REGION}: ListServiceQuotas: ")
    server.services_read = {(ACCOUNT, REGION): {"lambda"}}
    (sentence,) = (await json_of(client, COVERAGE))["unread"]
    assert sentence == f"prod/{REGION}: the quotas are not read, as the configuration leaves them out"
    server.services_read = {}
    server.known_quotas.clear()
    fail_inventories(server)
    (sentence,) = (await json_of(client, COVERAGE))["unread"]
    assert sentence == f"prod/{REGION}: the quotas are not read yet"


FREE = SettingCost("It is free.", "https://docs.aws.amazon.com/free", "2026-11-29", 0.0)
CHARGED = SettingCost("Each costs $2.40.", "https://docs.aws.amazon.com/dear", "2026-11-29", 2.4)
VARIABLE = SettingCost("It depends on the brokers.", "https://docs.aws.amazon.com/some", "2026-11-29")


@pytest.mark.parametrize(
    ("costs", "dollars", "note"),
    [
        ([FREE], 0.0, "It is free. (https://docs.aws.amazon.com/free, 2026-11-29)"),
        ([CHARGED, CHARGED], 4.8, "Each costs $2.40. (https://docs.aws.amazon.com/dear, 2026-11-29)"),
        ([VARIABLE], None, "It depends on the brokers. (https://docs.aws.amazon.com/some, 2026-11-29)"),
        ([None], None, "What AWS charges for this setting is not declared with the signal."),
        ([CHARGED, None], None, "Each costs $2.40. (https://docs.aws.amazon.com/dear, 2026-11-29)"),
    ],
)
async def test_the_cost_of_a_setting_of_aws_has_its_source(
    server: Server,
    client: httpx.AsyncClient,
    costs: list[SettingCost | None],
    dollars: float | None,
    note: str,
) -> None:
    for number, cost in enumerate(costs):
        key = CONCURRENCY_KEY._replace(subject=Resource("function", (str(number),)))
        reason = Unobservable("it is off", f"aws enable {number}", cost)
        set_judgement(server.fleet, add(server.fleet, key, usage=reason, throttled=None), Zone.UNOBSERVABLE)
    add_known_quotas(server, listed_quota(CONCURRENCY))
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["monthly_dollars"], item["cost_note"]) == ("not_enabled", dollars, note)


# AWS's report of utilization


def set_report(
    known_quotas: KnownQuotas, quota: Quota, utilization: float, applied: float | None = None
) -> None:
    """Set AWS's report of utilization, with one quota. applied: the quota's value in the report."""
    known_quotas.report = UtilizationReport(
        1_800_000_000.0, {quota: ReportedQuota("x", utilization, applied)}
    )


async def notes_of_items(server: Server, client: httpx.AsyncClient) -> list[str]:
    """Return the note of each listed quota."""
    await server.publish()
    return [item["note"] for item in (await json_of(client, COVERAGE))["items"]]


async def test_a_quota_has_a_note_only_if_aws_reports_a_clearly_different_utilization(
    server: Server, client: httpx.AsyncClient
) -> None:
    known_quotas = add_known_quotas(server, listed_quota(WEB_ACLS))
    series = add_count_series(server, WEB_ACLS)
    server.fleet.utilization[series.slot] = 0.5
    for reported_utilization, expected in ((0.59, ""), (0.41, ""), (0.61, "61 %"), (0.39, "39 %")):
        set_report(known_quotas, WEB_ACLS, reported_utilization)
        (note,) = await notes_of_items(server, client)
        sentence = (
            f"AWS's report of 15 Jan 08:00 UTC tells a utilization of {expected}, and Headroom sees 50 %."
        )
        assert note == (sentence if expected else "")
    set_report(known_quotas, WEB_ACLS, 0.5, 20.0)
    (note,) = await notes_of_items(server, client)
    assert note.endswith("tells the value 20, and Service Quotas lists 10.")


async def test_rates_are_not_compared_with_the_report(server: Server, client: httpx.AsyncClient) -> None:
    known_quotas = add_known_quotas(server, listed_quota(CONCURRENCY))
    series = add(server.fleet, CONCURRENCY_KEY, usage=5.0)  # the signal reports throttling, as rates do
    set_judgement(server.fleet, series, Zone.WITHIN, 5.0)
    server.fleet.utilization[series.slot] = 0.5
    set_report(known_quotas, CONCURRENCY, 0.9)
    assert await notes_of_items(server, client) == [""]


async def test_a_report_that_cannot_be_read_is_one_note_for_each_account_and_reason(
    server: Server, client: httpx.AsyncClient
) -> None:
    for region in (REGION, "us-east-1"):
        server.known_quotas[ACCOUNT, region] = KnownQuotas(report_failure=denied())
    not_ready = UtilizationReportError("not ready")
    server.known_quotas[ACCOUNT, "ap-south-1"] = KnownQuotas(report_failure=not_ready)
    assert (await json_of(client, COVERAGE))["notes"] == [
        f"{ACCOUNT}: AWS's report of utilization, a cross-check, could not be read: not ready "
        "(UtilizationReportError) (ap-south-1)",
        f"{ACCOUNT}: AWS's report of utilization, a cross-check, is not permitted: "
        "servicequotas:StartQuotaUtilizationReport and servicequotas:GetQuotaUtilizationReport "
        f"({REGION}, us-east-1)",
    ]


async def test_a_quota_that_is_the_same_in_all_regions_is_listed_once_and_watched_by_the_series_of_any_region(
    server: Server, client: httpx.AsyncClient
) -> None:
    quota = listed_quota(CONCURRENCY, is_global=True)
    add_known_quotas(server, quota)
    server.known_quotas[ACCOUNT, "global"] = KnownQuotas(lists={"lambda": (quota,)})
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.WITHIN, 5.0)
    await server.publish()
    items = (await json_of(client, COVERAGE))["items"]
    assert [(item["region"], item["state"]) for item in items] == [("global", "watched")]


def add_quotas_without_role(server: Server, *quotas: ListedQuota, region: str = REGION) -> None:
    """Set the known quotas of an account that is read without a role."""
    add_known_quotas(server, *quotas)
    server.known_quotas[ACCOUNT, region] = server.known_quotas.pop((ACCOUNT, REGION))
    server.known_quotas[ACCOUNT, region].in_use = frozenset(quota.quota.service for quota in quotas)
    server.status = MonitorStatus(cells=[cell_status(region, signer="999999999999")])


def cell_status(region: str, **fields: Any) -> CellStatus:
    """Return the status of a cell that reads no service."""
    return CellStatus(account=ACCOUNT, region=region, name="shop", collectors={}, poll=RunStatus(), **fields)


ACCOUNT_ENTRY = f"accounts: [..., {{role_arn: arn:aws:iam::{ACCOUNT}:role/headroom}}], with the policy of "


async def test_without_a_role_a_quota_is_watched_if_a_metric_has_its_usage(
    server: Server, client: httpx.AsyncClient
) -> None:
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.NEAR, 9.0)
    add_quotas_without_role(server, listed_quota(CONCURRENCY, 1000.0, source=LimitSource.DEFAULT))
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["value"], item["source"]) == ("watched", 1000.0, "quota_default")
    notes = (await json_of(client, COVERAGE))["notes"]
    assert [note for note in notes if ACCOUNT in note and "AWS's defaults" in note]


@pytest.mark.parametrize(
    ("quota", "reason"),
    [
        (listed_quota(WEB_ACLS), "There is no role in this account"),  # its resources are counted in a list
        (
            listed_quota(Quota(service="sqs", code="L-00000001"), usage_metric=USAGE_METRIC),
            "There is no role in this account",
        ),
    ],
)
async def test_a_quota_that_needs_a_role_is_not_permitted_and_has_the_next_step(
    server: Server, client: httpx.AsyncClient, quota: ListedQuota, reason: str
) -> None:
    add_quotas_without_role(server, quota)
    item = await item_of(server, client, quota.quota.code)
    assert item["state"] == "not_permitted"
    assert reason in item["reason"]
    assert item["enable"] == f"{ACCOUNT_ENTRY}headroom iam-policy --of account"


@pytest.mark.parametrize("reason", [ROLE_NEEDED, LIMIT_NEEDED])
async def test_a_signal_that_needs_a_role_is_not_permitted(
    server: Server, client: httpx.AsyncClient, reason: Unobservable
) -> None:
    series = add(server.fleet, CONCURRENCY_KEY, usage=reason, throttled=None)
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE)
    add_quotas_without_role(server, listed_quota(CONCURRENCY))
    item = await item_of(server, client, CONCURRENCY.code)
    assert (item["state"], item["reason"]) == ("not_permitted", reason.reason)
    assert item["enable"].startswith(ACCOUNT_ENTRY)


async def test_the_proposed_role_is_in_the_partition_of_the_account(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_quotas_without_role(server, listed_quota(WEB_ACLS), region="cn-north-1")
    server.telemetry.aws.partitions[ACCOUNT] = "aws-cn"
    assert "arn:aws-cn:iam::" in (await item_of(server, client, WEB_ACLS.code))["enable"]


async def test_a_quota_without_a_role_and_without_a_usage_source_has_the_state_no_usage_source(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_quotas_without_role(server, listed_quota(Quota(service="sqs", code="L-00000001")))
    assert (await item_of(server, client, "L-00000001"))["state"] == "no_usage_source"


async def test_the_defaults_that_could_not_be_listed_are_reported(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_quotas_without_role(server, listed_quota(WEB_ACLS))
    server.known_quotas[ACCOUNT, REGION].list_failures = ["ListAWSDefaultServiceQuotas: no access"]
    coverage = await json_of(client, COVERAGE)
    assert f"shop/{REGION}: ListAWSDefaultServiceQuotas: no access" in coverage["unread"]


@pytest.mark.parametrize(
    ("partition", "note"),
    [
        ("aws-cn", "CNY 1.14 a month by list price."),
        ("aws-us-gov", "What CloudWatch charges in this partition is not known"),
    ],
)
async def test_a_cost_that_is_not_billed_in_dollars_is_described_in_words(
    server: Server, client: httpx.AsyncClient, partition: str, note: str
) -> None:
    server.telemetry.aws.partitions[ACCOUNT] = partition
    add_known_quotas(
        server, listed_quota(Quota(service="lambda", code="L-00000001"), usage_metric=USAGE_METRIC)
    ).in_use = frozenset({"lambda"})
    item = await item_of(server, client, "L-00000001")
    assert item["monthly_dollars"] is None
    assert item["cost_note"].startswith(note)
