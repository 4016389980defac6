"""A cell, one account in one region or its global services: its clients, rate limits and call counters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from random import uniform
from typing import Any, TypeVar

from aiobotocore.config import AioConfig
from botocore import xform_name
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, EndpointConnectionError

from collectors.base import GLOBAL_REGION, ServiceScope
from collectors.errors import ResourceNotFoundError, ServiceNotOfferedError
from monitor.aws import pagination
from monitor.aws.billing import (
    LIST_METRICS,
    CountBilledCall,
    bill_nothing,
    billing,
    grant_all,
    requested_metrics,
)
from monitor.aws.call_rate import LoweredRate
from monitor.aws.clients import CLIENT_CONFIG, ClientCache, sign_with
from monitor.aws.clock import AwsClock, date_header
from monitor.aws.credentials import Credentials
from monitor.aws.failure import (
    AWS_ERRORS,
    CALL_TIMEOUT,
    error_code,
    is_credentials_error,
    is_retryable,
    is_unknown_host,
    with_operation_name,
)
from monitor.aws.failure_class import FailureClass, classify
from monitor.aws.not_found import not_found_code, not_found_error
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.region_check import RegionCheck, RegionDisabledError
from monitor.aws.telemetry import AwsTelemetry
from monitor.aws.turns import CallTurns
from monitor.lib.partitions import partition_of

Response = TypeVar("Response")

DEFAULT_RATE = 10.0  # calls per second to a service that declares no rate
MAX_ATTEMPTS = 4  # at one call, the first attempt included
# Classes of the errors with which calls in a disabled region fail. They can have other causes.
DISABLED_REGION_CLASSES = frozenset({FailureClass.CREDENTIALS, FailureClass.DISABLED})
MAX_BACKOFF = 20.0  # seconds; each wait takes a random 25 to 50 % of the backoff

# Services whose call limits hold for an account in all regions together: STS and S3's list of buckets are
# global, and API Gateway's management calls are limited "per account".
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
ACCOUNT_WIDE_SERVICES = frozenset({"apigateway", "apigatewayv2", "s3", "sts"})


def _own_limiters(_: str) -> dict[str, RateLimiter]:
    """Return an empty table of limiters, which no other cell shares."""
    return {}


@dataclass(eq=False)
class Cell:
    """One account in one region, or its global services: signs, limits, retries and counts calls to AWS.

    credentials: the credentials that sign the cell's calls. region: the region that the cell calls; for
    global services, the home region of the partition. rates: calls per second by `service` or
    `service:Operation`, from the collectors' declarations. clients: botocore's clients, which other cells may
    share. account_limiters: the rate limiters of ACCOUNT_WIDE_SERVICES, shared by all cells of the account.
    limiters: the rate limiters of other services, shared by the account's cells that call the same region.
    limiters_of: returns the rate limiters of another region. scope: the scope of the collectors that run in
    the cell. max_attempts: attempts at one call, the first attempt included. grant_metrics: reserves a number
    of metrics for a request of GetMetricData, and yields how many metrics the request may have.
    other_regions: other regions of the account, in which its credentials are accepted: see `RegionCheck`.
    signer: the monitoring account whose credentials sign the calls, and which pays for them; empty when the
    account's own credentials do. collector_states: the state that a collector carries from one inventory to
    the next, by class. account_states: the state that collectors share among all cells of the account, by
    class. call_turns: chooses the calls about single resources that an inventory makes, in all regions that
    the cell calls. has_succeeded: whether any call succeeded, by the service that the calls are charged to; a
    service without a call is missing. clock: AWS's time, from the responses of GetMetricData and from all
    error responses.
    """

    credentials: Credentials
    account: str
    region: str
    telemetry: AwsTelemetry
    rates: Mapping[str, float]
    endpoint_url: str | None = None
    clients: ClientCache = field(default_factory=ClientCache)
    account_limiters: dict[str, RateLimiter] = field(default_factory=dict)
    limiters: dict[str, RateLimiter] = field(default_factory=dict)
    scope: ServiceScope = ServiceScope.REGION
    max_attempts: int = MAX_ATTEMPTS
    signer: str = ""
    other_regions: Sequence[str] = ()
    limiters_of: Callable[[str], dict[str, RateLimiter]] = field(default=_own_limiters, kw_only=True)
    grant_metrics: Callable[[int], AbstractAsyncContextManager[int]] = field(default=grant_all, kw_only=True)
    region_check: RegionCheck = field(init=False)
    account_states: dict[type[Any], Any] = field(default_factory=dict, kw_only=True)
    collector_states: dict[type[Any], Any] = field(default_factory=dict, init=False)
    call_turns: CallTurns = field(default_factory=CallTurns, init=False)
    has_succeeded: dict[str, bool] = field(default_factory=dict, init=False)
    clock: AwsClock = field(default_factory=AwsClock, init=False)
    _responding_services: set[str] = field(default_factory=set, init=False)  # services that have responded
    _other_cells: dict[str, "Cell"] = field(default_factory=dict, init=False)  # by region

    def __post_init__(self) -> None:
        self.region_check = RegionCheck(self.region, self.other_regions)
        partition = partition_of(self.region).name
        self.telemetry.partitions |= dict.fromkeys((self.account, self.signing_account), partition)

    def set_grant(self, grant: Callable[[int], AbstractAsyncContextManager[int]]) -> None:
        """Have `grant` reserve the metrics that are requested from now on; see `grant_metrics`."""
        self.grant_metrics = grant

    def in_region(self, region: str) -> "Cell":
        """Return the cell that calls another region with the same credentials; create it only once."""
        if region == self.region:
            return self
        if region not in self._other_cells:
            cell = replace(self, region=region, limiters=self.limiters_of(region))
            cell.clock, cell.call_turns = self.clock, self.call_turns
            cell.has_succeeded = self.has_succeeded
            self._other_cells[region] = cell
        return self._other_cells[region]

    @property
    def key(self) -> tuple[str, str]:
        """The account's id, and the region as in labels: GLOBAL_REGION for global services."""
        return self.account, GLOBAL_REGION if self.scope is ServiceScope.GLOBAL else self.region

    @property
    def signing_account(self) -> str:
        """The id of the account whose credentials sign the calls, and which pays for them."""
        return self.signer or self.account

    async def client(self, service: str, config: AioConfig = CLIENT_CONFIG) -> Any:
        """Return the client of a service in the region. Use it only through `call_with_retries`."""
        return await self.clients.get(service, self.region, self.endpoint_url, config)

    async def call(
        self, service: str, operation: str, *, charged_to: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Make one call, limit its rate, retry it if a retry may succeed, and count its attempts.

        charged_to: the service to which the call is charged; None: the service that is called.
        Raises one of AWS_ERRORS; ResourceNotFoundError if the resource that the call names does not exist.
        """
        charged_service = service if charged_to is None else charged_to
        self.has_succeeded.setdefault(charged_service, False)
        with with_operation_name(operation):
            method = getattr(await self.client(service), xform_name(operation))
        bill = partial(self._bill, service, operation, params, charged_service)
        response: dict[str, Any] = await self.call_with_retries(
            service, operation, partial(method, **params), bill
        )
        self.has_succeeded[charged_service] = True
        return response

    def _bill(self, service: str, operation: str, params: Mapping[str, Any], charged_service: str) -> None:
        """Count the metrics or the listing that AWS bills for an attempt."""
        owner = self.signing_account, self.key[1], charged_service
        if metrics := requested_metrics(service, operation, params):
            self.telemetry.count_requested_metrics(*owner, metrics)
        elif (service, operation) == LIST_METRICS:
            self.telemetry.count_metric_listing(*owner)

    async def paginate(
        self,
        service: str,
        operation: str,
        first: Mapping[str, Any] | None = None,
        *,
        charged_to: str | None = None,
        **params: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the response of each page. first: see `collectors.base.Aws`. Raises the errors of `call`."""
        call = partial(self.call, service, operation, charged_to=charged_to)
        with with_operation_name(operation):
            tokens = await self.clients.pagination(service, operation)
            max_pages = pagination.MAX_PAGES_OF_OPERATION.get(operation, pagination.MAX_PAGES)
            async for response in pagination.paginate(call, tokens, first or {}, params, max_pages):
                yield response

    async def list_items(
        self,
        service: str,
        operation: str,
        key: str,
        first: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page. See `paginate` for parameters and errors."""
        async for response in self.paginate(service, operation, first, **params):
            for item in response.get(key) or ():
                yield item

    async def call_with_retries(
        self,
        service: str,
        operation: str,
        send: Callable[[], Awaitable[Response]],
        count_billed_call: CountBilledCall = bill_nothing,
    ) -> Response:
        """Send a request, up to `max_attempts` times; each attempt is rate limited, signed and counted.

        count_billed_call: called for each attempt that AWS may have billed, including a cancelled attempt.
        CALL_TIMEOUT limits the time of all attempts together, without the waits for the limiter and between
        attempts. Raises one of AWS_ERRORS, or the error that `send` raises for a response of an unexpected
        form. Raises RegionDisabledError without a call if the region is known not to be enabled.
        """
        if self.region_check.disabled.is_set():
            raise RegionDisabledError(region=self.region)
        clock, seconds_in_flight = asyncio.get_running_loop().time, 0.0
        for attempt in range(1, self.max_attempts + 1):
            await self._limiter(service, operation).acquire()
            credentials = await self.credentials.frozen()
            await self.clients.turns.wait()
            started_at = clock()
            try:
                with with_operation_name(operation), sign_with(credentials), billing(count_billed_call):
                    async with asyncio.timeout(CALL_TIMEOUT - seconds_in_flight):
                        response = await send()
            except Exception as error:
                self._record_failure(service, operation, error, started_at)
                if not_found := await self._not_found_error(service, operation, error):
                    raise not_found from error
                if self._is_not_offered(service, error):
                    raise ServiceNotOfferedError(endpoint_url=str(error)) from error
                if await self._is_region_disabled(error, credentials):
                    raise RegionDisabledError(region=self.region) from error
                seconds_in_flight += clock() - started_at
                is_last = attempt == self.max_attempts or seconds_in_flight >= CALL_TIMEOUT
                if is_last or not await self._prepare_retry(error, credentials, attempt):
                    raise
            else:
                self._record_success(service, operation, started_at)
                return response
        raise AssertionError("the last attempt returns or raises")

    def _record_failure(self, service: str, operation: str, error: Exception, sent_at: float) -> None:
        """Count a failed attempt; if AWS throttled it, lower the rate of the next calls."""
        self.telemetry.calls.labels(service, operation, error_code(error)).inc()
        if isinstance(error, ClientError):
            self.clock.observe(date_header(error.response))
            self._responding_services.add(service)
        if classify(error_code(error)) == FailureClass.THROTTLED:
            self._limiter(service, operation).rate.record_throttling(
                sent_at, asyncio.get_running_loop().time()
            )
            self._export_rate(service, operation)

    def _record_success(self, service: str, operation: str, sent_at: float) -> None:
        self.telemetry.calls.labels(service, operation, "").inc()
        self._responding_services.add(service)
        rate = self._limiter(service, operation).rate
        if rate.is_lowered:
            rate.record_success(sent_at, asyncio.get_running_loop().time())
            self._export_rate(service, operation)

    def _is_not_offered(self, service: str, error: Exception) -> bool:
        """Return whether a service's endpoint has no address, while other services of the region responded.

        Botocore's list of regions cannot tell: it names endpoints that do not exist. If this service
        responded before, its endpoint exists, and is only unreachable now. If no service of the region has
        responded yet, the resolver itself may be broken.
        """
        has_no_address = isinstance(error, EndpointConnectionError) and is_unknown_host(error)
        return has_no_address and bool(self._responding_services) and service not in self._responding_services

    async def _is_region_disabled(self, error: Exception, credentials: ReadOnlyCredentials) -> bool:
        is_possible = (
            isinstance(error, ClientError) and classify(error_code(error)) in DISABLED_REGION_CLASSES
        )
        return is_possible and await self.region_check.is_disabled(credentials, self._accepts)

    async def is_region_enabled(self) -> bool:
        """Check again whether the region is enabled. Raises one of AWS_ERRORS if there are no credentials."""
        return await self.region_check.is_enabled(await self.credentials.frozen(), self._accepts)

    async def _accepts(self, region: str, credentials: ReadOnlyCredentials) -> bool | None:
        """Return whether STS in a region accepts these credentials; None if STS does not say."""
        service, operation = "sts", "GetCallerIdentity"
        await self._limiter(service, operation).acquire()
        try:
            client = await self.clients.get(service, region, self.endpoint_url)
            with sign_with(credentials):
                async with asyncio.timeout(CALL_TIMEOUT):
                    await client.get_caller_identity()
        except AWS_ERRORS as error:
            self.telemetry.calls.labels(service, operation, error_code(error)).inc()
            return False if is_credentials_error(error) else None
        self.telemetry.calls.labels(service, operation, "").inc()
        return True

    async def _not_found_error(
        self, service: str, operation: str, error: Exception
    ) -> ResourceNotFoundError | None:
        if not not_found_code(error):
            return None
        return not_found_error(service, error, await self.clients.error_codes(service, operation))

    async def _prepare_retry(self, error: Exception, credentials: ReadOnlyCredentials, attempt: int) -> bool:
        """Refresh the credentials or wait, depending on the error. Return false if no retry can succeed."""
        if is_credentials_error(error):
            return await self.credentials.refresh(credentials, self.region)
        if not is_retryable(error):
            return False
        await asyncio.sleep(min(MAX_BACKOFF, 2**attempt) * uniform(0.25, 0.5))
        return True

    def _limiter(self, service: str, operation: str) -> RateLimiter:
        key, limiters = self._rate_key(service, operation), self._limiters(service)
        if key not in limiters:
            limiters[key] = RateLimiter(self.rates.get(key, DEFAULT_RATE))
        return limiters[key]

    def shared_limiter(self, name: str, rate: float) -> RateLimiter:
        """Return the limiter of this name. The account's cells that call the same region share it."""
        return self.limiters.setdefault(name, RateLimiter(rate))

    def share_of_rate(self, service: str, operation: str) -> float:
        """Return a call's present rate as a share of its highest rate; 1 while AWS does not throttle it."""
        rate = self._limiter(service, operation).rate
        return rate.present / rate.highest

    def _rate_key(self, service: str, operation: str) -> str:
        """Return the key under which `rates` has the rate of a call: the operation's, else the service's."""
        operation_key = f"{service}:{operation}"
        return operation_key if operation_key in self.rates else service

    def _limiters(self, service: str) -> dict[str, RateLimiter]:
        return self.account_limiters if service in ACCOUNT_WIDE_SERVICES else self.limiters

    def _export_rate(self, service: str, operation: str) -> None:
        """Export the present rate of the calls to a service that AWS has throttled."""
        key = self._rate_key(service, operation)
        region = "" if service in ACCOUNT_WIDE_SERVICES else self.region
        rate = self._limiter(service, operation).rate.present
        self.telemetry.call_rates.set(self.signing_account, region, key, rate)

    def lowered_rates(self) -> Iterator[LoweredRate]:
        """Yield the services and operations whose rate is lowered because AWS throttles their calls."""
        for key, limiter in {**self.account_limiters, **self.limiters}.items():
            if limiter.rate.is_lowered:
                service, _, operation = key.partition(":")
                yield LoweredRate(service, operation, limiter.rate.present, limiter.rate.highest)

    async def close(self) -> None:
        """Close the clients. Other cells that share these clients then create new clients."""
        await self.clients.aclose()
