"""QuotaBook: its calls, its intervals, the values it remembers, and the inventories that wait for it.

LIST, DEFAULTS and HISTORY are operations of Service Quotas; see `tests.monitor.polling.service_quotas`.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.base import ServiceScope
from collectors.quota_requests import QuotaRequest, RequestedQuota
from collectors.quotas import QuotaContext
from monitor.polling.quota_book import QUOTA_INTERVAL, KnownQuota, QuotaBook
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied
from tests.monitor.polling.service_quotas import (
    DEFAULTS,
    HISTORY,
    LIST,
    THROTTLED,
    ServiceQuotas,
    numbered_quota,
)
from tests.quick_loop import run
from tests.registries import REGISTRY

# A and B are quotas of Lambda, C is one of SQS.
A, B, C = numbered_quota(1), numbered_quota(2), numbered_quota(1, "sqs")
APPLIED = LimitSource.APPLIED
NOW = 1.8e9  # epoch seconds
ARN, OTHER_ARN = (f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function:{name}" for name in ("a", "b"))


class QuotaReads:
    """A QuotaBook that reads from a fake Service Quotas."""

    def __init__(self, service: ServiceQuotas, *quotas: Quota, **answers: Any) -> None:
        self.service = service
        self.aws = FakeAws(now=NOW, **service.answers | answers)
        self.book = QuotaBook(self.aws.cell, quotas)

    def take_calls(self) -> Counter[str]:
        """Return the calls since the last call of this method, by operation."""
        calls, self.aws.calls = self.aws.calls, []
        return Counter(calls)


def slow_reads() -> QuotaReads:
    """Return reads that are always due, and whose calls take turns: C is read 1,000 seconds after A."""
    reads = QuotaReads(ServiceQuotas({A: 3.0, C: 7.0}), A, C)
    reads.aws.cell.rates = {"service-quotas": 1 / 1000, HISTORY: 1}
    reads.book = QuotaBook(reads.aws.cell, [A, C], interval=0.0)
    return reads


# Calls


async def test_fifty_service_codes_take_one_call_each_and_all_quota_requests_one_more() -> None:
    quotas = {
        numbered_quota(number, f"service{service}"): 1.0 for service in range(50) for number in range(10)
    }
    reads = QuotaReads(ServiceQuotas(quotas), *quotas)
    await reads.book.read()
    assert reads.take_calls() == {LIST: 50, HISTORY: 1}
    assert all(reads.book.last_known(quota) for quota in quotas)


async def test_quotas_of_one_service_code_are_read_once_though_several_tasks_wait_for_them() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0, B: 2.0}), A, B)
    await asyncio.gather(reads.book.wait_until_read([A]), reads.book.wait_until_read([B]), reads.book.read())
    assert reads.take_calls() == {LIST: 1, HISTORY: 1}


async def test_a_book_without_quotas_makes_no_call() -> None:
    reads = QuotaReads(ServiceQuotas())
    await reads.book.read()
    await reads.book.wait_until_read([A])
    assert reads.take_calls() == {}


def test_the_quotas_of_a_service_are_the_quotas_of_its_signals() -> None:
    assert {quota.code for quota in REGISTRY.quotas(["sqs", "s3"])} == {"L-C491D5A4"}


# Intervals


def test_quotas_are_read_again_after_the_interval_and_not_before() -> None:
    async def check() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
        await reads.book.read()
        assert reads.take_calls()
        await asyncio.sleep(QUOTA_INTERVAL - 60)
        await reads.book.read()
        assert not reads.take_calls()
        await asyncio.sleep(60)
        reads.service.applied, reads.aws.now = {A: 4.0}, NOW + QUOTA_INTERVAL
        await reads.book.read()
        assert reads.take_calls() == {LIST: 1, HISTORY: 1}
        assert reads.book.last_known(A) == KnownQuota({APPLIED: 4.0}, NOW + QUOTA_INTERVAL)

    run(check())


async def test_only_service_codes_whose_reading_failed_are_due_again_at_once() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0, C: 7.0}, denials={LIST: THROTTLED}), A, C)
    await reads.book.read()
    assert [failed.failure.resource for failed in reads.book.failures_of([A, C])] == [A.code, C.code]
    assert reads.take_calls()[LIST] == 2
    reads.service.applied, reads.service.denials = {C: 7.0}, {DEFAULTS: THROTTLED}
    await reads.book.read()
    (failed,) = reads.book.failures_of([A, C])
    assert (failed.failure.resource, failed.failure.operation) == (A.code, "ListAWSDefaultServiceQuotas")
    assert reads.take_calls() == {LIST: 2, DEFAULTS: 1}
    reads.service.applied, reads.service.denials = {A: 3.0}, {}
    await reads.book.read()
    assert (reads.take_calls(), reads.book.failures_of([A, C])) == ({LIST: 1}, [])
    await reads.book.read()
    assert reads.take_calls() == {}


def test_quotas_that_aws_does_not_have_are_one_failure_per_service_code_and_not_due_earlier() -> None:
    async def check() -> None:
        lambda_quotas = [numbered_quota(number) for number in range(1, 10)]
        reads = QuotaReads(ServiceQuotas({A: 3.0}), *lambda_quotas, C)
        await reads.book.read()
        sentences = [failed.failure.sentence for failed in reads.book.failures_of([*lambda_quotas, C])]
        assert sentences == [
            "ListAWSDefaultServiceQuotas: lambda has no quota L-00000002, L-00000003, L-00000004, "
            "L-00000005 and 4 more in this region (NoSuchResourceException)",
            "ListAWSDefaultServiceQuotas: sqs has no quota L-00000001 in this region "
            "(NoSuchResourceException)",
        ]
        assert reads.take_calls()
        await asyncio.sleep(QUOTA_INTERVAL - 60)
        await reads.book.read()
        assert not reads.take_calls()
        reads.service.applied = dict.fromkeys([*lambda_quotas, C], 1.0)
        await asyncio.sleep(60)
        await reads.book.read()
        assert reads.book.failures_of([*lambda_quotas, C]) == []

    run(check())


async def test_each_reading_has_a_number_of_its_own() -> None:
    reads = QuotaReads(ServiceQuotas(denials={LIST: THROTTLED}), A)
    readings = []
    for _ in range(3):
        await reads.book.read()
        readings += [failed.reading for failed in reads.book.failures_of([A])]
    assert readings == sorted({*readings})


# Remembered values


async def test_a_value_stays_known_while_it_cannot_be_read_again() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, defaults={A: 1.0}), A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    reads.service.denials, reads.aws.now = {LIST: THROTTLED}, NOW + 60
    await reads.book.read()
    assert reads.book.last_known(A) == KnownQuota({APPLIED: 3.0}, NOW)
    assert [failed.failure.code for failed in reads.book.failures_of([A])] == [THROTTLED]


async def test_an_applied_value_that_a_list_omits_is_not_replaced_by_the_default() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, defaults={A: 1.0}), A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    reads.service.applied, reads.service.unlisted = {}, {A: 3.0}
    await reads.book.read()
    assert reads.book.last_known(A) == KnownQuota({APPLIED: 3.0}, NOW)


async def test_values_of_single_resources_stay_known_while_they_cannot_be_read_again() -> None:
    service = ServiceQuotas({A: 3.0}, resource_values={A: {ARN: 9.0}})
    reads = QuotaReads(service, A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    answer = service.answers["list_service_quotas"]
    throttled_error = denied("ListServiceQuotas", THROTTLED)
    reads.aws.answers["list_service_quotas"] = lambda **params: (
        throttled_error if "QuotaAppliedAtLevel" in params else answer(**params)
    )
    await reads.book.read()
    known = reads.book.last_known(A)
    assert known and known.resource_values == {ARN: 9.0}
    assert known.values_of(ARN) == {APPLIED: 9.0}
    assert known.values_of("") == known.values_of(OTHER_ARN) == {APPLIED: 3.0}
    assert [failed.failure.code for failed in reads.book.failures_of([A])] == [THROTTLED]


def test_a_resource_has_the_quota_of_its_own_arn_or_of_its_parents_arn() -> None:
    resource_context = QuotaContext(per_resource=True, level="PER_RESOURCE")
    known = KnownQuota({APPLIED: 3.0}, NOW, resource_context, {ARN: 9.0})
    assert known.arn_among([ARN, OTHER_ARN]) == known.arn_among([ARN]) == ARN
    assert known.arn_among([OTHER_ARN]) == OTHER_ARN  # the ARN for which AWS would keep a value
    assert known.arn_among([]) == known.arn_among([OTHER_ARN, f"{OTHER_ARN}/part"]) == ""
    assert replace(known, context=replace(resource_context, level="ALL")).arn_among([OTHER_ARN]) == ""


async def test_a_request_for_one_resource_does_not_apply_to_another_resource() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
    request = {"ServiceCode": A.service, "QuotaCode": A.code, "Status": "PENDING"}
    context = {"ContextScope": "RESOURCE", "ContextId": ARN}
    reads.service.decided = [{**request, "DesiredValue": 9.0, "QuotaContext": context}]
    await reads.book.read()
    assert reads.book.request_for(A, ARN) == QuotaRequest(9.0, "PENDING", None)
    assert (reads.book.request_for(A), reads.book.request_for(A, OTHER_ARN)) == (None, None)
    reads.service.requests = {A: 5.0}
    reads.book = QuotaBook(reads.aws.cell, [A])
    await reads.book.read()
    requests = [reads.book.request_for(A, arn) for arn in (ARN, OTHER_ARN, "")]
    assert [request_found.desired for request_found in requests if request_found] == [9.0, 5.0, 5.0]


# Inventories that wait


def test_an_inventory_waits_for_the_first_reading_of_its_quotas_and_for_no_later_one() -> None:
    async def check() -> None:
        clock, reads = asyncio.get_running_loop().time, slow_reads()
        reading = asyncio.ensure_future(reads.book.read())
        await asyncio.sleep(1)
        await reads.book.wait_until_read([A])
        assert clock() == 1 and reads.book.last_known(A)
        await reads.book.wait_until_read([C])
        assert clock() == 1000 and reads.book.last_known(C)
        await reading
        reading = asyncio.ensure_future(reads.book.read())
        await asyncio.sleep(1)
        await reads.book.wait_until_read([A, C])
        assert clock() == 1001 and not reading.done()
        await reading

    run(check())


async def test_waiting_for_a_first_reading_that_fails_causes_no_second_reading() -> None:
    reads = QuotaReads(ServiceQuotas(denials={LIST: THROTTLED}), A)
    await asyncio.gather(reads.book.read(), reads.book.wait_until_read([A]), reads.book.wait_until_read([A]))
    await reads.book.wait_until_read([A])
    assert reads.take_calls()[LIST] == 1


def test_if_the_first_reading_is_cancelled_the_waiting_inventory_reads_itself() -> None:
    async def check() -> None:
        reads = slow_reads()
        reading = asyncio.ensure_future(reads.book.read())
        waiting_inventory = asyncio.ensure_future(reads.book.wait_until_read([C]))
        await asyncio.sleep(500)
        reading.cancel()
        await waiting_inventory
        assert reading.cancelled() and reads.book.last_known(C)

    run(check())


# Requests for an increase


def exported_requests(aws: FakeAws) -> dict[tuple[str, str], float]:
    """Return the desired value of each exported request, by region and service code."""
    samples = (sample for family in aws.registry.collect() for sample in family.samples)
    requests = [sample for sample in samples if sample.name == "headroom_quota_request"]
    values = {
        (request.labels["aws_region"], request.labels["service_code"]): request.value for request in requests
    }
    assert len(values) == len(requests)
    return values


async def test_requests_are_known_also_for_quotas_that_no_signal_declares() -> None:
    undeclared_quota = numbered_quota(9)
    reads = QuotaReads(ServiceQuotas({A: 3.0}, requests={A: 9.0, undeclared_quota: 5.0}), A, B)
    assert reads.book.requests is None
    await reads.book.read()
    assert reads.book.requests == {
        RequestedQuota(A): QuotaRequest(9.0, "PENDING", None),
        RequestedQuota(undeclared_quota): QuotaRequest(5.0, "PENDING", None),
    }
    assert reads.book.request_for(A) == QuotaRequest(9.0, "PENDING", None)
    assert (reads.book.request_for(B), reads.book.request_for(None)) == (None, None)
    labels = {"aws_account": ACCOUNT_ID, "aws_region": "eu-west-1", "service_code": A.service}
    exported = {**labels, "quota_code": A.code, "context_id": "", "status": "PENDING"}
    assert reads.aws.registry.get_sample_value("headroom_quota_request", exported) == 9.0


async def test_a_failed_history_affects_only_the_requests_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reads = QuotaReads(
        ServiceQuotas({A: 3.0}, requests={A: 9.0}, denials={HISTORY: "AccessDeniedException"}), A
    )
    for _ in range(2):
        await reads.book.read()
    assert (reads.book.requests, reads.book.request_for(A)) == (None, None)
    assert (reads.book.failures_of([A]), reads.book.last_known(A)) == ([], KnownQuota({APPLIED: 3.0}, NOW))
    assert caplog.text.count("quota requests are unknown") == 1
    reads.service.denials.clear()
    await reads.book.read()
    assert reads.book.requests == {RequestedQuota(A): QuotaRequest(9.0, "PENDING", None)}


async def test_requests_that_cannot_be_read_again_are_unknown() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, requests={A: 9.0}), A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    reads.service.denials = {HISTORY: THROTTLED}
    await reads.book.read()
    assert reads.book.requests is None
    assert exported_requests(reads.aws) == {}


async def test_the_cells_of_the_home_region_and_of_global_services_export_a_request_once() -> None:
    request = {"DesiredValue": 9.0, "Status": "PENDING"}
    service = ServiceQuotas({A: 3.0})
    service.decided = [
        {**request, "ServiceCode": "lambda", "QuotaCode": A.code, "GlobalQuota": False},
        {**request, "ServiceCode": "iam", "QuotaCode": B.code, "GlobalQuota": True},
    ]
    reads = QuotaReads(service, A)
    regional_cell = replace(reads.aws.cell, region="us-east-1")
    for cell in (regional_cell, replace(regional_cell, scope=ServiceScope.GLOBAL)):
        await QuotaBook(cell, [A]).read()
    exported = {("us-east-1", "lambda"): 9.0, ("global", "iam"): 9.0}
    assert exported_requests(reads.aws) == exported
    regional_cell.telemetry.forget(*regional_cell.key, [])
    assert exported_requests(reads.aws) == exported


def test_a_pending_request_is_read_again_every_hour() -> None:
    async def check() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}, requests={A: 9.0}), A)
        for pause, expected_calls in ((0, {LIST: 1, HISTORY: 1}), (3599, {}), (1, {HISTORY: 1})):
            await asyncio.sleep(pause)
            await reads.book.read()
            assert reads.take_calls() == expected_calls

    run(check())


def test_the_quotas_of_a_service_are_read_every_hour_for_six_hours_after_an_approval() -> None:
    async def check() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
        request = {"ServiceCode": A.service, "QuotaCode": A.code, "DesiredValue": 9.0, "Status": "APPROVED"}
        reads.service.decided = [{**request, "LastUpdated": datetime.fromtimestamp(NOW, UTC)}]
        await reads.book.read()
        assert (reads.book.approved_services, reads.take_calls()[LIST]) == ({A.service}, 1)
        list_calls = []
        for hour in range(1, 12):
            reads.aws.now = NOW + hour * 3600
            await asyncio.sleep(3600)
            await reads.book.read()
            list_calls.append(reads.take_calls()[LIST])
        assert list_calls == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]

    run(check())
