"""The quotas of a cell: their values in Service Quotas, and when these were read."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.quota_requests import APPROVED, QuotaRequest, RequestedQuota, newest_requests
from collectors.quotas import (
    LIST_OPERATIONS,
    NO_CONTEXT,
    NO_SUCH_QUOTA,
    RESOURCE_LEVEL,
    QuotaContext,
    QuotaValues,
)
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, failure_from
from monitor.aws.scan import Scan
from monitor.polling.quota_reading import QuotaReading, read_quotas
from rules.limits import LimitSource
from rules.signals import Quota

log = logging.getLogger(__name__)

QUOTA_INTERVAL = 6 * 3600.0  # seconds; a quota changes only after a request
# Seconds between readings while a request is pending, and after its approval: AWS takes hours to apply it.
REQUESTED_INTERVAL = 3600.0
APPROVAL_PERIOD = 6 * 3600.0  # seconds after an approval in which quotas are read every REQUESTED_INTERVAL
MAX_CODES = 4  # quota codes named in one sentence
REQUESTS_NOT_READ = "they have not been read yet"


@dataclass(frozen=True, slots=True)
class KnownQuota:
    """The last known value of a quota.

    values: the value, by source. read_at: in epoch seconds. context: the account or resource that the value
    applies to. resource_values: values that apply to a single resource, by the resource's ARN. reading: the
    number, in its book, of the reading that returned the value.
    """

    values: QuotaValues
    read_at: float
    context: QuotaContext = NO_CONTEXT
    resource_values: Mapping[str, float] = field(default_factory=dict)
    reading: int = field(default=0, compare=False)

    def values_of(self, arn: str) -> QuotaValues:
        """Return the value for a resource, by source. arn: empty for a resource without its own value."""
        resource_value = self.resource_values.get(arn)
        return self.values if resource_value is None else {LimitSource.APPLIED: resource_value}

    def arn_among(self, arns: Sequence[str]) -> str:
        """Return the ARN that has the quota of a resource in AWS; empty if it is not certain.

        A request to increase the quota names this ARN. arns: the ARNs of the resource and of the resources
        that contain it, the outermost first.
        """
        arns_with_value = [arn for arn in arns if arn in self.resource_values]
        if arns_with_value:
            return arns_with_value[-1]
        is_certain = self.context.level == RESOURCE_LEVEL and len(arns) == 1
        return arns[0] if is_certain else ""


class QuotaFailure(NamedTuple):
    """A failure to read a quota. reading: the number of the failed reading in its book."""

    failure: Failure
    reading: int


class LastReading(NamedTuple):
    """The last reading of a service code. started_at: by the event loop's clock."""

    number: int
    started_at: float


