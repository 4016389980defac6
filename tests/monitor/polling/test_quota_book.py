"""The book of a cell's quotas: how often it reads, what it remembers, and who waits for it."""

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
    code,
)
from tests.quick_loop import run
from tests.registries import REGISTRY

A, B, C = code(1), code(2), code(1, "sqs")
APPLIED = LimitSource.APPLIED
NOW = 1.8e9
ARN, OTHER = (f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function:{name}" for name in ("a", "b"))


class QuotaReads:
    """A book over a Service Quotas."""

    def __init__(self, service: ServiceQuotas, *quotas: Quota, **answers: Any) -> None:
        self.service = service
        self.aws = FakeAws(now=NOW, **service.answers | answers)
        self.book = QuotaBook(self.aws.cell, quotas)

    @property
    def calls(self) -> Counter[str]:
        """The calls since this was asked last."""
        calls, self.aws.calls = self.aws.calls, []
        return Counter(calls)


def slow_desk() -> QuotaReads:
    """A book that is always due, and whose calls wait for each other: 1000 s for A, another 1000 s for C."""
    reads = QuotaReads(ServiceQuotas({A: 3.0, C: 7.0}), A, C)
    reads.aws.cell.rates = {"service-quotas": 1 / 1000, HISTORY: 1}
    reads.book = QuotaBook(reads.aws.cell, [A, C], interval=0.0)
    return reads


# Which calls


async def test_fifty_services_take_a_call_each_and_one_for_all_requests() -> None:
    quotas = {code(number, f"service{service}"): 1.0 for service in range(50) for number in range(10)}
    reads = QuotaReads(ServiceQuotas(quotas), *quotas)
    await reads.book.read()
    assert reads.calls == {LIST: 50, HISTORY: 1}
    assert all(reads.book.known(quota) for quota in quotas)


async def test_two_services_that_name_one_service_code_read_it_once() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0, B: 2.0}), A, B)
    await asyncio.gather(reads.book.wait_until_read([A]), reads.book.wait_until_read([B]), reads.book.read())
    assert reads.calls == {LIST: 1, HISTORY: 1}


async def test_a_cell_that_names_no_quota_makes_no_call() -> None:
    reads = QuotaReads(ServiceQuotas())
    await reads.book.read()
    await reads.book.wait_until_read([A])
    assert reads.calls == {}


def test_the_quotas_of_a_service_are_those_that_its_signals_name() -> None:
    assert {quota.code for quota in REGISTRY.quotas(["sqs", "s3"])} == {"L-C491D5A4"}


# How often


def test_quotas_are_read_again_after_the_interval_and_not_before() -> None:
    async def main() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
        await reads.book.read()
        assert reads.calls
        await asyncio.sleep(QUOTA_INTERVAL - 60)
        await reads.book.read()
        assert not reads.calls
        await asyncio.sleep(60)
        reads.service.applied, reads.aws.now = {A: 4.0}, NOW + QUOTA_INTERVAL
        await reads.book.read()
        assert reads.calls == {LIST: 1, HISTORY: 1}
        assert reads.book.known(A) == KnownQuota({APPLIED: 4.0}, NOW + QUOTA_INTERVAL)

    run(main())


async def test_only_quotas_that_failed_are_requested_again_and_at_once() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0, C: 7.0}, denials={LIST: THROTTLED}), A, C)
    await reads.book.read()
    assert [failed.failure.resource for failed in reads.book.failures_of([A, C])] == [A.code, C.code]
    assert reads.calls[LIST] == 2
    reads.service.applied, reads.service.denials = {C: 7.0}, {DEFAULTS: THROTTLED}
    await reads.book.read()
    (failed,) = reads.book.failures_of([A, C])
    assert (failed.failure.resource, failed.failure.operation) == (A.code, "ListAWSDefaultServiceQuotas")
    assert reads.calls == {LIST: 2, DEFAULTS: 1}
    reads.service.applied, reads.service.denials = {A: 3.0}, {}
    await reads.book.read()
    assert (reads.calls, reads.book.failures_of([A, C])) == ({LIST: 1}, [])
    await reads.book.read()
    assert reads.calls == {}


