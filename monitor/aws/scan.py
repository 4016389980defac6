"""One run of a collector's scan function in a cell: the AWS calls of the run, and their failures."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Container,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
    Set,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from collectors.base import Observed, Resource, ServiceScope
from collectors.errors import NotReadYetError, ResourceNotFoundError
from collectors.resource import ResourcePath, TypedPath
from monitor.aws.billing import requested_metrics
from monitor.aws.cell import Cell
from monitor.aws.failure import AWS_ERRORS, Failure, failure_from
from monitor.aws.service_use import ServiceUse
from monitor.aws.turns import ServiceTurns, Urgency
from monitor.lib.concurrent_map import concurrent_map
from monitor.lib.partitions import partition_of
from rules.signals import Quota

Item = TypeVar("Item")
Response = TypeVar("Response")
State = TypeVar("State")
Value = TypeVar("Value")

# When an earlier inventory read the limits, in epoch seconds; or a function that returns this for a signal's
# id. None: the present inventory read them.
LimitReadAt = Callable[[str], float | None] | float | None

MAX_CONCURRENT_ITEMS = 8  # per scan
BELOW_BAND_INTERVAL = 3600.0  # seconds for which a response about a resource below its band is reused


class ScanMemory(Protocol):
    """The series that earlier scans made of AWS's answers. subject: identifies the series in a scan."""

    def confirm_if_unchanged(self, subject: Hashable, answers_digest: int, read_at: LimitReadAt) -> bool:
        """Confirm the series that an earlier scan made of equal answers; return whether there are any.

        read_at: when the limits of the series were read.
        """
        ...

    def note(self, subject: Hashable, answers_digest: int, made: Sequence[Observed]) -> None:
        """Record the series that were made of the answers about a subject."""
        ...


