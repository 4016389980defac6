"""The quotas of a cell: what Service Quotas says of them, and when it was read."""

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

QUOTA_INTERVAL = 6 * 3600.0  # seconds; a quota changes when somebody asks for it
# While a request is pending, and after an approval until the value has to be there, which takes hours.
REQUESTED_INTERVAL, APPROVAL_PERIOD = 3600.0, 6 * 3600.0
MAX_CODES = 4  # named in one sentence
REQUESTS_NOT_READ = "they have not been read yet"


@dataclass(frozen=True, slots=True)
class KnownQuota:
    """The value of a quota by its source, and when it was read, in epoch seconds.

    context: the account or resource that it holds for. resource_values: the values of the resources that have
    one of their own, by ARN. reading: the number of the reading that it is from, in its book.
    """

    values: QuotaValues
    read_at: float
    context: QuotaContext = NO_CONTEXT
    resource_values: Mapping[str, float] = field(default_factory=dict)
    reading: int = field(default=0, compare=False)

    def values_of(self, arn: str) -> QuotaValues:
        """Return the value for a resource by its source. arn: empty for a resource without its own value."""
        own = self.resource_values.get(arn)
        return self.values if own is None else {LimitSource.APPLIED: own}

    def arn_among(self, arns: Sequence[str]) -> str:
        """Return the ARN under which AWS knows the limit of a resource, and increases it; empty for none.

        arns: of the resource and those that it is a part of, the outermost first.
        """
        own = [arn for arn in arns if arn in self.resource_values]
        is_certain = self.context.level == RESOURCE_LEVEL and len(arns) == 1
        return own[-1] if own else arns[0] if is_certain else ""


class QuotaFailure(NamedTuple):
    """The failure of the last reading of a quota. reading: the number of that reading in its book."""

    failure: Failure
    reading: int


class LastReading(NamedTuple):
    """The last reading of a service code: its number, and when it began by the event loop's clock."""

    number: int
    started_at: float