def test_quotas_that_aws_does_not_have_are_one_failure_and_no_reason_to_read_more_often() -> None:
    async def main() -> None:
        many = [code(number) for number in range(1, 10)]
        reads = QuotaReads(ServiceQuotas({A: 3.0}), *many, C)
        await reads.book.read()
        found = [failed.failure.sentence for failed in reads.book.failures_of([*many, C])]
        assert found == [
            "ListAWSDefaultServiceQuotas: lambda has no quota L-00000002, L-00000003, L-00000004, "
            "L-00000005 and 4 more in this region (NoSuchResourceException)",
            "ListAWSDefaultServiceQuotas: sqs has no quota L-00000001 in this region "
            "(NoSuchResourceException)",
        ]
        assert reads.calls
        await asyncio.sleep(QUOTA_INTERVAL - 60)
        await reads.book.read()
        assert not reads.calls
        reads.service.applied = dict.fromkeys([*many, C], 1.0)
        await asyncio.sleep(60)
        await reads.book.read()
        assert reads.book.failures_of([*many, C]) == []

    run(main())


async def test_each_reading_has_its_own_number() -> None:
    reads = QuotaReads(ServiceQuotas(denials={LIST: THROTTLED}), A)
    numbers = []
    for _ in range(3):
        await reads.book.read()
        numbers += [failed.reading for failed in reads.book.failures_of([A])]
    assert numbers == sorted({*numbers})


# What is remembered


async def test_a_value_stays_as_it_was_read_while_it_cannot_be_read_again() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, defaults={A: 1.0}), A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    reads.service.denials, reads.aws.now = {LIST: THROTTLED}, NOW + 60
    await reads.book.read()
    assert reads.book.known(A) == KnownQuota({APPLIED: 3.0}, NOW)
    assert [one.failure.code for one in reads.book.failures_of([A])] == [THROTTLED]


async def test_an_applied_value_that_a_list_leaves_out_is_no_default() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, defaults={A: 1.0}), A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    reads.service.applied, reads.service.unlisted = {}, {A: 3.0}
    await reads.book.read()
    assert reads.book.known(A) == KnownQuota({APPLIED: 3.0}, NOW)


async def test_the_values_of_resources_stay_as_they_were_while_they_cannot_be_read() -> None:
    service = ServiceQuotas({A: 3.0}, resource_values={A: {ARN: 9.0}})
    reads = QuotaReads(service, A)
    reads.book = QuotaBook(reads.aws.cell, [A], interval=0.0)
    await reads.book.read()
    answer = service.answers["list_service_quotas"]
    failing = denied("ListServiceQuotas", THROTTLED)
    reads.aws.answers["list_service_quotas"] = lambda **params: (
        failing if "QuotaAppliedAtLevel" in params else answer(**params)
    )
    await reads.book.read()
    known = reads.book.known(A)
    assert known and known.resource_values == {ARN: 9.0}
    assert known.values_of(ARN) == {APPLIED: 9.0}
    assert known.values_of("") == known.values_of(OTHER) == {APPLIED: 3.0}
    assert [one.failure.code for one in reads.book.failures_of([A])] == [THROTTLED]


def test_a_resource_has_the_quota_of_its_own_arn_or_that_of_its_parent() -> None:
    of_each = QuotaContext(per_resource=True, level="PER_RESOURCE")
    known = KnownQuota({APPLIED: 3.0}, NOW, of_each, {ARN: 9.0})
    assert known.arn_among([ARN, OTHER]) == known.arn_among([ARN]) == ARN
    assert known.arn_among([OTHER]) == OTHER  # where AWS would have its value
    assert known.arn_among([]) == known.arn_among([OTHER, f"{OTHER}/part"]) == ""
    assert replace(known, context=replace(of_each, level="ALL")).arn_among([OTHER]) == ""


async def test_a_request_for_a_resource_is_not_one_for_another() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
    request = {"ServiceCode": A.service, "QuotaCode": A.code, "Status": "PENDING"}
    context = {"ContextScope": "RESOURCE", "ContextId": ARN}
    reads.service.decided = [{**request, "DesiredValue": 9.0, "QuotaContext": context}]
    await reads.book.read()
    assert reads.book.request_for(A, ARN) == QuotaRequest(9.0, "PENDING", None)
    assert (reads.book.request_for(A), reads.book.request_for(A, OTHER)) == (None, None)
    reads.service.requests = {A: 5.0}
    reads.book = QuotaBook(reads.aws.cell, [A])
    await reads.book.read()
    found = [reads.book.request_for(A, arn) for arn in (ARN, OTHER, "")]
    assert [one.desired for one in found if one] == [9.0, 5.0, 5.0]


# Who waits


def test_an_inventory_waits_for_its_first_answer_and_for_no_other() -> None:
    async def main() -> None:
        clock, reads = asyncio.get_running_loop().time, slow_desk()
        reading = asyncio.ensure_future(reads.book.read())
        await asyncio.sleep(1)
        await reads.book.wait_until_read([A])
        assert clock() == 1 and reads.book.known(A)
        await reads.book.wait_until_read([C])
        assert clock() == 1000 and reads.book.known(C)
        await reading
        reading = asyncio.ensure_future(reads.book.read())
        await asyncio.sleep(1)
        await reads.book.wait_until_read([A, C])
        assert clock() == 1001 and not reading.done()
        await reading

    run(main())


