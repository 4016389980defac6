"""One reading of a service code: which calls it makes, and which quotas a failed call affects.

LIST, DEFAULTS, GET and GET_DEFAULT are operations; see `tests.monitor.polling.service_quotas`.
"""

from collections import Counter
from collections.abc import Set
from typing import Any

import pytest

from monitor.polling.quota_reading import QuotaReading, read_quotas
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import FakeAws, denied
from tests.monitor.polling.service_quotas import (
    DEFAULTS,
    GET,
    GET_DEFAULT,
    LIST,
    NOT_FOUND,
    THROTTLED,
    ServiceQuotas,
    list_entry,
    numbered_quota,
)

# Three quotas of Lambda.
A, B, C = numbered_quota(1), numbered_quota(2), numbered_quota(3)
APPLIED, DEFAULT = LimitSource.APPLIED, LimitSource.DEFAULT
DENIED = "AccessDeniedException"
ARN, OTHER_ARN = (f"arn:aws:lambda:eu-west-1:123456789012:function:{name}" for name in ("a", "b"))


async def read_once(
    service: ServiceQuotas, *quotas: Quota, applied: Set[Quota] = frozenset(), **answers: Any
) -> tuple[QuotaReading, dict[str, int]]:
    """Read these quotas once; return the reading, and the number of calls by operation."""
    aws = FakeAws(**service.answers | answers)
    reading = await read_quotas(aws.cell, "lambda", {*quotas}, applied)
    assert reading.values.keys() | reading.failures.keys() | reading.absent == {*quotas}
    assert reading.absent.isdisjoint(reading.values.keys() | reading.failures.keys())
    return reading, Counter(aws.calls)


def failures_of(reading: QuotaReading) -> dict[Quota, tuple[str, str]]:
    """Return the operation and the error code of the failure of each quota that failed."""
    assert all(failed.resource == quota.code for quota, failed in reading.failures.items())
    return {quota: (failed.operation, failed.code) for quota, failed in reading.failures.items()}


async def test_quotas_with_applied_values_take_one_call() -> None:
    fifty_quotas = {numbered_quota(number): float(number) for number in range(1, 51)}
    reading, calls = await read_once(ServiceQuotas(fifty_quotas | {numbered_quota(99): 9.0}), *fifty_quotas)
    assert reading.values == {quota: {APPLIED: value} for quota, value in fifty_quotas.items()}
    assert calls == {LIST: 1}


async def test_a_quota_without_an_applied_value_has_its_default_and_takes_one_more_call() -> None:
    reading, calls = await read_once(ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0, C: 4.0}), A, B, C)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}, C: {DEFAULT: 4.0}}
    assert calls == {LIST: 1, DEFAULTS: 1}


async def test_a_quota_in_neither_list_is_read_by_a_single_call() -> None:
    reading, calls = await read_once(ServiceQuotas({A: 3.0}, unlisted={B: 2.0}), A, B, C)
    assert reading.values == {A: {APPLIED: 3.0}, B: {APPLIED: 2.0}}
    assert reading.absent == {C}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 2, GET_DEFAULT: 1}


HUNDRED_QUOTAS = {numbered_quota(number): float(number) for number in range(1, 101)}


async def test_only_two_of_a_hundred_quotas_in_neither_list_are_requested() -> None:
    reading, calls = await read_once(ServiceQuotas(), *HUNDRED_QUOTAS)
    assert reading.absent == {*HUNDRED_QUOTAS}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 2, GET_DEFAULT: 2}


async def test_quotas_in_neither_list_are_all_requested_if_aws_has_one_of_the_first_two() -> None:
    reading, calls = await read_once(
        ServiceQuotas(unlisted={B: 2.0, numbered_quota(100): 3.0}), *HUNDRED_QUOTAS
    )
    assert reading.values == {B: {APPLIED: 2.0}, numbered_quota(100): {APPLIED: 3.0}}
    assert len(reading.absent) == 98
    assert calls[GET] == 100


async def test_if_the_list_and_single_calls_are_denied_only_two_single_calls_are_made() -> None:
    reading, calls = await read_once(ServiceQuotas(denials={LIST: DENIED, GET: DENIED}), *HUNDRED_QUOTAS)
    assert failures_of(reading) == dict.fromkeys(HUNDRED_QUOTAS, ("GetServiceQuota", DENIED))
    assert calls == {LIST: 1, GET: 2}


async def test_after_failures_other_than_denials_all_quotas_are_requested() -> None:
    _, calls = await read_once(
        ServiceQuotas(denials={LIST: DENIED, GET: "ServiceException"}), *HUNDRED_QUOTAS
    )
    assert calls == {LIST: 1, GET: 100}


async def test_a_listed_quota_without_a_value_is_read_by_a_single_call_and_has_no_default() -> None:
    listed = {"QuotaCode": A.code, "ErrorReason": {"ErrorCode": "DEPENDENCY_SERVICE_ERROR"}}
    service = ServiceQuotas(defaults={A: 1.0}, unlisted={A: 5.0})
    reading, calls = await read_once(service, A, list_service_quotas={"Quotas": [listed]})
    assert reading.values == {A: {APPLIED: 5.0}}
    assert calls == {LIST: 1, GET: 1}


