"""The endpoint is killed while it ingests, and restarted. Firehose repeats each body until it is accepted.

Points that the killed process had accepted are not lost: CloudWatch has them, too, and after a start, polls
read the whole window of every metric, whether it is streamed or not (see test_freshness).
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.forked_process import ForkedProcess
from tests.monitor.serve_process import free_port, journal_line
from tests.monitor.stream.bodies import NOW, Update, envelope, line, lines
from tests.monitor.stream.endpoint import KEYS
from tests.monitor.stream.endpoint_process import MINUTES, STREAMS
from tests.monitor.stream.sender import Sender
from tests.processes import eventually, get, headroom, nothing_pending, read_line, running

COMMAND = (sys.executable, "-m", "tests.monitor.stream.endpoint_process")
new_client = partial(httpx.AsyncClient, trust_env=False, timeout=30)
AHEAD = range(5)  # minutes from the present minute, 0, on; no poll requests these minutes yet


def updates(minutes_ago: int) -> list[Update]:
    """Return an update of each stream, with a different sum for each stream and minute."""
    return [
        Update(dimensions=(("StreamName", f"s{n}"),), minutes_ago=minutes_ago, sum=1000.0 * minutes_ago + n)
        for n in range(STREAMS)
    ]


async def test_accepted_deliveries_are_complete_after_a_process_was_killed() -> None:
    bodies = {
        f"r-{minutes_ago}": envelope([lines(updates(minutes_ago))], f"r-{minutes_ago}")
        for minutes_ago in range(MINUTES)
    }
    async with new_client() as client, running(*COMMAND, "0") as first, asyncio.TaskGroup() as group:
        port = await read_line(first, "")
        sender = Sender(f"http://127.0.0.1:{port}/firehose/v1", client, bodies)
        group.create_task(sender.send_all())
        await sender.quarter_accepted.wait()
        first.send_signal(signal.SIGKILL)
        await first.wait()
        sender.running_process = 2
        async with running(*COMMAND, port) as second:
            await read_line(second, port)
            await eventually(sender.all_accepted)
            values = await get(f"http://127.0.0.1:{port}/values")
    assert values
    assert 2 in sender.accepted_by.values()
    for minutes_ago, values_of_streams in enumerate(values.json()):
        if sender.accepted_by[f"r-{minutes_ago}"] == 2:
            assert values_of_streams == [1000.0 * minutes_ago + n for n in range(STREAMS)]


class Service:
    """A `headroom serve` over the demo's AWS, which a test can kill and start again."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        address, config = f"127.0.0.1:{free_port()}", folder / "headroom.yaml"
        (folder / "keys").write_text("\n".join(KEYS))
        settings = "services: [kinesis]\nregions: [eu-west-1]\nstream: {access_keys_file: keys}\n"
        config.write_text(settings + journal_line(folder))
        self.url, self._environ = f"http://{address}", environ
        self._arguments = "serve", "--config", str(config), "--listen", address

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ForkedProcess]:
        async with headroom(*self._arguments, environ=self._environ) as process:
            await eventually(partial(nothing_pending, self.url))
            yield process

    async def ids_by_stream(self) -> dict[str, str] | None:
        """Return the id of the series of bytes written to each stream; None until the series are judged."""
        page = await get(f"{self.url}/api/v1/series", service="kinesis", signal="stream_write_bytes")
        return {item["resource"]: item["id"] for item in page.json()["items"]} or None if page else None

    async def usage(self, series_id: str) -> dict[float, float | None]:
        """Return the usage of a series, by the start of the minute in epoch seconds."""
        detail = await get(f"{self.url}/api/v1/series/{series_id}")
        assert detail
        history = detail.json()["history"]
        return {datetime.fromisoformat(sample["minute"]).timestamp(): sample["usage"] for sample in history}

    async def written_count(self) -> float:
        """Return the number of streamed points that the service has written, by its own metrics."""
        answer = await get(f"{self.url}/metrics")
        assert answer
        name = 'headroom_points_total{outcome="written",source="stream"} '
        return sum(
            float(metric_line.removeprefix(name))
            for metric_line in answer.text.splitlines()
            if name in metric_line
        )

    async def has_written(self, points: int) -> bool | None:
        """Return True once at least this number of streamed points was written; None before."""
        return True if await self.written_count() >= points else None


def updates_ahead(streams: Iterable[str]) -> dict[str, Update]:
    """Return, by request id, an update of a stream for a minute that no poll requests yet."""
    minutes_ago_now = NOW // 60 - int(time.time() // 60)  # of the present minute, before NOW
    pairs = enumerate(product(streams, AHEAD))
    return {
        f"r-{n}": Update(
            dimensions=(("StreamName", name),), minutes_ago=minutes_ago_now - ahead, sum=60.0 * (n + 1)
        )
        for n, (name, ahead) in pairs
    }


async def test_a_killed_service_loses_no_point_and_writes_none_twice(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    # These lines keep the service busy for a while.
    other_lines = lines(Update(dimensions=(("StreamName", f"s{n}"),)) for n in range(2000))
    async with new_client() as client, asyncio.TaskGroup() as group:
        service = Service(tmp_path, aws_environ)
        async with service.running() as first:
            update_by_request = updates_ahead(await service.ids_by_stream() or {})
            bodies = {
                request: envelope([other_lines + line(update)], request)
                for request, update in update_by_request.items()
            }
            sender = Sender(f"{service.url}/firehose/v1", client, bodies)
            group.create_task(sender.send_all())
            await sender.quarter_accepted.wait()
            first.send_signal(signal.SIGKILL)
            await first.wait()
        sender.running_process = 2
        async with service.running():
            await eventually(sender.all_accepted)
            accepted_by_second = [request for request, process in sender.accepted_by.items() if process == 2]
            assert accepted_by_second
            # Points that waited for the inventory are written, too.
            await eventually(partial(service.has_written, len(accepted_by_second)))
            # The bodies are sent again, as if the responses were lost.
            assert {await sender.post(request) for request in accepted_by_second} == {200}
            assert await service.written_count() == len(accepted_by_second)
            ids = await service.ids_by_stream() or {}
            for update in (update_by_request[request] for request in accepted_by_second):
                usage = await service.usage(ids[update.dimensions[0][1]])
                assert usage[update.start / 1000] == pytest.approx(update.sum / 60)