async def test_waiting_for_a_first_reading_that_fails_causes_no_second_one() -> None:
    reads = QuotaReads(ServiceQuotas(denials={LIST: THROTTLED}), A)
    await asyncio.gather(reads.book.read(), reads.book.wait_until_read([A]), reads.book.wait_until_read([A]))
    await reads.book.wait_until_read([A])
    assert reads.calls[LIST] == 1


def test_a_cancelled_first_reading_is_made_by_its_waiter() -> None:
    async def main() -> None:
        reads = slow_desk()
        reading = asyncio.ensure_future(reads.book.read())
        waiting = asyncio.ensure_future(reads.book.wait_until_read([C]))
        await asyncio.sleep(500)
        reading.cancel()
        await waiting
        assert reading.cancelled() and reads.book.known(C)

    run(main())


# Requests


def exported_requests(aws: FakeAws) -> dict[tuple[str, str], float]:
    """Return the exported requests by region and service code."""
    samples = (one for family in aws.registry.collect() for one in family.samples)
    requests = [one for one in samples if one.name == "headroom_quota_request"]
    found = {(one.labels["aws_region"], one.labels["service_code"]): one.value for one in requests}
    assert len(found) == len(requests)
    return found


async def test_the_requests_for_the_quotas_are_known() -> None:
    reads = QuotaReads(ServiceQuotas({A: 3.0}, requests={A: 9.0, code(9): 5.0}), A, B)
    assert reads.book.requests is None
    await reads.book.read()
    of_others = code(9)  # quotas that no signal declares have series, too
    assert reads.book.requests == {
        RequestedQuota(A): QuotaRequest(9.0, "PENDING", None),
        RequestedQuota(of_others): QuotaRequest(5.0, "PENDING", None),
    }
    assert reads.book.request_for(A) == QuotaRequest(9.0, "PENDING", None)
    assert (reads.book.request_for(B), reads.book.request_for(None)) == (None, None)
    labels = {"aws_account": ACCOUNT_ID, "aws_region": "eu-west-1", "service_code": A.service}
    exported = {**labels, "quota_code": A.code, "context_id": "", "status": "PENDING"}
    assert reads.aws.registry.get_sample_value("headroom_quota_request", exported) == 9.0


async def test_a_history_that_fails_affects_the_requests_alone_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reads = QuotaReads(
        ServiceQuotas({A: 3.0}, requests={A: 9.0}, denials={HISTORY: "AccessDeniedException"}), A
    )
    for _ in range(2):
        await reads.book.read()
    assert (reads.book.requests, reads.book.request_for(A)) == (None, None)
    assert (reads.book.failures_of([A]), reads.book.known(A)) == ([], KnownQuota({APPLIED: 3.0}, NOW))
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
    regional = replace(reads.aws.cell, region="us-east-1")
    for cell in (regional, replace(regional, scope=ServiceScope.GLOBAL)):
        await QuotaBook(cell, [A]).read()
    both = {("us-east-1", "lambda"): 9.0, ("global", "iam"): 9.0}
    assert exported_requests(reads.aws) == both
    regional.telemetry.forget(*regional.key, [])
    assert exported_requests(reads.aws) == both


def test_a_pending_request_is_looked_at_every_hour() -> None:
    async def main() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}, requests={A: 9.0}), A)
        for after, expected in ((0, {LIST: 1, HISTORY: 1}), (3599, {}), (1, {HISTORY: 1})):
            await asyncio.sleep(after)
            await reads.book.read()
            assert reads.calls == expected

    run(main())


def test_the_quotas_of_a_service_are_read_every_hour_for_six_hours_after_an_approval() -> None:
    async def main() -> None:
        reads = QuotaReads(ServiceQuotas({A: 3.0}), A)
        approved = {"ServiceCode": A.service, "QuotaCode": A.code, "DesiredValue": 9.0, "Status": "APPROVED"}
        reads.service.decided = [{**approved, "LastUpdated": datetime.fromtimestamp(NOW, UTC)}]
        await reads.book.read()
        assert (reads.book.approved_services, reads.calls[LIST]) == ({A.service}, 1)
        numbers = []
        for hour in range(1, 12):
            reads.aws.now = NOW + hour * 3600
            await asyncio.sleep(3600)
            await reads.book.read()
            numbers.append(reads.calls[LIST])
        assert numbers == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]

    run(main())
