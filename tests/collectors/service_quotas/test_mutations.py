"""Responses of Service Quotas that violate its model: an invalid item affects only its own quota.

`FUZZ_ROUNDS=5000 pytest tests/collectors/service_quotas/test_mutations.py` tries more mutations.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.quota_requests import newest_requests
from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.collector import quotas
from collectors.service_quotas.quota_list import list_quotas
from collectors.service_quotas.utilization import read_report
from monitor.aws.scan import Scan
from monitor.polling.quota_reading import read_quotas
from rules.signals import Quota
from tests.collectors.answer_mutations import mutations_of_item
from tests.fake_aws import FakeAws

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "150"))  # mutations of each response
NOW = 1_700_000_000.0
CODES = ("L-00000001", "L-00000002", "L-00000003")
# Items of ListServices; only one is valid.
LISTED_SERVICES = [{}, None, {"ServiceCode": 7}, {"ServiceCode": "glue"}]
MUTATED_INDEX = 1  # the index of the mutated item among three items
DIMENSIONS = {"Service": "Glue", "Type": "Resource", "Class": "None"}
USAGE: dict[str, Any] = {
    "MetricNamespace": "AWS/Usage",
    "MetricName": "ResourceCount",
    "MetricStatisticRecommendation": "Maximum",
}

Results = Mapping[str, Any]  # the findings of a reader, by quota code


def glue_quota(code: str) -> Quota:
    """Return a quota of Glue."""
    return Quota(service="glue", code=code)


def list_entry(code: str) -> dict[str, Any]:
    """Return a quota of Glue, as Service Quotas lists it."""
    return {
        "ServiceCode": "glue",
        "QuotaCode": code,
        "QuotaName": f"Name of {code}",
        "Description": "Most jobs per minute",
        "Value": 100.0,
        "Adjustable": True,
        "GlobalQuota": False,
        "Period": {"PeriodValue": 2, "PeriodUnit": "MINUTE"},
        "UsageMetric": USAGE | {"MetricDimensions": DIMENSIONS | {"Resource": code}},
        "QuotaContext": {"ContextScope": "RESOURCE", "ContextScopeType": "AWS::Glue::Job", "ContextId": "*"},
    }


def request_entry(code: str) -> dict[str, Any]:
    """Return a request for a quota of Glue, as Service Quotas describes it."""
    return {
        "ServiceCode": "glue",
        "QuotaCode": code,
        "DesiredValue": 200.0,
        "Status": "PENDING",
        "Created": datetime.fromtimestamp(NOW, UTC),
        "LastUpdated": datetime.fromtimestamp(NOW, UTC),
        "RequestType": "AutomaticManagement",
        "QuotaContext": {"ContextId": "arn:aws:glue:eu-west-1:123456789012:job/a"},
    }


def report_entry(code: str) -> dict[str, Any]:
    """Return the entry of a quota of Glue in a report of utilization."""
    return {
        "ServiceCode": "glue",
        "QuotaCode": code,
        "QuotaName": f"Name of {code}",
        "Utilization": 12.5,
        "AppliedValue": 100.0,
    }


def list_responses(items: Any) -> dict[str, Any]:
    """Return the responses of both lists of quotas; no quota has values for single resources."""

    def answer(QuotaAppliedAtLevel: str = "", **_: Any) -> Any:
        return {"Quotas": [] if QuotaAppliedAtLevel else items}

    return {"list_service_quotas": answer, "list_aws_default_service_quotas": answer}


async def quotas_of_lists(items: Any) -> Results:
    """Return what `list_quotas` finds for each quota if the lists have these items."""
    aws, quotas_by_key = FakeAws(malformed=True, **list_responses(items)), dict[Any, Any]()
    await list_quotas(BudgetedCalls(aws.scan, CallBudget()), "glue", quotas_by_key)
    return {quota.code: listed_quota for (quota, _), listed_quota in quotas_by_key.items()}


async def values_of_lists(items: Any) -> Results:
    """Return the value or failure that `read_quotas` finds for each quota if the lists have these items."""
    quotas_of_glue = {*map(glue_quota, CODES)}
    get: dict[str, Any] = {"get_service_quota": {"Quota": {"Value": 7.0}}}
    reading = await read_quotas(
        FakeAws(malformed=True, **list_responses(items), **get).cell, "glue", quotas_of_glue, set()
    )
    return {quota.code: (reading.values.get(quota), reading.failures.get(quota)) for quota in quotas_of_glue}


async def requests_of_list(items: Any) -> Results:
    """Return the newest request for each quota if the list of requests has these items."""
    answer = {"RequestedQuotas": items}
    aws = FakeAws(malformed=True, now=NOW, list_requested_service_quota_change_history=answer)
    requests_by_key = await newest_requests(aws.scan)
    return {str(key.quota.code): (key, request) for key, request in requests_by_key.items()}


async def entries_of_report(items: Any) -> Results:
    """Return the reported utilization of each quota if a report has these entries."""
    aws = FakeAws(
        malformed=True,
        start_quota_utilization_report={"ReportId": "r-1"},
        get_quota_utilization_report={"Status": "COMPLETED", "Quotas": items},
    )
    report = await read_report(BudgetedCalls(aws.scan, CallBudget()), delays=[0.0])
    return {quota.code: entry for quota, entry in report.quotas.items()}


def metric_of(code: str) -> dict[str, Any]:
    """Return the metric of a quota's usage, as ListMetrics describes the metric."""
    dimensions = list_entry(code)["UsageMetric"]["MetricDimensions"]
    dimension_list = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": "AWS/Usage", "MetricName": "ResourceCount", "Dimensions": dimension_list}


async def series_of_lists(items: Any, metrics: Any = None) -> Results:
    """Return the series of each quota that a scan finds if the lists have these items.

    metrics: the metrics that ListMetrics returns; None: the usage metric of each quota.
    """
    published = {"Metrics": [*map(metric_of, CODES)] if metrics is None else metrics}
    answers = {
        "list_metrics": published,
        "list_services": {"Services": LISTED_SERVICES},
        **list_responses(items),
    }
    scan = Scan(FakeAws(malformed=True, now=NOW, **answers).cell)
    series_by_code = {series.resource.path[1]: series async for series in quotas(scan)}
    assert scan.failures == []
    return series_by_code


async def series_of_metrics(items: Any) -> Results:
    """Return the series of each quota that a scan finds if ListMetrics returns these items."""
    return await series_of_lists([*map(list_entry, CODES)], metrics=items)


# By name: a function that returns the findings from items, and one that returns the item of a quota code.
READERS: Mapping[str, tuple[Callable[[Any], Awaitable[Results]], Callable[[str], dict[str, Any]]]] = {
    "quotas in lists": (quotas_of_lists, list_entry),
    "values in lists": (values_of_lists, list_entry),
    "requests": (requests_of_list, request_entry),
    "entries of a report": (entries_of_report, report_entry),
    "series by lists": (series_of_lists, list_entry),
    "series by metrics": (series_of_metrics, metric_of),
}


@pytest.mark.parametrize("reader", READERS)
async def test_an_invalid_item_affects_no_other_quota(reader: str) -> None:
    read, item_of = READERS[reader]
    items = [item_of(code) for code in CODES]
    results_before = await read(items)
    assert results_before.keys() == {*CODES}
    for mutation, mutated in mutations_of_item(items, MUTATED_INDEX, ROUNDS, reader):
        results_after = await read(mutated)
        others = [code for code in CODES if code != CODES[MUTATED_INDEX]]
        assert {code: results_after.get(code) for code in others} == {
            code: results_before[code] for code in others
        }, mutation
