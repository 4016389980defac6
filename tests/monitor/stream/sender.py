"""A client like Firehose, which repeats each body until the status of the response is 200."""

import asyncio
from collections.abc import Mapping

import httpx

from tests.monitor.stream.endpoint import headers_of


class Sender:
    """Sends bodies, each with its request id, to the running one of two processes.

    running_process: the running process, 1 or 2. accepted_by: the process that accepted each body; 0 before.
    quarter_accepted: set once a quarter of the bodies was accepted.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, bodies: Mapping[str, bytes]) -> None:
        self._url, self._client, self._bodies = url, client, bodies
        self.accepted_by = dict.fromkeys(bodies, 0)
        self.running_process = 1
        self.quarter_accepted = asyncio.Event()
        self._send_slots = asyncio.Semaphore(8)

    async def send_all(self) -> None:
        async with asyncio.TaskGroup() as sending:
            for request in self._bodies:
                sending.create_task(self._send(request))

    async def _send(self, request: str) -> None:
        while not self.accepted_by[request]:
            async with self._send_slots:
                process, status = self.running_process, await self._status_of(request)
            if status != 200:
                assert status in (None, 503)
                await asyncio.sleep(0.05)  # the second process does not listen yet
                continue
            self.accepted_by[request] = process
            if sum(map(bool, self.accepted_by.values())) > len(self.accepted_by) // 4:
                self.quarter_accepted.set()

    async def _status_of(self, request: str) -> int | None:
        try:
            return await self.post(request)
        except httpx.TransportError:
            return None

    async def post(self, request: str) -> int:
        """Return the status of the response. Raises httpx.TransportError."""
        headers, body = headers_of(request), self._bodies[request]
        return (await self._client.post(self._url, content=body, headers=headers)).status_code

    async def all_accepted(self) -> bool | None:
        """Return True once all bodies were accepted; None before, as `eventually` expects."""
        return all(self.accepted_by.values()) or None
