"""The scan of quotas: what it reads when, what it may cost, and which series it yields."""

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
AUTHORITIES = "L-799883CD"  # of acm-pca in counts.yaml


def usage(resource: str, name: str = "CallCount") -> dict[str, Any]:
    """Return a `UsageMetric`, as Service Quotas describes it."""
    dimensions = {"Service": "X", "Type": "API", "Resource": resource, "Class": "None"}
    return {"MetricNamespace": "AWS/Usage", "MetricName": name, "MetricDimensions": dimensions}


def published(*metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a response of ListMetrics with these `UsageMetric`s."""
    return {
        "Metrics": [
            {
                "Namespace": "AWS/Usage",
                "MetricName": one["MetricName"],
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in one["MetricDimensions"].items()
                ],
            }
            for one in metrics
        ]
    }


def quota(code: str, value: float, **described: Any) -> dict[str, Any]:
    """Return a quota, as Service Quotas describes it."""
    return {"QuotaCode": code, "QuotaName": f"Name of {code}", "Value": value, **described}


class Account:
    """An account of which quotas are scanned again and again."""

    def __init__(self, in_use: Iterable[str] = (), declared: Iterable[Quota] = (), **answers: Any) -> None:
        nothing: dict[str, Any] = {"list_metrics": {"Metrics": []}, "list_service_quotas": {"Quotas": []}}
        self.aws = FakeAws(
            now=START, **{**nothing, "list_aws_default_service_quotas": {"Quotas": []}, **answers}
        )
        self._in_use, self._declared = frozenset(in_use), frozenset(declared)
        self.failures: list[Any] = []
        self.reads: frozenset[str] | None = None  # codes that are read in this cell; None: all

    async def scan(self, after: float = 0.0, approved: Iterable[str] = ()) -> dict[str, Observed]:
        """The series, by signal and code, after some more seconds."""
        assert self.aws.now is not None
        self.aws.now += after
        self.aws.calls.clear()
        scan = Scan(
            self.aws.cell,
            declared_quotas=self._declared,
            quota_services_in_use=self._in_use,
            quota_services_approved=frozenset(approved),
            reads_quotas_of=lambda code: self.reads is None or code in self.reads,
        )
        found = {f"{one.signal} {one.resource.path[1]}": one async for one in quotas(scan)}
        self.failures = scan.failures
        return found

    @property
    def known(self) -> KnownQuotas:
        return self.aws.scan.state(KnownQuotas)


def lists_of(**values: list[dict[str, Any]]) -> Any:
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
    listed = [
        quota("L-00000001", 10, UsageMetric=usage("A")),
        quota("L-00000002", 10, UsageMetric=usage("B")),
    ]
    account = Account(
        ["kinesis"], list_metrics=published(usage("A")), list_service_quotas=lists_of(kinesis=listed)
    )
    found = await account.scan()
    assert [*found] == ["calls L-00000001"]
    assert account.aws.calls.count("service-quotas:ListServiceQuotas") == 1
    assert [*await account.scan(HOUR)] == ["calls L-00000001"]
    assert "service-quotas:ListServiceQuotas" not in account.aws.calls
    assert account.failures == []


async def test_after_an_approval_a_list_is_read_every_hour() -> None:
    account = Account(["kinesis"], list_service_quotas=lists_of(kinesis=[quota("L-00000001", 10)]))
    await account.scan()
    for after, calls in ((HOUR - 1, 0), (1, 1), (HOUR - 1, 0)):
        await account.scan(after, approved=["kinesis"])
        assert account.aws.calls.count("service-quotas:ListServiceQuotas") == calls


async def test_usage_metrics_of_resources_make_the_quotas_of_all_services_be_read() -> None:
    level = usage("A", "ResourceCount")
    account = Account(
        list_metrics=published(level),
        list_services={"Services": [{"ServiceCode": "glue"}, {"ServiceCode": "athena"}]},
        list_service_quotas=lists_of(glue=[quota("L-00000001", 10, UsageMetric=level)]),
    )
    assert [*await account.scan()] == ["resources L-00000001"]
    assert account.aws.calls.count("service-quotas:ListServiceQuotas") == 2


async def test_a_declared_quota_is_not_watched_twice() -> None:
    account = Account(
        ["kinesis", "acm-pca"],
        [Quota(service="kinesis", code="L-00000001"), Quota(service="acm-pca", code=AUTHORITIES)],
        list_metrics=published(usage("A")),
        list_service_quotas=lists_of(
            kinesis=[quota("L-00000001", 10, UsageMetric=usage("A"))], acm_pca=[quota(AUTHORITIES, 100)]
        ),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert {
        name: one for name, one in (await account.scan()).items() if AUTHORITIES in name or "calls" in name
    } == {}


async def test_a_count_has_the_limit_of_service_quotas() -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 100)]),
        list_certificate_authorities={"CertificateAuthorities": [{}, {}]},
    )
    observed = (await account.scan())[f"count {AUTHORITIES}"]
    assert (observed.usage, observed.limit, observed.limit_source) == (2.0, 100.0, LimitSource.APPLIED)
    assert observed.quota == Quota(service="acm-pca", code=AUTHORITIES)
    assert observed.resource.labels["resource"] == f"acm-pca/Name of {AUTHORITIES}"


@pytest.mark.parametrize(
    ("listed", "number"), [([], 1), ([quota(AUTHORITIES, 0)], 0), ([{"QuotaCode": AUTHORITIES}], 1)]
)
async def test_a_count_without_a_limit_has_no_series(listed: list[dict[str, Any]], number: int) -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=lists_of(acm_pca=listed),
        list_certificate_authorities={"CertificateAuthorities": [{}] * number},
    )
    assert [name for name in await account.scan() if AUTHORITIES in name] == []


async def test_a_quota_of_0_that_is_used_is_shown() -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 0)]),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert (await account.scan())[f"count {AUTHORITIES}"].usage == 1.0


INTERVALS = {"near its limit": (60, 6 * HOUR), "far from it": (40, DAY), "empty": (0, 7 * DAY)}


@pytest.mark.parametrize(("number", "interval"), INTERVALS.values(), ids=INTERVALS)
async def test_a_count_is_repeated_more_often_the_closer_it_is_to_its_limit(
    number: int, interval: float
) -> None:
    account = Account(
        ["acm-pca"],
        list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 100)]),
        list_certificate_authorities={"CertificateAuthorities": [{}] * number},
    )
    await account.scan()
    await account.scan(interval - 1)
    assert "acm-pca:ListCertificateAuthorities" not in account.aws.calls
    await account.scan(1)
    assert "acm-pca:ListCertificateAuthorities" in account.aws.calls


async def test_a_denied_count_becomes_unknown_and_affects_no_other() -> None:
    answers: dict[str, Any] = {"list_certificate_authorities": {"CertificateAuthorities": [{}]}}
    account = Account(["acm-pca"], list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 100)]), **answers)
    name = f"count {AUTHORITIES}"
    assert name in await account.scan()
    account.aws.answers["list_certificate_authorities"] = denied("ListCertificateAuthorities")
    assert name in await account.scan(DAY)
    assert account.failures == []
    assert name in await account.scan(DAY - HOUR)
    assert name not in await account.scan(2 * HOUR)
    account.aws.answers |= answers
    assert name in await account.scan(HOUR)


async def test_a_list_that_fails_keeps_known_quotas_and_is_retried_in_an_hour() -> None:
    account = Account(
        ["kinesis"],
        list_metrics=published(usage("A")),
        list_service_quotas=lists_of(kinesis=[quota("L-00000001", 10, UsageMetric=usage("A"))]),
    )
    assert [*await account.scan()] == ["calls L-00000001"]
    account.aws.answers["list_service_quotas"] = denied("ListServiceQuotas")
    assert [*await account.scan(DAY)] == ["calls L-00000001"]
    assert [failure.resource for failure in account.failures] == ["kinesis"]
    await account.scan(HOUR - 1)
    assert "service-quotas:ListServiceQuotas" not in account.aws.calls
    await account.scan(1)
    assert "service-quotas:ListServiceQuotas" in account.aws.calls


async def test_a_quota_whose_value_a_service_failed_to_return_keeps_its_value_for_an_hour() -> None:
    described = quota("L-00000001", 10, UsageMetric=usage("A"))
    account = Account(
        ["kinesis"], list_metrics=published(usage("A")), list_service_quotas=lists_of(kinesis=[described])
    )
    await account.scan()
    reason = {"ErrorCode": "DEPENDENCY_SERVICE_ERROR", "ErrorMessage": "later"}
    unknown = {**described, "Value": 0.0, "ErrorReason": reason}
    account.aws.answers["list_service_quotas"] = lists_of(kinesis=[unknown])
    assert (await account.scan(DAY))["calls L-00000001"].limit == 10
    account.aws.answers["list_service_quotas"] = lists_of(kinesis=[{**described, "Value": 20.0}])
    assert (await account.scan(HOUR))["calls L-00000001"].limit == 20


async def test_an_endless_list_leaves_the_quotas_that_were_read() -> None:
    endless = {"Quotas": [quota("L-00000001", 10, UsageMetric=usage("A"))], "NextToken": "again"}
    account = Account(["kinesis"], list_metrics=published(usage("A")), list_service_quotas=endless)
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


async def test_global_quotas_are_read_once_whatever_regions_are_configured() -> None:
    both = [
        quota("L-00000001", 10, UsageMetric=usage("A"), GlobalQuota=True),
        quota("L-00000002", 10, UsageMetric=usage("A")),
    ]
    answers = {"list_metrics": published(usage("A")), "list_service_quotas": lists_of(s3=both)}
    regional, everywhere = Account(["s3"], **answers), Account(**answers)
    everywhere.aws.cell.scope, everywhere.aws.cell.region = ServiceScope.GLOBAL, "us-east-1"
    everywhere.aws.cell.account_states = regional.aws.cell.account_states
    everywhere.reads = frozenset({"iam"})
    assert [*await everywhere.scan()] == []
    assert [*await regional.scan()] == ["calls L-00000002"]
    assert [*await everywhere.scan()] == ["calls L-00000001"]
    assert everywhere.known.in_use == {"s3"}
    regional.aws.cell.account_states.clear()
    assert [*await everywhere.scan()] == ["calls L-00000001"]


async def test_the_quotas_of_services_that_are_global_are_all_read_once() -> None:
    account = Account(
        ["iam"],
        list_metrics=published(usage("A")),
        list_service_quotas=lists_of(iam=[quota("L-00000001", 10, UsageMetric=usage("A"))]),
    )
    account.aws.cell.scope = ServiceScope.GLOBAL
    assert [*await account.scan()] == ["calls L-00000001"]


async def test_a_count_of_one_region_is_made_once_where_the_service_is_in_use_anywhere() -> None:
    clusters = "L-195CF965"  # of route53-recovery-control-config, counted in the home region
    answers = {
        "list_service_quotas": lists_of(route53_recovery_control_config=[quota(clusters, 2)]),
        "list_clusters": {"Clusters": [{}]},
    }
    regional, everywhere = Account(["route53-recovery-control-config"], **answers), Account(**answers)
    everywhere.aws.cell.scope, everywhere.aws.cell.region = ServiceScope.GLOBAL, "us-east-1"
    everywhere.aws.cell.account_states = regional.aws.cell.account_states
    everywhere.reads = frozenset()
    assert [*await regional.scan()] == []
    assert [*await everywhere.scan()] == [f"unverified_count {clusters}"]
    assert "route53-recovery-control-config:ListClusters" not in regional.aws.calls


async def test_a_resource_with_a_quota_of_its_own_has_a_series_of_its_own() -> None:
    def of(arn: str, value: float, dimension: str) -> dict[str, Any]:
        context = {"ContextScope": "RESOURCE", "ContextId": arn}
        return quota("L-00000001", value, QuotaContext=context, UsageMetric=usage(dimension, "ResourceCount"))

    arns = [f"arn:aws:es:eu-west-1:123456789012:domain/{name}" for name in "abc"]
    own = [of(arns[0], 9, "A"), of(arns[1], 8, "all"), of(arns[2], 7, "C")]

    def lists(**params: Any) -> dict[str, Any]:
        return {"Quotas": own if "QuotaAppliedAtLevel" in params else [of("*", 5, "all")]}

    account = Account(
        ["es"],
        list_metrics=published(*(usage(name, "ResourceCount") for name in ("all", "A"))),
        list_services={"Services": []},
        list_service_quotas=lists,
    )
    scan = Scan(account.aws.cell, quota_services_in_use=frozenset({"es"}))
    found = {one.quota_arn: one async for one in quotas(scan)}
    assert {arn: one.limit for arn, one in found.items()} == {"": 5, arns[0]: 9}
    assert found[arns[0]].resource.path == ("es", "L-00000001", arns[0])
    assert found[arns[0]].resource.display_name == "es/Name of L-00000001/domain/a"


async def test_the_policy_allows_the_calls() -> None:
    account = Account(
        list_metrics=published(usage("A", "ResourceCount")),
        list_services={"Services": [{"ServiceCode": "glue"}]},
    )
    await account.scan()
    assert account.aws.iam_actions <= set(COLLECTOR.iam_actions)


TABLES = "L-B8497671"  # of glue in counts.yaml: of each database


def tables_of(**numbers: int) -> dict[str, Any]:
    """Return the answers of a Glue with so many tables in each database."""

    def tables(DatabaseName: str, **_: Any) -> Any:  # as AWS names it
        return {"TableList": [{"Name": str(number)} for number in range(numbers[DatabaseName])]}

    return {"get_databases": {"DatabaseList": [{"Name": name} for name in numbers]}, "get_tables": tables}


def of_database(name: str, value: float) -> dict[str, Any]:
    """Return the quota of tables that one database of Glue has."""
    arn = f"arn:aws:glue:eu-west-1:123456789012:database/{name}"
    return quota(TABLES, value, QuotaContext={"ContextScope": "RESOURCE", "ContextId": arn})


def databases(*own: dict[str, Any], **numbers: int) -> Account:
    """An account with a quota of 50 tables for each database, and values of single ones."""

    def lists(ServiceCode: str, QuotaAppliedAtLevel: str = "ACCOUNT", **_: Any) -> Any:
        of_each = quota(TABLES, 50, QuotaContext={"ContextScope": "RESOURCE", "ContextId": "*"})
        return {"Quotas": [*own] if QuotaAppliedAtLevel == "RESOURCE" else [of_each]}

    return Account(["glue"], list_service_quotas=lists, **tables_of(**numbers))


async def counted_tables(account: Account) -> dict[str, tuple[Any, ...]]:
    """Usage, limit and the largest of each series of the quota, by the last id of its resource."""
    scan = Scan(account.aws.cell, quota_services_in_use=frozenset(["glue"]))
    found = [one async for one in quotas(scan) if one.resource.path[1] == TABLES]
    return {one.resource.path[-1].rpartition("/")[2]: (one.usage, one.limit, one.largest) for one in found}


async def test_the_parent_with_the_highest_count_is_named() -> None:
    account = databases(shop=7, blog=40, docs=1)
    assert await counted_tables(account) == {TABLES: (40, 50, "blog")}


async def test_a_parent_with_a_value_of_its_own_is_compared_with_it() -> None:
    account = databases(of_database("blog", 100), of_database("gone", 200), shop=7, blog=60, docs=1)
    assert await counted_tables(account) == {"blog": (60, 100, ""), TABLES: (7, 50, "shop")}


async def test_the_value_of_the_account_is_unused_where_all_parents_have_their_own() -> None:
    account = databases(of_database("blog", 100), blog=60)
    assert await counted_tables(account) == {"blog": (60, 100, ""), TABLES: (0, 50, "")}


async def test_an_arn_belongs_to_a_parent_only_by_its_whole_id() -> None:
    account = databases(of_database("my-blog", 100), blog=60)
    assert await counted_tables(account) == {TABLES: (60, 50, "blog")}


async def test_a_count_matched_to_its_quota_by_name_alone_is_unverified() -> None:
    account = Account(
        ["appsync"],
        list_service_quotas=lists_of(appsync=[quota("L-51A37BC6", 25)]),
        list_domain_names={"domainNameConfigs": [{"domainName": "a.example"}]},
    )
    (observed,) = (await account.scan()).values()
    assert (observed.signal, observed.usage) == ("unverified_count", 1.0)


async def test_a_quota_with_a_metric_of_its_usage_is_not_counted_too() -> None:
    level = usage("A", "ResourceCount")
    account = Account(
        ["acm-pca"],
        list_metrics=published(level),
        list_services={"Services": []},
        list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 100, UsageMetric=level)]),
        list_certificate_authorities={"CertificateAuthorities": [{}]},
    )
    assert [*await account.scan()] == [f"resources {AUTHORITIES}"]


async def test_a_list_that_is_denied_affects_only_itself() -> None:
    level = usage("A", "ResourceCount")
    account = Account(
        ["kinesis"],
        list_metrics=published(level),
        list_services=denied("ListServices"),
        list_service_quotas=lists_of(kinesis=[quota("L-00000001", 10, UsageMetric=level)]),
    )
    found = list[Observed]()
    with pytest.raises(ExceptionGroup) as raised:
        async for one in quotas(Scan(account.aws.cell, quota_services_in_use=frozenset({"kinesis"}))):
            found.append(one)
    assert [one.signal for one in found] == ["resources"]
    assert [str(error) for error in raised.value.exceptions] == [str(denied("ListServices"))]


async def test_quotas_that_were_never_counted_are_reported() -> None:
    of_glue = [quota(one.code, 10) for one in read_counts() if one.service == "glue"]
    account = Account(
        ["acm-pca", "glue"],
        list_service_quotas=lists_of(acm_pca=[quota(AUTHORITIES, 10)], glue=of_glue),
        list_certificate_authorities={"CertificateAuthorities": []},
    )
    account.known.budget.left = 6  # one for the metrics, four for the lists of quotas, one for a count
    await account.scan()
    counted = sum(len(one.counts) or 1 for one in account.known.counted.values())
    of_both = sum(one.service in ("acm-pca", "glue") for one in read_counts())
    assert 0 < account.known.uncounted <= of_both - counted
    await account.scan(HOUR)
    assert account.known.uncounted == 0


# AWS's own report


def reports(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return the answers of Service Quotas to a request for a report of utilization."""
    return {
        "start_quota_utilization_report": {"ReportId": "r-1", "Status": "PENDING"},
        "get_quota_utilization_report": {"ReportId": "r-1", "Status": "COMPLETED", "Quotas": [*entries]},
    }


def reported(code: str, percent: float, service: str = "kinesis") -> dict[str, Any]:
    """Return the entry of a quota in a report of utilization."""
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": f"Name of {code}", "Utilization": percent}


REPORT = "service-quotas:StartQuotaUtilizationReport"


def test_the_utilization_report_is_read_once_a_day_for_quotas_without_another_usage() -> None:
    async def main() -> None:
        account = Account(
            ["kinesis"],
            [Quota(service="kinesis", code="L-00000003")],
            list_metrics=published(usage("A")),
            list_service_quotas=lists_of(
                kinesis=[quota("L-00000001", 10, UsageMetric=usage("A")), quota("L-00000002", 10)]
            ),
            **reports(
                *(reported(f"L-0000000{number}", 63.0) for number in (1, 2, 3)),
                reported("L-00000009", 20.0, "glue"),
            ),
        )
        assert [*await account.scan()] == ["calls L-00000001"]
        assert REPORT not in account.aws.calls
        await account.scan()
        assert account.aws.calls.count(REPORT) == 1
        found = await account.scan(DAY - 1)
        assert {*found} == {"calls L-00000001", "reported L-00000002", "reported L-00000009"}
        observed = found["reported L-00000002"]
        assert (observed.signal, observed.usage, observed.limit) == ("reported", 63.0, 100.0)
        assert observed.resource.display_name == "kinesis/Name of L-00000002"
        assert REPORT not in account.aws.calls
        await account.scan(1)
        assert account.aws.calls.count(REPORT) == 1
        assert account.aws.iam_actions <= set(COLLECTOR.iam_actions)

    run(main())


async def test_a_report_that_is_not_permitted_affects_nothing_and_is_requested_once_a_day() -> None:
    account = Account(["kinesis"], list_service_quotas=lists_of(kinesis=[quota("L-00000001", 10)]))
    for after, calls in ((0, 0), (0, 1), (DAY - 1, 0), (1, 1)):
        await account.scan(after)
        assert account.aws.calls.count(REPORT) == calls
        assert account.failures == []
    assert isinstance(account.known.report_failure, ClientError)


def test_a_utilization_report_that_is_too_old_yields_no_series() -> None:
    async def main() -> None:
        account = Account(
            ["kinesis"],
            list_service_quotas=lists_of(kinesis=[quota("L-00000001", 10)]),
            **reports(reported("L-00000001", 63.0)),
        )
        await account.scan()
        await account.scan()
        account.aws.answers["start_quota_utilization_report"] = denied("StartQuotaUtilizationReport")
        assert [*await account.scan(2 * DAY - 1)] == ["reported L-00000001"]
        assert [*await account.scan(1)] == []

    run(main())