class QuotaBook:
    """The quotas of one cell, read in bulk and seldom.

    quotas: those that are read. interval: seconds from one reading of a service code to the next; one that
    failed is due at once. A value stays known until a later one is read. on_demand: a service code is read
    once an inventory waits for it, as a service that is not in use needs no quotas.
    requests: the requests for an increase, pending or decided lately; None while they are unknown. While one
    is pending, and after an approval, what can change is read every REQUESTED_INTERVAL. requests_version
    grows when they change.
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
        # The service codes that are read, in order.
        self._wanted: dict[str, None] = {} if on_demand else dict.fromkeys(self._quotas)
        self._known: dict[Quota, KnownQuota] = {}
        self._failures: dict[Quota, QuotaFailure] = {}
        self._absent: dict[Quota, int] = {}  # with the number of the reading
        self._last: dict[str, LastReading] = {}  # by service code
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._readings = 0
        self.requests: Mapping[RequestedQuota, QuotaRequest] | None = None
        self.requests_version = 0
        self._requests_read_at: float | None = None
        self._requests_lock = asyncio.Lock()
        self._requests_failure: Failure | None = None

    def known(self, quota: Quota) -> KnownQuota | None:
        """Return the value of a quota that was read last; None if none ever was."""
        return self._known.get(quota)

    def request_for(self, quota: Quota | None, arn: str = "") -> QuotaRequest | None:
        """Return the newest request for a quota of a resource, or of all; None without a known one.

        arn: of the resource, where it has a value of its own.
        """
        if quota is None or not self.requests:
            return None
        return self.requests.get(RequestedQuota(quota, arn)) or self.requests.get(RequestedQuota(quota))

    @property
    def approved_services(self) -> Set[str]:
        """The service codes of quotas that AWS has agreed to increase in the last APPROVAL_PERIOD."""
        since = self._cell.clock.now() - APPROVAL_PERIOD
        return {
            requested.quota.service
            for requested, request in (self.requests or {}).items()
            if request.status == APPROVED and (request.updated or 0.0) > since
        }

    def failures_of(self, quotas: Iterable[Quota]) -> list[QuotaFailure]:
        """Return the failures of these quotas at their last reading, by service code and code.

        Those that AWS does not have are one failure for each service code.
        """
        ordered = sorted({*quotas}, key=lambda one: (one.service, one.code))
        absent = defaultdict[str, list[Quota]](list)
        for quota in ordered:
            if quota in self._absent:
                absent[quota.service].append(quota)
        return [self._failures[quota] for quota in ordered if quota in self._failures] + [
            QuotaFailure(_absence(service_code, some), max(self._absent[quota] for quota in some))
            for service_code, some in absent.items()
        ]

    async def wait_until_read(self, quotas: Iterable[Quota]) -> None:
        """Wait until these quotas were read once, or could not be; read them if nobody does."""
        service_codes = {quota.service for quota in quotas} & self._quotas.keys() - self._last.keys()
        if service_codes - self._wanted.keys():
            self._wanted |= dict.fromkeys(service_codes)
            await self._read_requests()
        await asyncio.gather(*(self._read_if_due(code, None) for code in service_codes))

    async def read(self) -> None:
        """Read what is due: the service codes, each in a few calls, and the requests."""
        readings = [self._read_if_due(code, self._last.get(code)) for code in self._wanted]
        await asyncio.gather(self._read_requests(), *readings)

    def _is_due(self, service_code: str) -> bool:
        last = self._last.get(service_code)
        has_failed = not self._quotas[service_code].isdisjoint(self._failures)
        return has_failed or self._is_old(last and last.started_at, service_code in self.approved_services)

    def _is_old(self, read_at: float | None, may_change: bool) -> bool:
        interval = min(self._interval, REQUESTED_INTERVAL) if may_change else self._interval
        return read_at is None or asyncio.get_running_loop().time() - read_at >= interval

    async def _read_if_due(self, service_code: str, last: LastReading | None) -> None:
        """Read what is due, unless it was read after `last`, the newest reading when this was asked for."""
        async with self._locks[service_code]:
            was_read_meanwhile = self._last.get(service_code) != last
            if not was_read_meanwhile and self._is_due(service_code):
                await self._read_service_code(service_code)

    async def _read_service_code(self, service_code: str) -> None:
        started_at, quotas = asyncio.get_running_loop().time(), self._quotas[service_code]
        applied = {
            quota for quota in quotas & self._known.keys() if LimitSource.APPLIED in self._known[quota].values
        }
        reading = await self._read_quotas(service_code, quotas, applied)
        self._readings += 1
        now = self._cell.clock.now()
        self._known |= {
            quota: KnownQuota(values, now, *self._context_and_values(reading, quota), self._readings)
            for quota, values in reading.values.items()
        }
        for quota in quotas:
            self._failures.pop(quota, None)
            self._absent.pop(quota, None)
        self._absent |= dict.fromkeys(reading.absent, self._readings)
        self._failures |= {
            quota: QuotaFailure(failure, self._readings) for quota, failure in reading.failures.items()
        }
        self._last[service_code] = LastReading(self._readings, started_at)

    async def _read_quotas(self, service_code: str, quotas: Set[Quota], applied: Set[Quota]) -> QuotaReading:
        """Read quotas of a service code; `applied` as in `read_quotas`."""
        return await read_quotas(self._cell, service_code, quotas, applied)

    def _context_and_values(
        self, reading: QuotaReading, quota: Quota
    ) -> tuple[QuotaContext, Mapping[str, float]]:
        """Return the context of a quota, and the values of resources: the last ones if they were not read."""
        last = self._known.get(quota)
        if quota in reading.contexts:
            before = last.resource_values if last else {}
            return reading.contexts[quota], reading.resource_values.get(quota, before)
        return NO_CONTEXT, {}

    @property
    def requests_unknown(self) -> str:
        """The reason why the requests are unknown, as a part of a sentence; empty where they are known."""
        if self.requests is not None:
            return ""
        return self._requests_failure.sentence if self._requests_failure else REQUESTS_NOT_READ

    async def _read_requests(self) -> None:
        """Read the requests if they are due. After a failure, nothing but the requests is unknown."""
        async with self._requests_lock:
            any_pending = any(request.pending for request in (self.requests or {}).values())
            if self._wanted and self._is_old(self._requests_read_at, any_pending):
                await self._list_requests()

    async def _list_requests(self) -> None:
        started_at = asyncio.get_running_loop().time()
        try:
            requests = await newest_requests(Scan(self._cell))
        except Exception as error:  # of AWS or of an unexpected response
            self._forget_requests(failure_from(error))
        else:
            self.requests_version += requests != self.requests
            self.requests, self._requests_failure = requests, None
            self._requests_read_at = started_at
            self._cell.telemetry.quota_requests.replace(self._cell.key, self._cell.region, requests)

    def _forget_requests(self, failure: Failure) -> None:
        """Note that the requests are unknown. The reason is logged when it is a new one."""
        if failure != self._requests_failure:
            log.info("%s: quota requests are unknown: %s", "/".join(self._cell.key), failure.sentence)
        self.requests_version += self.requests is not None
        self.requests, self._requests_read_at, self._requests_failure = None, None, failure
        self._cell.telemetry.quota_requests.forget(*self._cell.key)


def _absence(service_code: str, quotas: Sequence[Quota]) -> Failure:
    """Return that AWS does not have some quotas of a service code, of which it names the first."""
    codes = [quota.code for quota in quotas]
    more = f" and {len(codes) - MAX_CODES} more" if len(codes) > MAX_CODES else ""
    sentence = f"{service_code} has no quota {', '.join(codes[:MAX_CODES])}{more} in this region"
    return Failure(LIST_OPERATIONS[LimitSource.DEFAULT], "", NO_SUCH_QUOTA, sentence)
