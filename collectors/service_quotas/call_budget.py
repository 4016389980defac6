"""The budget of calls for reading quotas and counting resources."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from collectors.base import Aws
from collectors.service_quotas.allowed_calls import CALLS_PER_HOUR, FIRST_CALLS

Item = TypeVar("Item")


@dataclass(slots=True)
class CallBudget:
    """The number of calls that may be made. It grows by CALLS_PER_HOUR an hour, up to CALLS_PER_HOUR.

    calls_left: negative if work that had begun needed more calls.
    """

    calls_left: float = FIRST_CALLS
    _refilled_at: float | None = None

    def refill(self, now: float) -> None:
        """Add the calls for the time since the last refill. now: in epoch seconds."""
        elapsed = max(0.0, now - self._refilled_at) if self._refilled_at is not None else 0.0
        self.calls_left = min(CALLS_PER_HOUR, self.calls_left + elapsed * CALLS_PER_HOUR / 3600)
        self._refilled_at = now

    def affordable(self, work: Iterable[Item]) -> Iterator[Item]:
        """Yield work as long as calls are left."""
        for item in work:
            if self.calls_left <= 0:
                return
            yield item


@dataclass(frozen=True, slots=True)
class BudgetedCalls:
    """The calls to AWS of one scan; each page takes one call from the budget.

    parents: a cache of the ids of parents, by the call that lists them.
    """

    aws: Aws
    budget: CallBudget
    parents: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""
        self.budget.calls_left -= 1  # also for a call that fails
        return await self.aws.call(service, operation, **params)

    async def paginate(self, service: str, operation: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the response of every page."""
        self.budget.calls_left -= 1  # for the first page, also if its call fails
        is_first = True
        async for page in self.aws.paginate(service, operation, **params):
            if not is_first:
                self.budget.calls_left -= 1
            is_first = False
            yield page

    async def list_items(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page."""
        async for page in self.paginate(service, operation, **params):
            for item in page.get(key) or ():
                yield item