@dataclass(slots=True)
class Scan:
    """Implements `collectors.base.Aws` for one scan of a cell, and collects its failures.

    service: the collector's service, for which the metrics that the scan requests are counted. not_found: the
    kinds and paths of resources that were deleted after they were listed. includes, has_own_limit,
    declared_quotas, quota_services_in_use, quota_services_with_approvals, reads_quotas_of: see
    `collectors.base.Aws`. use: whether the service is in use, which all scans of the service find out
    together; None: it is taken to be in use. doubted_paths: paths of resources that are read in any case, as
    their limits may be wrong. below_band: paths of resources below their band, which are described less
    often. waiting: paths of resources that wait for their turn to be read. known_series: the series that
    earlier scans made; None: make all series.
    """

    cell: Cell
    service: str = ""
    failures: list[Failure] = field(default_factory=list)
    not_found: set[TypedPath] = field(default_factory=set)
    includes: Callable[[str, Resource], bool] = lambda signal, resource: True
    has_own_limit: Callable[[str, Resource], bool] = lambda signal, resource: False
    declared_quotas: Set[Quota] = frozenset()
    quota_services_in_use: Set[str] = frozenset()
    quota_services_with_approvals: Set[str] = frozenset()
    reads_quotas_of: Callable[[str], bool] = lambda service_code: True
    use: ServiceUse | None = None
    doubted_paths: Set[ResourcePath] = frozenset()
    below_band: Container[ResourcePath] = frozenset()
    waiting: set[ResourcePath] = field(default_factory=set)
    known_series: ScanMemory | None = None
    _has_listed: bool = field(default=False, init=False)

    @property
    def account(self) -> str:
        """The account's 12-digit id."""
        return self.cell.account

    @property
    def region(self) -> str:
        """The region that calls go to."""
        return self.cell.region

    @property
    def partition(self) -> str:
        """The partition as in ARNs."""
        return partition_of(self.cell.region).name

    @property
    def home_region(self) -> str:
        """The home region of the partition."""
        return partition_of(self.cell.region).home_region

    @property
    def now(self) -> float:
        """The time in epoch seconds, by the cell's clock."""
        return self.cell.clock.now()

    def state(self, kind: type[State]) -> State:
        """Return the object of a class that the scans of the cell share; created at first use."""
        state: State = self.cell.collector_states.setdefault(kind, kind())
        return state

    @property
    def is_global(self) -> bool:
        """True in the cell of global services."""
        return self.cell.scope is ServiceScope.GLOBAL

    def account_state(self, kind: type[State]) -> State:
        """Return the object of a class that the scans of all cells of the account share."""
        state: State = self.cell.account_states.setdefault(kind, kind())
        return state

    def in_region(self, region: str) -> "Scan":
        """Return a copy of the scan whose calls go to another region."""
        return replace(self, cell=self.cell.in_region(region))

    @property
    def _turns(self) -> ServiceTurns:
        return self.cell.call_turns.of(self.service)

    async def in_turn(
        self,
        key: Hashable,
        resource: Resource,
        read: Callable[[], Awaitable[Value]],
        every: float = 0.0,
        *,
        is_shared: bool = False,
    ) -> Value:
        """Return the result of `read`, from a call now or from the last call; see `collectors.base.Aws`."""
        if every < BELOW_BAND_INTERVAL and not is_shared and resource.utf8_safe.path in self.below_band:
            every = BELOW_BAND_INTERVAL
        return await self._turns.read(key, read, self.now, every, self._urgency_of(resource))

    def _urgency_of(self, resource: Resource) -> Urgency:
        """Return the urgency of a call: at once for resources with a doubted limit, and for their parents."""
        path = resource.utf8_safe.path
        if path in self.doubted_paths or (
            path and any(path == doubted[: len(path)] for doubted in self.doubted_paths)
        ):
            return Urgency.AT_ONCE
        return Urgency.IN_TURN if path else Urgency.ALWAYS

    def may_call_now(self, key: Hashable, resource: Resource) -> bool:
        """Return whether this inventory is to make a call about a resource."""
        return self._turns.may_call_now(key, self.now, self._urgency_of(resource))

    def read_at(self, key: Hashable) -> float | None:
        """Return when an earlier inventory read the value of a key of `in_turn`; None: this one read it."""
        return self._turns.made_earlier_at(key)

    def series(
        self,
        subject: Hashable,
        answers: Any,
        make: Callable[[], Iterable[Observed]],
        read_at: LimitReadAt = None,
    ) -> Iterable[Observed]:
        """Return the series that `make` makes; none if equal answers made them before, see `Aws.series`."""
        memory = self.known_series
        digest = hash(repr(answers)) if memory else 0
        if memory and memory.confirm_if_unchanged(subject, digest, read_at):
            return ()
        made = [*make()]
        if isinstance(read_at, float):
            made = [replace(observed, limit_read_at=read_at) for observed in made]
        if memory:
            memory.note(subject, digest, made)
        return made

    def mark_waiting(self, resource: Resource) -> None:
        """Record that a resource waits for its turn to be read."""
        self.waiting.add(resource.utf8_safe.path)

    def record_resource(self) -> None:
        """Record that the service has a resource here."""
        if self.use:
            self.use.record_resource()

    async def is_in_use(self) -> bool:
        """Return whether the service has a resource here, or may have one because a list failed."""
        self.record_listed()
        return await self.use.wait() if self.use else True

    def record_listed(self) -> None:
        """Record once that the scan has listed all resources. A failed list may have hidden a resource."""
        if self.use and not self._has_listed:
            self._has_listed = True
            if self.failures:
                self.use.record_resource()
            self.use.record_listed()

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call, and count its billed metrics for the scan's service.

        Raises NotReadYetError while the budget does not allow the metrics of a GetMetricData.
        """
        async with self._within_budget(service, operation, params):
            return await self.cell.call(service, operation, charged_to=self.service, **params)

    async def paginate(
        self, service: str, operation: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the response of every page. Raises as `call` does."""
        async with self._within_budget(service, operation, params):
            pages = self.cell.paginate(service, operation, first, charged_to=self.service, **params)
            async for page in pages:
                yield page

    async def list_items(
        self, service: str, operation: str, key: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page. Raises as `call` does."""
        async for page in self.paginate(service, operation, first, **params):
            for item in page.get(key) or ():
                yield item

    @asynccontextmanager
    async def _within_budget(
        self, service: str, operation: str, params: Mapping[str, Any]
    ) -> AsyncIterator[None]:
        """Reserve budget for the metrics that a GetMetricData requests, counted as AWS bills them."""
        if not (metrics := requested_metrics(service, operation, params)):
            yield
            return
        async with self.cell.grant_metrics(metrics) as granted:
            if granted < metrics:
                raise NotReadYetError("it is read as soon as the budget allows it")
            yield

    async def try_call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call; a failure is recorded, and `{}` is returned."""
        try:
            return await self.call(service, operation, **params)
        except ResourceNotFoundError:
            return {}
        except AWS_ERRORS as error:
            self.failures.append(failure_from(error, operation))
            return {}

    async def map(
        self,
        items: Iterable[Item] | AsyncIterator[Item],
        call: Callable[[Item], Awaitable[Response]],
        resource: Callable[[Item], Resource],
    ) -> AsyncIterator[tuple[Item, Response]]:
        """Yield each item with the result of its call; failures are recorded, see `collectors.base.Aws`."""

        async def call_one(item: Item) -> tuple[Item, Response] | None:
            try:
                return item, await call(item)
            except ResourceNotFoundError:
                self.not_found.add(resource(item).utf8_safe.typed_path)
                return None
            except NotReadYetError:
                self.mark_waiting(resource(item))
                return None
            except Exception as error:
                self.failures.append(failure_from(error, resource=resource(item)))
                return None

        async for result in concurrent_map(call_one, items, MAX_CONCURRENT_ITEMS):
            if result:
                yield result