async def test_quotas_of_a_service_code_without_lists_are_read_by_single_calls() -> None:
    service = ServiceQuotas(unlisted={A: 5.0}, denials={LIST: NOT_FOUND, DEFAULTS: NOT_FOUND})
    reading, calls = await read_once(service, A)
    assert reading.values == {A: {APPLIED: 5.0}}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 1}


async def test_a_denied_list_of_applied_values_is_replaced_by_single_calls_without_a_failure() -> None:
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0}, denials={LIST: DENIED})
    reading, calls = await read_once(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}}
    assert calls == {LIST: 1, GET: 2, GET_DEFAULT: 1}


async def test_a_denied_list_of_defaults_is_replaced_by_single_calls_for_missing_quotas() -> None:
    service = ServiceQuotas({A: 3.0}, {B: 2.0}, denials={DEFAULTS: DENIED})
    reading, calls = await read_once(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 1, GET_DEFAULT: 1}


async def test_each_quota_fails_once_if_all_calls_are_denied() -> None:
    service = ServiceQuotas({A: 3.0}, denials={LIST: DENIED, GET: DENIED})
    reading, _ = await read_once(service, A, B)
    assert failures_of(reading) == {A: ("GetServiceQuota", DENIED), B: ("GetServiceQuota", DENIED)}


async def test_after_a_throttled_list_its_quotas_fail_and_no_default_replaces_them() -> None:
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 1.0}, denials={LIST: THROTTLED})
    reading, calls = await read_once(service, A, B)
    assert reading.values == {}
    assert failures_of(reading) == {A: ("ListServiceQuotas", THROTTLED), B: ("ListServiceQuotas", THROTTLED)}
    assert calls == {LIST: 1}


async def test_values_on_pages_before_a_failed_page_are_used() -> None:
    page = {"Quotas": [{"QuotaCode": A.code, "Value": 3.0}]}
    pages = [page, denied("ListServiceQuotas", THROTTLED)]
    reading, _ = await read_once(ServiceQuotas(), A, B, list_service_quotas=pages)
    assert reading.values == {A: {APPLIED: 3.0}}
    assert failures_of(reading) == {B: ("ListServiceQuotas", THROTTLED)}


async def test_if_pages_repeat_a_token_the_quotas_not_listed_yet_fail() -> None:
    page = {"Quotas": [{"QuotaCode": A.code, "Value": 3.0}], "NextToken": "again"}
    reading, calls = await read_once(ServiceQuotas(), A, B, list_service_quotas=page)
    assert reading.values == {A: {APPLIED: 3.0}}
    assert failures_of(reading) == {B: ("ListServiceQuotas", "PaginationError")}
    assert calls == {LIST: 2}


@pytest.mark.parametrize("is_applied", [True, False], ids=["still applied", "no longer applied"])
async def test_an_applied_value_that_is_no_longer_listed_is_checked_by_a_single_call(
    is_applied: bool,
) -> None:
    service = ServiceQuotas(defaults={A: 1.0}, unlisted={A: 5.0} if is_applied else {})
    reading, calls = await read_once(service, A, applied={A})
    assert reading.values == {A: {APPLIED: 5.0} if is_applied else {DEFAULT: 1.0}}
    assert calls[DEFAULTS] == 0


async def test_a_single_call_without_a_number_fails_only_its_own_quota() -> None:
    def answer(**params: Any) -> dict[str, Any]:
        return {"Quota": {"Value": 2.0} if params["QuotaCode"] == B.code else {}}

    reading, _ = await read_once(ServiceQuotas(), A, B, get_service_quota=answer)
    assert reading.values == {B: {APPLIED: 2.0}}
    assert failures_of(reading) == {A: ("GetServiceQuota", "NoQuotaValue")}


# Quotas that apply to each resource


async def test_values_of_single_resources_take_one_more_call() -> None:
    resource_values = {A: {ARN: 9.0}, B: {OTHER_ARN: 7.0, "*": 5.0}}
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0}, resource_values=resource_values)
    reading, calls = await read_once(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {APPLIED: 5.0}}
    assert reading.resource_values == {A: {ARN: 9.0}, B: {OTHER_ARN: 7.0}}
    assert calls == {LIST: 2, DEFAULTS: 1}


async def test_if_aws_has_no_list_of_values_of_resources_no_resource_has_its_own_value() -> None:
    def answer(**params: Any) -> Any:
        not_found_error = denied("ListServiceQuotas", NOT_FOUND)
        return not_found_error if "QuotaAppliedAtLevel" in params else {"Quotas": [list_entry(A, 3.0, "*")]}

    reading, _ = await read_once(ServiceQuotas(), A, list_service_quotas=answer)
    assert (reading.values, reading.resource_values) == ({A: {APPLIED: 3.0}}, {A: {}})


async def test_if_values_of_resources_cannot_be_read_the_account_value_is_still_read() -> None:
    def answer(**params: Any) -> Any:
        throttled_error = denied("ListServiceQuotas", THROTTLED)
        return throttled_error if "QuotaAppliedAtLevel" in params else {"Quotas": [list_entry(A, 3.0, "*")]}

    reading, _ = await read_once(ServiceQuotas(), A, list_service_quotas=answer)
    assert (reading.values, reading.resource_values) == ({A: {APPLIED: 3.0}}, {})
    assert failures_of(reading) == {A: ("ListServiceQuotas", THROTTLED)}
