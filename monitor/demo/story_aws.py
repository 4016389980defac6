"""Answers the calls of collectors' scans from story files, in this process."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Set
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from collectors.base import Observed, Resource
from collectors.resource import TypedPath
from monitor.aws.pagination import paginate
from monitor.demo.answers import AnswerKey, AnswerTable, MissingAnswerError, pagination
from monitor.demo.region import ACCOUNT, AwsResponseError
from rules.signals import Quota

Item = TypeVar("Item")
Response = TypeVar("Response")
State = TypeVar("State")


class StoryAws:
    """Implements `collectors.base.Aws` over the answers of a region. `map` leaves out items whose call fails.

    missing: the calls that had no answer.
    """

    account = ACCOUNT
    partition = "aws"
    home_region = "us-east-1"
    is_global = False
    declared_quotas: Set[Quota] = frozenset()
    quota_services_in_use: Set[str] = frozenset()
    quota_services_with_approvals: Set[str] = frozenset()

    def __init__(self, region: str, now: float, answers: AnswerTable) -> None:
        self.region, self.now, self._answers = region, now, answers
        self.not_found: set[TypedPath] = set()
        self.missing: list[AnswerKey] = []
        self._states: dict[type[Any], Any] = {}

    def has_own_limit(self, signal: str, resource: Resource) -> bool:
        """Return false: no configuration sets limits."""
        return False

    def includes(self, signal: str, resource: Resource) -> bool:
        """Return true: the demo excludes nothing."""
        return True

    def reads_quotas_of(self, service_code: str) -> bool:
        """Return true: a story file has no `global` region that would read quotas instead."""
        return True

    def in_region(self, _: str) -> "StoryAws":
        """Return itself: there are only the answers of one region."""
        return self

    def record_resource(self) -> None:
        """Do nothing: every service of the demo is in use."""

    async def is_in_use(self) -> bool:
        """Return true: every service of the demo is in use."""
        return True

    def state(self, kind: type[State]) -> State:
        """Return the object of a class that the scans share; created at first use."""
        state: State = self._states.setdefault(kind, kind())
        return state

    def account_state(self, kind: type[State]) -> State:
        """Return the same object as `state`: there is only one region."""
        return self.state(kind)

    async def in_turn(
        self,
        key: Hashable,
        resource: Resource,
        read: Callable[[], Awaitable[Response]],
        every: float = 0.0,
        *,
        is_shared: bool = False,
    ) -> Response:
        """Return what `read` returns: no resource waits for its turn."""
        return await read()

    def may_call_now(self, key: Hashable, resource: Resource) -> bool:
        """Return true: no call waits for its turn."""
        return True

    def read_at(self, key: Hashable) -> None:
        """Return None: there was no earlier inventory."""

    def series(
        self,
        subject: Hashable,
        answers: Any,
        make: Callable[[], Iterable[Observed]],
        read_at: Callable[[str], float | None] | float | None = None,
    ) -> Iterable[Observed]:
        """Return what `make` returns: there are no series of an earlier inventory."""
        return make()

    def mark_waiting(self, resource: Resource) -> None:
        """Do nothing: no resource waits for its turn."""

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Return the response to a call. Raises ClientError."""
        try:
            return dict(self._answers.respond(service, operation, params))
        except AwsResponseError as error:
            if isinstance(error, MissingAnswerError):
                self.missing.append(error.key)
            raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, operation) from None

    async def try_call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Return the response to a call; `{}` for an error."""
        try:
            return await self.call(service, operation, **params)
        except ClientError:
            return {}

    async def paginate(
        self, service: str, operation: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the response of every page."""

        async def call(**page_params: Any) -> dict[str, Any]:
            return await self.call(service, operation, **page_params)

        async for page in paginate(call, pagination(AnswerKey(service, operation)), first or {}, params):
            yield page

    async def list_items(
        self, service: str, operation: str, key: str, first: Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page."""
        async for page in self.paginate(service, operation, first, **params):
            for item in page.get(key) or ():
                yield item

    async def map(
        self,
        items: Iterable[Item] | AsyncIterator[Item],
        call: Callable[[Item], Awaitable[Response]],
        resource: Callable[[Item], Resource],
    ) -> AsyncIterator[tuple[Item, Response]]:
        """Yield each item with the result of its call, one after another."""
        async for item in _iterate(items):
            try:
                result = await call(item)
            except ClientError:
                continue
            yield item, result


async def _iterate(items: Iterable[Item] | AsyncIterator[Item]) -> AsyncIterator[Item]:
    if isinstance(items, AsyncIterator):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
