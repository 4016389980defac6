"""`headroom serve` pushes to a real Prometheus: PromQL returns the same values as the API."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.fleet.ring_columns import WINDOW
from tests.acceptance.test_remote_write import IN_ORDER, Tsdb, Values
from tests.forked_process import ForkedProcess
from tests.monitor.serve_process import free_port, journal_line
from tests.processes import demo_aws, eventually, get, headroom, nothing_pending

PUSH_TIMEOUT = 600.0  # seconds until one more minute is pushed: falling usage is read every few minutes
FAMILIES = {"usage": "usage", "saturation": "saturation"}  # families, and their fields in the API's history


@dataclass
class Service:
    """A `headroom serve` that can be restarted with the same files and address."""

    folder: Path
    environ: Mapping[str, str]

    def __post_init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.config = self.folder / "headroom.yaml"

    def configure_push(self, name: str, tsdb: Tsdb) -> None:
        """Write a configuration that pushes to a Prometheus. name: the name of the receiver."""
        target = {
            "name": name,
            "url": f"http://{tsdb.address}/api/v1/write",
            "allow_insecure": True,
            "allow_private": True,
        }
        settings = "services: [kinesis]\nregions: [eu-west-1]\ninterval: 15\njudge_interval: 1\n"
        self.config.write_text(f"{settings}{journal_line(self.folder)}push: [{json.dumps(target)}]\n")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ForkedProcess]:
        serve = "serve", "--config", str(self.config), "--listen", self.address
        async with headroom(*serve, environ=self.environ) as process:
            await eventually(partial(nothing_pending, f"http://{self.address}"))
            yield process

    async def history(self) -> dict[str, Values]:
        """Return the values of the last three hours from the API, by family."""
        base = f"http://{self.address}/api/v1/series"
        page = await get(base, limit="500")
        assert page
        values: dict[str, Values] = {family: {} for family in FAMILIES}
        for item in page.json()["items"]:
            detail = await get(f"{base}/{item['id']}")
            assert detail
            for sample in detail.json()["history"]:
                minute = int(datetime.fromisoformat(sample["minute"]).timestamp() // 60)
                for family, name in FAMILIES.items():
                    if sample[name] is not None and item["zone"] != "unobservable":
                        values[family][f"{item['signal']} {item['resource']}", minute] = sample[name]
        return values

    async def push_metric(self, family: str, receiver: str) -> float | None:
        """Return the sum of the samples of a push metric for a receiver; None without samples."""
        response = await get(f"http://{self.address}/metrics")
        assert response
        prefix, label = f"headroom_push_{family}{{", f'"{receiver}"'
        lines = [line for line in response.text.splitlines() if line.startswith(prefix) and label in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines) if lines else None

    async def has_queued(self, receiver: str) -> bool | None:
        """Return True once samples are queued for a receiver and requests to it have failed; None before."""
        failed = await self.push_metric("requests_failed_total", receiver)
        return (bool(failed) and bool(await self.push_metric("samples_queued", receiver))) or None


async def read_family(tsdb: Tsdb, family: str) -> Values:
    """Return the values of a family at full minutes in Prometheus, by series and minute."""
    query = f"headroom_{family}[4h]"
    response = await get(f"http://{tsdb.address}/api/v1/query", query=query, time=str(time.time() + 600))
    assert response
    return {
        (f"{series['metric']['signal']} {series['metric'].get('resource', '')}", int(at // 60)): float(value)
        for series in response.json()["data"]["result"]
        for at, value in series["values"]
        if at % 60 == 0
    }


def minutes_by_series(values: Values) -> dict[str, list[int]]:
    """Return the minutes in which each series has a value."""
    found: dict[str, list[int]] = {}
    for series, minute in values:
        found.setdefault(series, []).append(minute)
    return found


def comparable_values(values: Values, history: Values, pushed: Values) -> Values:
    """Return the values of each series from its first minute in the API up to its last pushed minute.

    A killed process may have pushed earlier values that the API lacks, because AWS does not tell how many
    resources there were in a past minute. Newer values may still change. The values of the first 15 minutes
    of the window are left out: they may leave the window during the comparison.
    """
    first_compared = int(time.time() // 60) - WINDOW + 15
    first = {
        series: max(first_compared, min(minutes)) for series, minutes in minutes_by_series(history).items()
    }
    last = {series: max(minutes) for series, minutes in minutes_by_series(pushed).items()}
    return {
        (series, minute): value
        for (series, minute), value in values.items()
        if first.get(series, first_compared) <= minute <= last.get(series, minute)
    }


async def differences(service: Service, received: dict[str, Values]) -> dict[str, Any]:
    """Return, by family, the values that differ between the API and a receiver.

    received: the receiver's values.
    """
    history = await service.history()
    differing = {}
    for family in FAMILIES:
        expected = comparable_values(history[family], history[family], received[family])
        pushed = comparable_values(received[family], history[family], received[family])
        if pushed != pytest.approx(expected, rel=1e-6):
            differing[family] = sorted(expected.items() ^ pushed.items())[-20:]  # enough for a message
    return differing


async def wait_until_equal(service: Service, tsdb: Tsdb, after: int) -> int:
    """Wait until a receiver holds the API's values up to a minute later than `after`; return that minute."""
    deadline = time.monotonic() + PUSH_TIMEOUT
    differing: dict[str, Any] = {}
    while True:
        received = {family: await read_family(tsdb, family) for family in FAMILIES}
        last = max((minute for _, minute in received["usage"]), default=0)
        if last > after and not (differing := await differences(service, received)):
            return last
        assert time.monotonic() < deadline, (last, after, differing)
        await asyncio.sleep(0.5)


async def test_pushed_values_equal_those_of_the_api_across_restarts_and_a_reload(tmp_path: Path) -> None:
    first, second = (Tsdb(tmp_path / name, IN_ORDER) for name in ("first", "second"))
    async with demo_aws() as environ:
        service = Service(tmp_path, environ)
        service.configure_push("first", first)
        async with service.running() as process:
            await eventually(partial(service.has_queued, "first"))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with service.running() as process:
            async with first.running() as receiver:
                last = await wait_until_equal(service, first, int(time.time() // 60) - 10)
                assert len({minute for _, minute in await read_family(first, "usage")}) > 150
                receiver.kill()
                await receiver.wait()
            await eventually(partial(service.has_queued, "first"), PUSH_TIMEOUT)
            async with first.running():
                last = await wait_until_equal(service, first, last)
                assert not await service.push_metric("samples_dropped_total", "first")
                service.configure_push("second", second)
                async with second.running():
                    process.send_signal(signal.SIGHUP)
                    await wait_until_equal(service, second, last - 1)
                    assert await service.push_metric("samples_queued", "first") is None
