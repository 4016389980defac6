"""One reading of a service code: which calls it makes, and what a failed one costs."""

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
    code,
    described,
)

A, B, C = code(1), code(2), code(3)
APPLIED, DEFAULT = LimitSource.APPLIED, LimitSource.DEFAULT
DENIED = "AccessDeniedException"
ARN, OTHER = (f"arn:aws:lambda:eu-west-1:123456789012:function:{name}" for name in ("a", "b"))


async def read(
    service: ServiceQuotas, *quotas: Quota, applied: Set[Quota] = frozenset(), **answers: Any
) -> tuple[QuotaReading, dict[str, int]]:
    """A reading of these quotas, and the number of calls of each operation."""
    aws = FakeAws(**service.answers | answers)
    reading = await read_quotas(aws.cell, "lambda", {*quotas}, applied)
    assert reading.values.keys() | reading.failures.keys() | reading.absent == {*quotas}
    assert reading.absent.isdisjoint(reading.values.keys() | reading.failures.keys())
    return reading, Counter(aws.calls)


def failures(reading: QuotaReading) -> dict[Quota, tuple[str, str]]:
    assert all(failed.resource == quota.code for quota, failed in reading.failures.items())
    return {quota: (failed.operation, failed.code) for quota, failed in reading.failures.items()}


async def test_quotas_that_are_all_applied_take_one_call() -> None:
    many = {code(number): float(number) for number in range(1, 51)}
    reading, calls = await read(ServiceQuotas(many | {code(99): 9.0}), *many)
    assert reading.values == {quota: {APPLIED: value} for quota, value in many.items()}
    assert calls == {LIST: 1}


async def test_a_quota_without_an_applied_value_has_its_default_by_one_call_more() -> None:
    reading, calls = await read(ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0, C: 4.0}), A, B, C)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}, C: {DEFAULT: 4.0}}
    assert calls == {LIST: 1, DEFAULTS: 1}


async def test_a_quota_in_neither_list_is_read_singly() -> None:
    reading, calls = await read(ServiceQuotas({A: 3.0}, unlisted={B: 2.0}), A, B, C)
    assert reading.values == {A: {APPLIED: 3.0}, B: {APPLIED: 2.0}}
    assert reading.absent == {C}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 2, GET_DEFAULT: 1}


MANY = {code(number): float(number) for number in range(1, 101)}


async def test_two_of_a_hundred_quotas_in_neither_list_are_requested() -> None:
    reading, calls = await read(ServiceQuotas(), *MANY)
    assert reading.absent == {*MANY}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 2, GET_DEFAULT: 2}


async def test_quotas_in_neither_list_are_all_requested_if_aws_knows_one_of_the_first() -> None:
    reading, calls = await read(ServiceQuotas(unlisted={B: 2.0, code(100): 3.0}), *MANY)
    assert reading.values == {B: {APPLIED: 2.0}, code(100): {APPLIED: 3.0}}
    assert len(reading.absent) == 98
    assert calls[GET] == 100


async def test_quotas_denied_in_lists_and_singly_cost_two_single_calls() -> None:
    reading, calls = await read(ServiceQuotas(denials={LIST: DENIED, GET: DENIED}), *MANY)
    assert failures(reading) == dict.fromkeys(MANY, ("GetServiceQuota", DENIED))
    assert calls == {LIST: 1, GET: 2}


async def test_other_failures_of_one_quota_do_not_stop_requests_for_other_quotas() -> None:
    _, calls = await read(ServiceQuotas(denials={LIST: DENIED, GET: "ServiceException"}), *MANY)
    assert calls == {LIST: 1, GET: 100}


async def test_a_listed_quota_without_a_value_is_read_singly_and_not_taken_for_its_default() -> None:
    listed = {"QuotaCode": A.code, "ErrorReason": {"ErrorCode": "DEPENDENCY_SERVICE_ERROR"}}
    service = ServiceQuotas(defaults={A: 1.0}, unlisted={A: 5.0})
    reading, calls = await read(service, A, list_service_quotas={"Quotas": [listed]})
    assert reading.values == {A: {APPLIED: 5.0}}
    assert calls == {LIST: 1, GET: 1}


async def test_a_service_code_that_has_no_lists_is_read_singly() -> None:
    service = ServiceQuotas(unlisted={A: 5.0}, denials={LIST: NOT_FOUND, DEFAULTS: NOT_FOUND})
    reading, calls = await read(service, A)
    assert reading.values == {A: {APPLIED: 5.0}}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 1}


async def test_a_list_that_is_denied_is_replaced_by_single_calls_without_a_failure() -> None:
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0}, denials={LIST: DENIED})
    reading, calls = await read(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}}
    assert calls == {LIST: 1, GET: 2, GET_DEFAULT: 1}


