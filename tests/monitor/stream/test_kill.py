"""Killed while it takes points in, and started again: Firehose sends what was not answered, until it is.

What was answered before is in CloudWatch, too, and a poll reads the whole window of every metric at a start,
whether it streams or not (see test_freshness).
"""

import asyncio
import signal
import sys
from functools import partial

import httpx

from tests.monitor.stream.bodies import Update, envelope, lines
from tests.monitor.stream.endpoint import headers_of
from tests.monitor.stream.process import MINUTES, STREAMS
from tests.processes import eventually, get, line_of, running

COMMAND = (sys.executable, "-m", "tests.monitor.stream.process")


def updates(ago: int) -> list[Update]:
    return [
        Update(dimensions=(("StreamName", f"s{n}"),), ago=ago, sum=1000.0 * ago + n) for n in range(STREAMS)
    ]


class Sender:
    """A Firehose: it sends each body until it is answered with 200."""

    def __init__(self, port: str, client: httpx.AsyncClient) -> None:
        self._url, self._client = f"http://127.0.0.1:{port}/firehose/v1", client
        self.taken = [0] * MINUTES  # by which process each minute was taken
        self.alive = 1
        self.some = asyncio.Event()
        self._at_once = asyncio.Semaphore(8)

    async def send(self, ago: int) -> None:
        body = envelope([lines(updates(ago))], f"r-{ago}")
        while not self.taken[ago]:
            try:
                async with self._at_once:
                    alive = self.alive
                    answer = await self._client.post(self._url, content=body, headers=headers_of(f"r-{ago}"))
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # the other process is not there yet
                continue
            assert answer.status_code == 200
            self.taken[ago] = alive
            if sum(map(bool, self.taken)) > MINUTES // 4:
                self.some.set()


async def test_nothing_is_missing_when_it_is_killed_while_it_takes_points_in() -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, running(*COMMAND, "0") as first:
        port = await line_of(first, "")
        sender = Sender(port, client)
        async with asyncio.TaskGroup() as sending:
            for ago in range(MINUTES):
                sending.create_task(sender.send(ago))
            await sender.some.wait()
            first.send_signal(signal.SIGKILL)
            await first.wait()
            sender.alive = 2
            async with running(*COMMAND, port) as second:
                await line_of(second, port)
                held = (await eventually(partial(complete, sender, port))).json()
    assert 2 in sender.taken
    for ago, taken in enumerate(sender.taken):
        if taken == 2:
            assert held[ago] == [1000.0 * ago + n for n in range(STREAMS)]


async def complete(sender: Sender, port: str) -> httpx.Response | None:
    return await get(f"http://127.0.0.1:{port}/told") if all(sender.taken) else None
