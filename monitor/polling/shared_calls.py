"""Calls of GetMetricData that one account makes for the readers of several accounts.

The requests of readers that poll at about the same time are combined into as few calls as possible.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.aws.failure import Failure, failure_from
from monitor.polling.metric_caller import CallPart, MetricCaller, ResultReader
from monitor.polling.plan import MetricRequest, combine
from monitor.polling.rejected_metrics import InvalidRequestError

COMBINE_WAIT = 1.0  # seconds that requests wait for the requests of other readers


class SharingReader(ResultReader, Protocol):
    """A reader that shares calls with other readers."""

    async def read_in_own_calls(self, caller: MetricCaller, request: MetricRequest) -> list[Failure]:
        """Send a request in a call of its own, and return the failures."""
        ...


@dataclass(eq=False, slots=True)
class ReaderRequests:
    """The requests of one reader. failures: of the calls for them. done: set once these calls were made."""

    reader: SharingReader
    requests: Sequence[MetricRequest]
    failures: list[Failure] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class SharedCalls:
    """The calls that one account makes in a region for itself and other accounts.

    wait: seconds that requests wait for the requests of other readers.
    """

    def __init__(self, caller: MetricCaller, wait: float = COMBINE_WAIT) -> None:
        self.caller, self._wait = caller, wait
        self._waiting: list[ReaderRequests] = []
        self._rounds: set[asyncio.Task[None]] = set()

    async def read(self, reader: SharingReader, requests: Sequence[MetricRequest]) -> list[Failure]:
        """Send the requests of a reader in calls shared with other readers, and return its failures.

        Each query has the id of the account that it is for. If a call for several accounts is rejected or
        denied, each request is repeated in a call of its own, so that one reader's failure affects no other
        reader.
        """
        entry = ReaderRequests(reader, requests)
        self._waiting.append(entry)
        if len(self._waiting) == 1:
            round_ = asyncio.create_task(self._run_round())
            self._rounds.add(round_)
            round_.add_done_callback(self._rounds.discard)
        await entry.done.wait()
        return entry.failures

    async def _run_round(self) -> None:
        """Wait for the requests of other readers, and make the calls for all of them."""
        entries: list[ReaderRequests] = []
        try:
            await asyncio.sleep(self._wait)
            entries, self._waiting = self._waiting, []
            pairs = ((entry, request) for entry in entries for request in entry.requests)
            await asyncio.gather(*map(self._call, combine(pairs)))
        finally:
            for entry in entries:
                entry.done.set()

    async def _call(self, parts: Sequence[tuple[ReaderRequests, MetricRequest]]) -> None:
        """Make one call; a failure goes to the readers that it concerns."""
        try:
            failures = await self.caller.call([CallPart(entry.reader, request) for entry, request in parts])
        except InvalidRequestError:
            await self._call_one_by_one(parts)
        except Exception as error:  # fails this call alone
            for entry, _ in parts:
                entry.failures.append(failure_from(error, "GetMetricData"))
        else:
            for part, failure in failures.items():
                parts[part][0].failures.append(failure)

    async def _call_one_by_one(self, parts: Iterable[tuple[ReaderRequests, MetricRequest]]) -> None:
        """Have each request's reader send it in a call of its own, and find the rejected metrics."""

        async def call(entry: ReaderRequests, request: MetricRequest) -> None:
            entry.failures += await entry.reader.read_in_own_calls(self.caller, request)

        await asyncio.gather(*(call(entry, request) for entry, request in parts))

    async def aclose(self) -> None:
        """Cancel the calls that are under way."""
        rounds = tuple(self._rounds)
        for round_ in rounds:
            round_.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)