async def test_defaults_that_are_denied_are_replaced_by_single_calls_of_the_rest() -> None:
    service = ServiceQuotas({A: 3.0}, {B: 2.0}, denials={DEFAULTS: DENIED})
    reading, calls = await read(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {DEFAULT: 2.0}}
    assert calls == {LIST: 1, DEFAULTS: 1, GET: 1, GET_DEFAULT: 1}


async def test_each_quota_fails_once_if_all_calls_are_denied() -> None:
    service = ServiceQuotas({A: 3.0}, denials={LIST: DENIED, GET: DENIED})
    reading, _ = await read(service, A, B)
    assert failures(reading) == {A: ("GetServiceQuota", DENIED), B: ("GetServiceQuota", DENIED)}


async def test_a_list_that_is_throttled_fails_its_quotas_once_and_no_default_stands_in() -> None:
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 1.0}, denials={LIST: THROTTLED})
    reading, calls = await read(service, A, B)
    assert reading.values == {}
    assert failures(reading) == {A: ("ListServiceQuotas", THROTTLED), B: ("ListServiceQuotas", THROTTLED)}
    assert calls == {LIST: 1}


async def test_pages_before_one_that_fails_count() -> None:
    page = {"Quotas": [{"QuotaCode": A.code, "Value": 3.0}]}
    pages = [page, denied("ListServiceQuotas", THROTTLED)]
    reading, _ = await read(ServiceQuotas(), A, B, list_service_quotas=pages)
    assert reading.values == {A: {APPLIED: 3.0}}
    assert failures(reading) == {B: ("ListServiceQuotas", THROTTLED)}


async def test_pages_that_repeat_a_token_fail_the_quotas_not_listed_yet() -> None:
    page = {"Quotas": [{"QuotaCode": A.code, "Value": 3.0}], "NextToken": "again"}
    reading, calls = await read(ServiceQuotas(), A, B, list_service_quotas=page)
    assert reading.values == {A: {APPLIED: 3.0}}
    assert failures(reading) == {B: ("ListServiceQuotas", "PaginationError")}
    assert calls == {LIST: 2}


@pytest.mark.parametrize("is_applied", [True, False])
async def test_an_applied_value_that_is_not_listed_any_more_is_requested_singly(is_applied: bool) -> None:
    service = ServiceQuotas(defaults={A: 1.0}, unlisted={A: 5.0} if is_applied else {})
    reading, calls = await read(service, A, applied={A})
    assert reading.values == {A: {APPLIED: 5.0} if is_applied else {DEFAULT: 1.0}}
    assert calls[DEFAULTS] == 0


async def test_a_single_response_without_a_number_affects_its_quota_and_is_reported() -> None:
    def answer(**params: Any) -> dict[str, Any]:
        return {"Quota": {"Value": 2.0} if params["QuotaCode"] == B.code else {}}

    reading, _ = await read(ServiceQuotas(), A, B, get_service_quota=answer)
    assert reading.values == {B: {APPLIED: 2.0}}
    assert failures(reading) == {A: ("GetServiceQuota", "NoQuotaValue")}


# Quotas that each resource has


async def test_the_values_of_resources_take_one_call_more() -> None:
    own = {A: {ARN: 9.0}, B: {OTHER: 7.0, "*": 5.0}}
    service = ServiceQuotas({A: 3.0}, {A: 1.0, B: 2.0}, resource_values=own)
    reading, calls = await read(service, A, B)
    assert reading.values == {A: {APPLIED: 3.0}, B: {APPLIED: 5.0}}
    assert reading.resource_values == {A: {ARN: 9.0}, B: {OTHER: 7.0}}
    assert calls == {LIST: 2, DEFAULTS: 1}


async def test_where_no_resource_has_a_value_of_its_own_the_list_may_be_missing() -> None:
    def lists(**params: Any) -> Any:
        missing = denied("ListServiceQuotas", NOT_FOUND)
        return missing if "QuotaAppliedAtLevel" in params else {"Quotas": [described(A, 3.0, "*")]}

    reading, _ = await read(ServiceQuotas(), A, list_service_quotas=lists)
    assert (reading.values, reading.resource_values) == ({A: {APPLIED: 3.0}}, {A: {}})


async def test_values_of_resources_that_cannot_be_read_affect_nothing_else() -> None:
    def lists(**params: Any) -> Any:
        throttled = denied("ListServiceQuotas", THROTTLED)
        return throttled if "QuotaAppliedAtLevel" in params else {"Quotas": [described(A, 3.0, "*")]}

    reading, _ = await read(ServiceQuotas(), A, list_service_quotas=lists)
    assert (reading.values, reading.resource_values) == ({A: {APPLIED: 3.0}}, {})
    assert failures(reading) == {A: ("ListServiceQuotas", THROTTLED)}