class QuotaBook:
    """The quotas of one cell, and the requests to increase them, read in bulk and at long intervals.

    quotas: the quotas to read. interval: seconds between two readings of a service code; after a failed
    reading, the next is due at once. A known value stays until a later one is read. on_demand: do not read
    a service code before an inventory waits for it, as a service that is not in use needs no quotas.
    requests: pending and recently decided requests for an increase; None while they are unknown. They are
    read every REQUESTED_INTERVAL while one is pending; so are the quotas of a service code after an approval.
    requests_version: grows when the requests change.
    """

    def __init__(
        self,
        cell: Cell,
        quotas: Iterable[Quota],
        interval: float = QUOTA_INTERVAL,
        on_demand: bool = False,
    ) -> None:
        self._cell, self._interval = cell, interval
        self._quotas: dict[str, set[Quota]] = {}
        for quota in quotas:
            self._quotas.setdefault(quota.service, set()).add(quota)
        # The service codes to read, as an ordered set.
        self._service_codes: dict[str, None] = {} if on_demand else dict.fromkeys(self._quotas)
        self._known_quotas: dict[Quota, KnownQuota] = {}
        self._failures: dict[Quota, QuotaFailure] = {}
        # By quota that AWS does not have, the number of the last reading.
        self._absent_quotas: dict[Quota, int] = {}
        self._last_readings: dict[str, LastReading] = {}  # by service code
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._reading_count = 0
        self.requests: Mapping[RequestedQuota, QuotaRequest] | None = None
        self.requests_version = 0
        self._requests_read_at: float | None = None
        self._requests_lock = asyncio.Lock()
        self._requests_failure: Failure | None = None

    def last_known(self, quota: Quota) -> KnownQuota | None:
        """Return the last value of a quota; None if no value was ever read."""
        return self._known_quotas.get(quota)

    def request_for(self, quota: Quota | None, arn: str = "") -> QuotaRequest | None:
        """Return the newest request for a quota of a resource, or else of the account; None if none is known.

        arn: the resource's ARN, if the resource has a value of its own.
        """
        if quota is None or not self.requests:
            return None
        return self.requests.get(RequestedQuota(quota, arn)) or self.requests.get(RequestedQuota(quota))

    @property
    def approved_services(self) -> Set[str]:
        """The service codes of the requests that AWS approved in the last APPROVAL_PERIOD."""
        min_updated_at = self._cell.clock.now() - APPROVAL_PERIOD
        return {
            requested.quota.service
            for requested, request in (self.requests or {}).items()
            if request.status == APPROVED and (request.updated_at or 0.0) > min_updated_at
        }

    def failures_of(self, quotas: Iterable[Quota]) -> list[QuotaFailure]:
        """Return the failures of the last readings of these quotas, sorted by service code and quota code.

        The quotas that AWS does not have are one failure per service code.
        """
        ordered = sorted({*quotas}, key=lambda quota: (quota.service, quota.code))
        absent_by_service = defaultdict[str, list[Quota]](list)
        for quota in ordered:
            if quota in self._absent_quotas:
                absent_by_service[quota.service].append(quota)
        failures = [self._failures[quota] for quota in ordered if quota in self._failures]
        for service_code, absent in absent_by_service.items():
            reading = max(self._absent_quotas[quota] for quota in absent)
            failures.append(QuotaFailure(_absence_failure(service_code, absent), reading))
        return failures

    async def wait_until_read(self, quotas: Iterable[Quota]) -> None:
        """Wait until these quotas were read once, or their reading failed; read them if no task does."""
        service_codes = {quota.service for quota in quotas} & self._quotas.keys() - self._last_readings.keys()
        if service_codes - self._service_codes.keys():
            self._service_codes |= dict.fromkeys(service_codes)
            await self._read_requests()
        await asyncio.gather(*(self._read_if_due(code, None) for code in service_codes))

    async def read(self) -> None:
        """Read the service codes that are due, each in a few calls, and the requests if these are due."""
        readings = [self._read_if_due(code, self._last_readings.get(code)) for code in self._service_codes]
        await asyncio.gather(self._read_requests(), *readings)

    def _is_due(self, service_code: str) -> bool:
        last = self._last_readings.get(service_code)
        has_failed = not self._quotas[service_code].isdisjoint(self._failures)
        return has_failed or self._is_old(last and last.started_at, service_code in self.approved_services)

    def _is_old(self, read_at: float | None, may_change: bool) -> bool:
        interval = min(self._interval, REQUESTED_INTERVAL) if may_change else self._interval
        return read_at is None or asyncio.get_running_loop().time() - read_at >= interval

    async def _read_if_due(self, service_code: str, last: LastReading | None) -> None:
        """Read a service code if it is due and was not read since `last`, the last reading the caller saw."""
        async with self._locks[service_code]:
            was_read_meanwhile = self._last_readings.get(service_code) != last
            if not was_read_meanwhile and self._is_due(service_code):
                await self._read_service_code(service_code)

    async def _read_service_code(self, service_code: str) -> None:
        started_at, quotas = asyncio.get_running_loop().time(), self._quotas[service_code]
        known = {quota: self._known_quotas[quota] for quota in quotas & self._known_quotas.keys()}
        applied = {quota for quota, last_known in known.items() if LimitSource.APPLIED in last_known.values}
        reading = await self._read_quotas(service_code, quotas, applied)
        self._reading_count += 1
        now = self._cell.clock.now()
        self._known_quotas |= {
            quota: KnownQuota(values, now, *self._context_and_values(reading, quota), self._reading_count)
            for quota, values in reading.values.items()
        }
        for quota in quotas:
            self._failures.pop(quota, None)
            self._absent_quotas.pop(quota, None)
        self._absent_quotas |= dict.fromkeys(reading.absent, self._reading_count)
        self._failures |= {
            quota: QuotaFailure(failure, self._reading_count) for quota, failure in reading.failures.items()
        }
        self._last_readings[service_code] = LastReading(self._reading_count, started_at)

    async def _read_quotas(self, service_code: str, quotas: Set[Quota], applied: Set[Quota]) -> QuotaReading:
        """Read quotas of a service code. applied: see `read_quotas`."""
        return await read_quotas(self._cell, service_code, quotas, applied)

    def _context_and_values(
        self, reading: QuotaReading, quota: Quota
    ) -> tuple[QuotaContext, Mapping[str, float]]:
        """Return the context of a quota, and its values for single resources.

        If these values could not be read, the last known values are returned.
        """
        last = self._known_quotas.get(quota)
        if quota in reading.contexts:
            last_values = last.resource_values if last else {}
            return reading.contexts[quota], reading.resource_values.get(quota, last_values)
        return NO_CONTEXT, {}

    @property
    def requests_unknown_reason(self) -> str:
        """The reason why the requests are unknown, as a part of a sentence; empty if they are known."""
        if self.requests is not None:
            return ""
        return self._requests_failure.sentence if self._requests_failure else REQUESTS_NOT_READ

    async def _read_requests(self) -> None:
        """Read the requests if they are due. A failure makes the requests unknown, and affects no quota."""
        async with self._requests_lock:
            has_pending = any(request.pending for request in (self.requests or {}).values())
            if self._service_codes and self._is_old(self._requests_read_at, has_pending):
                await self._list_requests()

    async def _list_requests(self) -> None:
        started_at = asyncio.get_running_loop().time()
        try:
            requests = await newest_requests(Scan(self._cell))
        except Exception as error:  # an error of AWS, or an unexpected response
            self._forget_requests(failure_from(error))
        else:
            self.requests_version += requests != self.requests
            self.requests, self._requests_failure = requests, None
            self._requests_read_at = started_at
            self._cell.telemetry.quota_requests.replace(self._cell.key, self._cell.region, requests)

    def _forget_requests(self, failure: Failure) -> None:
        """Make the requests unknown. The failure is logged if it differs from the last one."""
        if failure != self._requests_failure:
            log.info("%s: quota requests are unknown: %s", "/".join(self._cell.key), failure.sentence)
        self.requests_version += self.requests is not None
        self.requests, self._requests_read_at, self._requests_failure = None, None, failure
        self._cell.telemetry.quota_requests.forget(*self._cell.key)


def _absence_failure(service_code: str, quotas: Sequence[Quota]) -> Failure:
    """Return a failure that says that AWS does not have these quotas; it names the first ones."""
    codes = [quota.code for quota in quotas]
    more = f" and {len(codes) - MAX_CODES} more" if len(codes) > MAX_CODES else ""
    sentence = f"{service_code} has no quota {', '.join(codes[:MAX_CODES])}{more} in this region"
    return Failure(LIST_OPERATIONS[LimitSource.DEFAULT], "", NO_SUCH_QUOTA, sentence)
