"""The scan of quotas: when it reads each list, how many calls it makes, and which series it yields."""

from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from collectors.base import Observed, ServiceScope
from collectors.service_quotas.allowed_calls import CALLS_PER_HOUR, FIRST_CALLS
from collectors.service_quotas.collector import COLLECTOR, quotas
from collectors.service_quotas.count_file import read_counts
from collectors.service_quotas.known_quotas import DAY, HOUR, KnownQuotas
from monitor.aws.scan import MAX_CONCURRENT_ITEMS, Scan
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import FakeAws, denied
from tests.quick_loop import run

START = 1_700_000_000.0
AUTHORITIES = "L-799883CD"  # counts.yaml: the certificate authorities of acm-pca


def usage_metric(resource: str, name: str = "CallCount") -> dict[str, Any]:
    """Return a `UsageMetric`, as Service Quotas describes it."""
    dimensions = {"Service": "X", "Type": "API", "Resource": resource, "Class": "None"}
    return {"MetricNamespace": "AWS/Usage", "MetricName": name, "MetricDimensions": dimensions}


def metrics_response(*metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a response of ListMetrics with these `UsageMetric`s."""
    return {
        "Metrics": [
            {
                "Namespace": "AWS/Usage",
                "MetricName": metric["MetricName"],
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()
                ],
            }
            for metric in metrics
        ]
    }


def quota(code: str, value: float, **members: Any) -> dict[str, Any]:
    """Return a quota, as Service Quotas describes it."""
    return {"QuotaCode": code, "QuotaName": f"Name of {code}", "Value": value, **members}


class Account:
    """An account whose quotas are scanned several times while the clock advances."""

    def __init__(self, in_use: Iterable[str] = (), declared: Iterable[Quota] = (), **answers: Any) -> None:
        empty: dict[str, Any] = {"list_metrics": {"Metrics": []}, "list_service_quotas": {"Quotas": []}}
        self.aws = FakeAws(
            now=START, **{**empty, "list_aws_default_service_quotas": {"Quotas": []}, **answers}
        )
        self._in_use, self._declared = frozenset(in_use), frozenset(declared)
        self.failures: list[Any] = []
        self.reads: frozenset[str] | None = None  # service codes that this cell reads; None: all

    async def scan(self, after: float = 0.0, approved: Iterable[str] = ()) -> dict[str, Observed]:
        """Return the series by signal and quota code. after: seconds from the previous scan to this one."""
        assert self.aws.now is not None
        self.aws.now += after
        self.aws.calls.clear()
        scan = Scan(
            self.aws.cell,
            declared_quotas=self._declared,
            quota_services_in_use=self._in_use,
            quota_services_with_approvals=frozenset(approved),
            reads_quotas_of=lambda code: self.reads is None or code in self.reads,
        )
        series_by_name = {
            f"{series.signal} {series.resource.path[1]}": series async for series in quotas(scan)
        }
        self.failures = scan.failures
        return series_by_name

    @property
    def known(self) -> KnownQuotas:
        return self.aws.scan.state(KnownQuotas)


def quota_lists(**values: list[dict[str, Any]]) -> Any:
    """Return a method that lists the quotas of each service code."""
    return lambda ServiceCode, **_: {"Quotas": values.get(ServiceCode.replace("-", "_"), [])}


async def test_an_account_without_services_in_use_costs_one_call_a_day() -> None:
    account = Account()
    assert await account.scan() == {}
    assert account.aws.calls == ["cloudwatch:ListMetrics"]
    assert await account.scan(DAY - 1) == {}
    assert account.aws.calls == []
    await account.scan(1)
    assert account.aws.calls == ["cloudwatch:ListMetrics"]


async def test_a_service_in_use_has_the_quotas_with_a_published_metric() -> None:
    listed_quotas = [
        quota("L-00000001", 10, UsageMetric=usage_metric("A")),
        quota("L-00000002", 10, UsageMetric=usage_metric("B")),
    ]
    account = Account(
        ["kinesis"],
        list_metrics=metrics_response(usage_metric("A")),
        list_service_quotas=quota_lists(kinesis=listed_quotas),
    )
    series_by_name = await account.scan()
    assert [*series_by_name] == ["calls L-00000001"]
    assert account.aws.calls.count("service-quotas:ListServiceQuotas") == 1
    assert [*await account.scan(HOUR)] == ["calls L-00000001"]
    assert "service-quotas:ListServiceQuotas" not in account.aws.calls
    assert account.failures == []


async def test_the_quotas_of_a_service_are_read_every_hour_after_an_approval() -> None:
    account = Account(["kinesis"], list_service_quotas=quota_lists(kinesis=[quota("L-00000001", 10)]))
    await account.scan()
    for after, calls in ((HOUR - 1, 0), (1, 1), (HOUR - 1, 0)):
        await account.scan(after, approved=["kinesis"])
        assert account.aws.calls.count("service-quotas:ListServiceQuotas") == calls


async def test_the_quotas_of_all_services_are_read_if_usage_metrics_of_resources_exist() -> None:
    resource_count = usage_metric("A", "ResourceCount")
    account = Account(
        list_metrics=metrics_response(resource_count),
        list_services={"Services": [{"ServiceCode": "glue"}, {"ServiceCode": "athena"}]},
        list_service_quotas=quota_lists(glue=[quota("L-00000001", 10, UsageMetric=resource_count)]),
    )
    assert [*await account.scan()] == ["resources L-00000001"]
    assert account.aws.calls.count("service-quotas:ListServiceQuotas") == 2


async def test_a_declared_quota_is_not_watched_twice() -> None:
    account = Account(
        ["kinesis", "acm-pca"],
        [Quota(service="kinesis", code="L-00000001"), Quota(service="acm-pca", code=AUTHORITIES)],
        list_metrics=metrics_response(usage_metric("A")),
        list_service_quotas=quota_lists(
            kinesis=[quota("L-00000001", 10, UsageMetric=usage_metric("A"))],
            acm_pca=[quota(AUTHORITIES, 100)],
        ),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert [name for name in await account.scan() if AUTHORITIES in name or "calls" in name] == []


async def test_a_count_has_the_limit_of_service_quotas() -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 100)]),
        list_certificate_authorities={"CertificateAuthorities": [{}, {}]},
    )
    observed = (await account.scan())[f"count {AUTHORITIES}"]
    assert (observed.usage, observed.limit, observed.limit_source) == (2.0, 100.0, LimitSource.APPLIED)
    assert observed.quota == Quota(service="acm-pca", code=AUTHORITIES)
    assert observed.resource.labels["resource"] == f"acm-pca/Name of {AUTHORITIES}"


@pytest.mark.parametrize(
    ("listed", "number"),
    [([], 1), ([quota(AUTHORITIES, 0)], 0), ([{"QuotaCode": AUTHORITIES}], 1)],
    ids=["an unlisted quota", "an unused quota of 0", "a quota without a value"],
)
async def test_a_count_has_no_series_without_a_limit_or_if_limit_and_count_are_0(
    listed: list[dict[str, Any]], number: int
) -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=quota_lists(acm_pca=listed),
        list_certificate_authorities={"CertificateAuthorities": [{}] * number},
    )
    assert [name for name in await account.scan() if AUTHORITIES in name] == []


async def test_a_quota_of_0_that_is_used_is_shown() -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 0)]),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert (await account.scan())[f"count {AUTHORITIES}"].usage == 1.0


# The number of authorities, whose limit is 100, and the seconds from one count to the next.
COUNT_INTERVALS = {"near its limit": (60, 6 * HOUR), "far from its limit": (40, DAY), "empty": (0, 7 * DAY)}


@pytest.mark.parametrize(("number", "interval"), COUNT_INTERVALS.values(), ids=COUNT_INTERVALS)
async def test_a_count_is_repeated_more_often_the_closer_it_is_to_its_limit(
    number: int, interval: float
) -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 100)]),
        list_certificate_authorities={"CertificateAuthorities": [{}] * number},
    )
    await account.scan()
    await account.scan(interval - 1)
    assert "acm-pca:ListCertificateAuthorities" not in account.aws.calls
    await account.scan(1)
    assert "acm-pca:ListCertificateAuthorities" in account.aws.calls


async def test_a_denied_count_becomes_unknown_once_it_is_a_day_overdue() -> None:
    answers: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": [{}]}}
    account = Account(
        ["acm-pca"], list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 100)]), **answers
    )
    name = f"count {AUTHORITIES}"
    assert name in await account.scan()
    account.aws.answers["list_certificate_authorities"] = denied("ListCertificateAuthorities")
    assert name in await account.scan(DAY)
    assert account.failures == []
    assert name in await account.scan(DAY - HOUR)
    assert name not in await account.scan(2 * HOUR)
    account.aws.answers |= answers
    assert name in await account.scan(HOUR)


async def test_a_list_that_fails_leaves_the_last_quotas_and_is_retried_in_an_hour() -> None:
    account = Account(
        ["kinesis"],
        list_metrics=metrics_response(usage_metric("A")),
        list_service_quotas=quota_lists(kinesis=[quota("L-00000001", 10, UsageMetric=usage_metric("A"))]),
    )
    assert [*await account.scan()] == ["calls L-00000001"]
    account.aws.answers["list_service_quotas"] = denied("ListServiceQuotas")
    assert [*await account.scan(DAY)] == ["calls L-00000001"]
    assert [failure.resource for failure in account.failures] == ["kinesis"]
    await account.scan(HOUR - 1)
    assert "service-quotas:ListServiceQuotas" not in account.aws.calls
    await account.scan(1)
    assert "service-quotas:ListServiceQuotas" in account.aws.calls


async def test_the_last_value_holds_if_a_service_fails_to_return_it_and_is_read_again_in_an_hour() -> None:
    entry = quota("L-00000001", 10, UsageMetric=usage_metric("A"))
    account = Account(
        ["kinesis"],
        list_metrics=metrics_response(usage_metric("A")),
        list_service_quotas=quota_lists(kinesis=[entry]),
    )
    await account.scan()
    reason = {"ErrorCode": "DEPENDENCY_SERVICE_ERROR", "ErrorMessage": "later"}
    unknown = {**entry, "Value": 0.0, "ErrorReason": reason}
    account.aws.answers["list_service_quotas"] = quota_lists(kinesis=[unknown])
    assert (await account.scan(DAY))["calls L-00000001"].limit == 10
    account.aws.answers["list_service_quotas"] = quota_lists(kinesis=[{**entry, "Value": 20.0}])
    assert (await account.scan(HOUR))["calls L-00000001"].limit == 20


async def test_the_first_pages_of_an_endless_list_of_quotas_are_used() -> None:
    endless = {"Quotas": [quota("L-00000001", 10, UsageMetric=usage_metric("A"))], "NextToken": "again"}
    account = Account(
        ["kinesis"], list_metrics=metrics_response(usage_metric("A")), list_service_quotas=endless
    )
    assert [*await account.scan()] == ["calls L-00000001"]
    assert [failure.code for failure in account.failures] == ["PaginationError"]


async def test_calls_are_bounded_for_each_scan_and_each_hour() -> None:
    codes = [f"service-{n}" for n in range(900)]
    account = Account(codes)
    await account.scan()
    assert len(account.aws.calls) <= FIRST_CALLS + 2 * MAX_CONCURRENT_ITEMS
    await account.scan(HOUR)
    assert len(account.aws.calls) <= CALLS_PER_HOUR + 2 * MAX_CONCURRENT_ITEMS
    assert len(account.known.lists) < 900
    await account.scan(HOUR)
    assert len(account.known.lists) == 900
    await account.scan(7 * DAY)  # everything is due, and calls that were not made are not saved up
    assert CALLS_PER_HOUR <= len(account.aws.calls) <= CALLS_PER_HOUR + 2 * MAX_CONCURRENT_ITEMS


async def test_global_quotas_are_read_only_by_the_global_cell() -> None:
    s3_quotas = [
        quota("L-00000001", 10, UsageMetric=usage_metric("A"), GlobalQuota=True),
        quota("L-00000002", 10, UsageMetric=usage_metric("A")),
    ]
    answers = {
        "list_metrics": metrics_response(usage_metric("A")),
        "list_service_quotas": quota_lists(s3=s3_quotas),
    }
    regional_cell, global_cell = Account(["s3"], **answers), Account(**answers)
    global_cell.aws.cell.scope, global_cell.aws.cell.region = ServiceScope.GLOBAL, "us-east-1"
    global_cell.aws.cell.account_states = regional_cell.aws.cell.account_states
    global_cell.reads = frozenset({"iam"})
    assert [*await global_cell.scan()] == []
    assert [*await regional_cell.scan()] == ["calls L-00000002"]
    assert [*await global_cell.scan()] == ["calls L-00000001"]
    assert global_cell.known.in_use == {"s3"}
    regional_cell.aws.cell.account_states.clear()  # the services in use, which the regional cell told
    assert [*await global_cell.scan()] == ["calls L-00000001"]


async def test_all_quotas_of_a_global_service_are_read_in_the_global_cell() -> None:
    account = Account(
        ["iam"],
        list_metrics=metrics_response(usage_metric("A")),
        list_service_quotas=quota_lists(iam=[quota("L-00000001", 10, UsageMetric=usage_metric("A"))]),
    )
    account.aws.cell.scope = ServiceScope.GLOBAL
    assert [*await account.scan()] == ["calls L-00000001"]


async def test_what_is_counted_in_the_home_region_is_counted_only_by_the_global_cell() -> None:
    clusters = "L-195CF965"  # clusters of route53-recovery-control-config, counted in the home region
    answers = {
        "list_service_quotas": quota_lists(route53_recovery_control_config=[quota(clusters, 2)]),
        "list_clusters": {"Clusters": [{}]},
    }
    regional_cell, global_cell = Account(["route53-recovery-control-config"], **answers), Account(**answers)
    global_cell.aws.cell.scope, global_cell.aws.cell.region = ServiceScope.GLOBAL, "us-east-1"
    global_cell.aws.cell.account_states = regional_cell.aws.cell.account_states
    global_cell.reads = frozenset()
    assert [*await regional_cell.scan()] == []
    assert [*await global_cell.scan()] == [f"unverified_count {clusters}"]
    assert "route53-recovery-control-config:ListClusters" not in regional_cell.aws.calls


async def test_a_resource_with_a_quota_of_its_own_has_a_series_of_its_own() -> None:
    def domain_quota(arn: str, value: float, dimension: str) -> dict[str, Any]:
        context = {"ContextScope": "RESOURCE", "ContextId": arn}
        return quota(
            "L-00000001", value, QuotaContext=context, UsageMetric=usage_metric(dimension, "ResourceCount")
        )

    arns = [f"arn:aws:es:eu-west-1:123456789012:domain/{name}" for name in "abc"]
    quotas_of_resources = [
        domain_quota(arns[0], 9, "A"),
        domain_quota(arns[1], 8, "all"),
        domain_quota(arns[2], 7, "C"),
    ]

    def responses(**params: Any) -> dict[str, Any]:
        is_resource_level = "QuotaAppliedAtLevel" in params
        return {"Quotas": quotas_of_resources if is_resource_level else [domain_quota("*", 5, "all")]}

    account = Account(
        ["es"],
        list_metrics=metrics_response(*(usage_metric(name, "ResourceCount") for name in ("all", "A"))),
        list_services={"Services": []},
        list_service_quotas=responses,
    )
    scan = Scan(account.aws.cell, quota_services_in_use=frozenset({"es"}))
    series_by_arn = {series.quota_arn: series async for series in quotas(scan)}
    assert {arn: series.limit for arn, series in series_by_arn.items()} == {"": 5, arns[0]: 9}
    assert series_by_arn[arns[0]].resource.path == ("es", "L-00000001", arns[0])
    assert series_by_arn[arns[0]].resource.display_name == "es/Name of L-00000001/domain/a"


async def test_the_iam_policy_allows_all_calls_of_a_scan() -> None:
    account = Account(
        list_metrics=metrics_response(usage_metric("A", "ResourceCount")),
        list_services={"Services": [{"ServiceCode": "glue"}]},
    )
    await account.scan()
    assert account.aws.iam_actions <= set(COLLECTOR.iam_actions)


TABLES = "L-B8497671"  # counts.yaml: the tables in each database of glue


def glue_responses(**numbers: int) -> dict[str, Any]:
    """Return the answers of Glue. numbers: tables by database."""

    def tables(DatabaseName: str, **_: Any) -> Any:  # AWS's name of the parameter
        return {"TableList": [{"Name": str(number)} for number in range(numbers[DatabaseName])]}

    return {"get_databases": {"DatabaseList": [{"Name": name} for name in numbers]}, "get_tables": tables}


def quota_of_database(name: str, value: float) -> dict[str, Any]:
    """Return the quota on tables with a value for one database of Glue."""
    arn = f"arn:aws:glue:eu-west-1:123456789012:database/{name}"
    return quota(TABLES, value, QuotaContext={"ContextScope": "RESOURCE", "ContextId": arn})


def account_with_databases(*database_quotas: dict[str, Any], **numbers: int) -> Account:
    """Return an account with a quota of 50 tables in each database.

    database_quotas: the quotas of single databases. numbers: tables by database.
    """

    def responses(ServiceCode: str, QuotaAppliedAtLevel: str = "ACCOUNT", **_: Any) -> Any:
        default = quota(TABLES, 50, QuotaContext={"ContextScope": "RESOURCE", "ContextId": "*"})
        return {"Quotas": [*database_quotas] if QuotaAppliedAtLevel == "RESOURCE" else [default]}

    return Account(["glue"], list_service_quotas=responses, **glue_responses(**numbers))


async def table_series(account: Account) -> dict[str, tuple[Any, ...]]:
    """Return usage, limit and largest database of each series, by the last id of its resource."""
    scan = Scan(account.aws.cell, quota_services_in_use=frozenset(["glue"]))
    table_counts = [series async for series in quotas(scan) if series.resource.path[1] == TABLES]
    return {
        series.resource.path[-1].rpartition("/")[2]: (series.usage, series.limit, series.largest_resource)
        for series in table_counts
    }


async def test_the_parent_with_the_highest_count_is_named() -> None:
    account = account_with_databases(shop=7, blog=40, docs=1)
    assert await table_series(account) == {TABLES: (40, 50, "blog")}


async def test_a_parent_is_compared_with_its_own_value_of_the_quota() -> None:
    account = account_with_databases(
        quota_of_database("blog", 100), quota_of_database("gone", 200), shop=7, blog=60, docs=1
    )
    assert await table_series(account) == {"blog": (60, 100, ""), TABLES: (7, 50, "shop")}


async def test_the_account_quota_has_usage_0_if_each_parent_has_its_own_value() -> None:
    account = account_with_databases(quota_of_database("blog", 100), blog=60)
    assert await table_series(account) == {"blog": (60, 100, ""), TABLES: (0, 50, "")}


async def test_an_arn_belongs_to_a_parent_only_by_its_whole_id() -> None:
    account = account_with_databases(quota_of_database("my-blog", 100), blog=60)
    assert await table_series(account) == {TABLES: (60, 50, "blog")}


async def test_a_count_that_was_matched_to_its_quota_by_name_alone_is_unverified() -> None:
    account = Account(
        ["appsync"],
        list_service_quotas=quota_lists(appsync=[quota("L-51A37BC6", 25)]),
        list_domain_names={"domainNameConfigs": [{"domainName": "a.example"}]},
    )
    (observed,) = (await account.scan()).values()
    assert (observed.signal, observed.usage) == ("unverified_count", 1.0)


async def test_a_quota_with_a_usage_metric_has_no_series_of_its_count() -> None:
    resource_count = usage_metric("A", "ResourceCount")
    account = Account(
        ["acm-pca"],
        list_metrics=metrics_response(resource_count),
        list_services={"Services": []},
        list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 100, UsageMetric=resource_count)]),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert [*await account.scan()] == [f"resources {AUTHORITIES}"]


async def test_a_denied_list_of_services_is_raised_after_the_series_of_other_lists() -> None:
    resource_count = usage_metric("A", "ResourceCount")
    account = Account(
        ["kinesis"],
        list_metrics=metrics_response(resource_count),
        list_services=denied("ListServices"),
        list_service_quotas=quota_lists(kinesis=[quota("L-00000001", 10, UsageMetric=resource_count)]),
    )
    received = list[Observed]()
    with pytest.raises(ExceptionGroup) as raised:
        async for series in quotas(Scan(account.aws.cell, quota_services_in_use=frozenset({"kinesis"}))):
            received.append(series)
    assert [series.signal for series in received] == ["resources"]
    assert [str(error) for error in raised.value.exceptions] == [str(denied("ListServices"))]


async def test_the_number_of_quotas_that_were_never_counted_is_known() -> None:
    glue_quotas = [
        quota(counted_quota.code, 10) for counted_quota in read_counts() if counted_quota.service == "glue"
    ]
    account = Account(
        ["acm-pca", "glue"],
        list_service_quotas=quota_lists(acm_pca=[quota(AUTHORITIES, 10)], glue=glue_quotas),
        list_certificate_authorities={"CertificateAuthorities": []},
    )
    # One call of ListMetrics, four of lists of quotas, one of a count.
    account.known.budget.calls_left = 6
    await account.scan()
    counted_number = sum(len(group_counts.counts) or 1 for group_counts in account.known.last_counts.values())
    declared_number = sum(counted_quota.service in ("acm-pca", "glue") for counted_quota in read_counts())
    assert 0 < account.known.uncounted <= declared_number - counted_number
    await account.scan(HOUR)
    assert account.known.uncounted == 0


# AWS's own report of utilization


def report_responses(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return the answers of Service Quotas to a request for a report of utilization."""
    return {
        "start_quota_utilization_report": {"ReportId": "r-1", "Status": "PENDING"},
        "get_quota_utilization_report": {"ReportId": "r-1", "Status": "COMPLETED", "Quotas": [*entries]},
    }


def report_entry(code: str, percent: float, service: str = "kinesis") -> dict[str, Any]:
    """Return the entry of a quota in a report of utilization."""
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": f"Name of {code}", "Utilization": percent}


REPORT = "service-quotas:StartQuotaUtilizationReport"


def test_the_utilization_report_is_read_once_a_day_for_quotas_without_another_usage() -> None:
    async def main() -> None:
        account = Account(
            ["kinesis"],
            [Quota(service="kinesis", code="L-00000003")],
            list_metrics=metrics_response(usage_metric("A")),
            list_service_quotas=quota_lists(
                kinesis=[quota("L-00000001", 10, UsageMetric=usage_metric("A")), quota("L-00000002", 10)]
            ),
            **report_responses(
                *(report_entry(f"L-0000000{number}", 63.0) for number in (1, 2, 3)),
                report_entry("L-00000009", 20.0, "glue"),
            ),
        )
        assert [*await account.scan()] == ["calls L-00000001"]
        assert REPORT not in account.aws.calls
        await account.scan()
        assert account.aws.calls.count(REPORT) == 1
        series_by_name = await account.scan(DAY - 1)
        assert {*series_by_name} == {"calls L-00000001", "reported L-00000002", "reported L-00000009"}
        observed = series_by_name["reported L-00000002"]
        assert (observed.signal, observed.usage, observed.limit) == ("reported", 63.0, 100.0)
        assert observed.resource.display_name == "kinesis/Name of L-00000002"
        assert REPORT not in account.aws.calls
        await account.scan(1)
        assert account.aws.calls.count(REPORT) == 1
        assert account.aws.iam_actions <= set(COLLECTOR.iam_actions)

    run(main())


async def test_a_denied_utilization_report_fails_no_scan_and_is_requested_once_a_day() -> None:
    account = Account(["kinesis"], list_service_quotas=quota_lists(kinesis=[quota("L-00000001", 10)]))
    for after, calls in ((0, 0), (0, 1), (DAY - 1, 0), (1, 1)):
        await account.scan(after)
        assert account.aws.calls.count(REPORT) == calls
        assert account.failures == []
    assert isinstance(account.known.report_failure, ClientError)


def test_a_utilization_report_that_is_too_old_yields_no_series() -> None:
    async def main() -> None:
        account = Account(
            ["kinesis"],
            list_service_quotas=quota_lists(kinesis=[quota("L-00000001", 10)]),
            **report_responses(report_entry("L-00000001", 63.0)),
        )
        await account.scan()
        await account.scan()
        account.aws.answers["start_quota_utilization_report"] = denied("StartQuotaUtilizationReport")
        assert [*await account.scan(2 * DAY - 1)] == ["reported L-00000001"]
        assert [*await account.scan(1)] == []

    run(main())
