"""A cell, one account in one region: its clients, rate limits and call counters; and a look at it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from aiolimiter import AsyncLimiter
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from monitor.telemetry import VERSION, Telemetry
from monitor.text import encodable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

CALL_TIMEOUT = 90.0  # seconds, over all attempts of one call
SIDE_BY_SIDE = 8  # resources asked about at once, per part of a collector
DEFAULT_RATE = 10.0  # calls per second to a service that declares no rate
AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError, TimeoutError, OSError)

CLIENT_CONFIG = AioConfig(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=SIDE_BY_SIDE * 2,
    user_agent_extra=f"headroom/{VERSION}",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What AWS refused or failed to answer: the operation, the resource it was about (may be empty),
    the error's code and its sentence."""

    operation: str
    item: str
    code: str
    message: str

    @property
    def sentence(self) -> str:
        about = " of ".join(filter(None, (self.operation, self.item)))
        return f"{about}: {self.message} ({self.code})".removeprefix(": ")


def code_of(error: BaseException) -> str:
    """The code of an AWS error (`AccessDenied`), or the name of what failed before AWS answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def sentence_of(error: BaseException) -> str:
    """One line that says what happened, in AWS's words where it gave any."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CALL_TIMEOUT:.0f} s"
    told = error.response.get("Error", {}).get("Message") if isinstance(error, ClientError) else None
    return " ".join(str(told or error).split()) or type(error).__name__


@dataclass(eq=False)
class Cell:
    """One account in one region: the unit of isolation. Owns its clients; close it with `close()`.

    rates: calls per second by `service` or `service:Operation`, from the collectors' declarations.
    """

    session: AioSession
    account: str
    region: str
    telemetry: Telemetry
    rates: Mapping[str, float]
    endpoint_url: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, init=False)
    _limiters: dict[str, AsyncLimiter] = field(default_factory=dict, init=False)
    _creating: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.account, self.region

    async def client(self, service: str) -> Any:
        """The cell's client of a service, made at first use."""
        async with self._creating:
            if service not in self._clients:
                self._clients[service] = await self.new_client(service)
        return self._clients[service]

    async def new_client(self, service: str, config: AioConfig = CLIENT_CONFIG) -> Any:
        """A client of one's own; the cell closes it."""
        context = self.session.create_client(
            service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
        )
        return await self._open.enter_async_context(context)

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call: rate limited, retried by botocore, counted.

        Raises one of AWS_ERRORS.
        """
        method = getattr(await self.client(service), xform_name(operation))
        return await self.counted(service, operation, partial(method, **params))

    async def pages(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        """The items under `key` of every page; raises as `call` does."""
        client = await self.client(service)
        method = xform_name(operation)
        if not client.can_paginate(method):
            for item in (await self.call(service, operation, **params)).get(key) or ():
                yield item
            return
        pages = aiter(client.get_paginator(method).paginate(**params))
        while (page := await self.counted(service, operation, partial(anext, pages, None))) is not None:
            for item in page.get(key) or ():
                yield item

    async def counted(self, service: str, operation: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of a call: rate limited, with a time-out, counted.

        Raises one of AWS_ERRORS, or what `ask` makes of an answer that nobody foresaw.
        """
        calls = self.telemetry.aws_calls
        try:
            async with asyncio.timeout(CALL_TIMEOUT), self._limiter(service, operation):
                answered = await ask()
        except Exception as error:
            calls.labels(service, operation, code_of(error)).inc()
            raise
        if answered is not None:  # the end of the pages is no call
            calls.labels(service, operation, "").inc()
        return answered

    def _limiter(self, service: str, operation: str) -> AsyncLimiter:
        own = f"{service}:{operation}"
        key = own if own in self.rates else service
        if key not in self._limiters:
            self._limiters[key] = AsyncLimiter(self.rates.get(key, DEFAULT_RATE), 1)
        return self._limiters[key]

    async def close(self) -> None:
        await self._open.aclose()


@dataclass(slots=True)
class Look:
    """One part of a collector looking at one cell: `collectors.base.Aws`, and what failed meanwhile."""

    cell: Cell
    failures: list[Failure] = field(default_factory=list)

    @property
    def account(self) -> str:
        return self.cell.account

    @property
    def region(self) -> str:
        return self.cell.region

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return await self.cell.call(service, operation, **params)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        return self.cell.pages(service, operation, key, **params)

    async def attempt(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        try:
            return await self.call(service, operation, **params)
        except AWS_ERRORS as error:
            self.failures.append(failure(error, operation))
            return {}

    async def each(
        self,
        items: Iterable[Item] | AsyncIterator[Item],
        ask: Callable[[Item], Awaitable[Answer]],
        name: Callable[[Item], str],
    ) -> AsyncIterator[tuple[Item, Answer]]:
        async def guarded(item: Item) -> tuple[Item, Answer] | None:
            try:
                return item, await ask(item)
            except Exception as error:
                self.failures.append(failure(error, item=name(item)))
                return None

        async for batch in batches(items, SIDE_BY_SIDE):
            for answered in await asyncio.gather(*map(guarded, batch)):
                if answered:
                    yield answered


def failure(error: Exception, operation: str = "", item: str = "") -> Failure:
    """What to remember of an error; one that AWS is not the cause of is logged with its traceback."""
    if not isinstance(error, AWS_ERRORS):
        log.error("unexpected answer for %s %s", operation, item, exc_info=error)
    operation = operation or getattr(error, "operation_name", "")
    return Failure(operation, encodable(item), *map(encodable, (code_of(error), sentence_of(error))))


async def batches(items: Iterable[Item] | AsyncIterator[Item], size: int) -> AsyncIterator[list[Item]]:
    """Items in lists of at most `size`, as they come."""
    if not isinstance(items, AsyncIterator):
        rest = iter(items)
        while batch := list(islice(rest, size)):
            yield batch
        return
    batch = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
