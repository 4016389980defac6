"""The whole service pushes to a real Prometheus: what PromQL answers is what the API tells."""

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

import httpx
import pytest

from monitor.rings import WINDOW
from tests.acceptance.test_remote_write import IN_ORDER, Minutes, Tsdb
from tests.monitor.stream.bodies import Update, envelope, line
from tests.monitor.stream.endpoint import KEYS, headers_of
from tests.monitor.test_app import free_port, journal
from tests.processes import PATIENCE, eventually, get, headroom, own_aws

AUDIT = "stream_write_bytes audit"
FAMILIES = {"usage": "usage", "saturation": "saturation"}  # and what they are called in the API's history


@dataclass
class Service:
    """`headroom serve` over an AWS, as often as it is started; its files stay."""

    folder: Path
    environ: Mapping[str, str]

    def __post_init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.config = self.folder / "headroom.yaml"
        (self.folder / "keys").write_text("\n".join(KEYS))

    def push_to(self, name: str, tsdb: Tsdb) -> None:
        target = {
            "name": name,
            "url": f"http://{tsdb.address}/api/v1/write",
            "allow_insecure": True,
            "allow_private": True,
        }
        settings = "services: [kinesis]\nregions: [eu-west-1]\ninterval: 1h\njudge_interval: 1\n"
        stream = "stream: {access_keys_file: keys}\n"
        self.config.write_text(f"{settings}{stream}{journal(self.folder)}push: [{json.dumps(target)}]\n")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        serve = "serve", "--config", str(self.config), "--listen", self.address
        async with headroom(*serve, environ=self.environ) as process:
            await eventually(partial(get, f"http://{self.address}/-/ready"))
            yield process

    async def history(self) -> dict[str, Minutes]:
        """All that the API tells of the last three hours, by family."""
        base = f"http://{self.address}/api/v1/series"
        page = await get(base, limit="500")
        assert page
        told: dict[str, Minutes] = {family: {} for family in FAMILIES}
        for one in page.json()["items"]:
            detail = await get(f"{base}/{one['id']}")
            assert detail
            for sample in detail.json()["history"]:
                minute = int(datetime.fromisoformat(sample["minute"]).timestamp() // 60)
                for family, name in FAMILIES.items():
                    if sample[name] is not None and one["zone"] != "unobservable":
                        told[family][f"{one['signal']} {one['resource']}", minute] = sample[name]
        return told

    async def told(self, family: str, receiver: str) -> float | None:
        """What it says of a receiver in its own metrics."""
        answer = await get(f"http://{self.address}/metrics")
        assert answer
        lines = answer.text.splitlines()
        some = [
            one for one in lines if one.startswith(f"headroom_push_{family}{{") and f'"{receiver}"' in one
        ]
        return sum(float(one.rpartition(" ")[2]) for one in some) if some else None

    async def waits(self, receiver: str) -> bool | None:
        """Whether something waits for a receiver that does not answer."""
        failed = await self.told("requests_failed_total", receiver)
        return (bool(failed) and bool(await self.told("samples_queued", receiver))) or None

    async def deliver(self, minute: int, value: float) -> None:
        """Bring a minute of a stream, as Firehose does."""
        start = Update(sum=value, dimensions=(("StreamName", "audit"),))
        update = line(start).replace(str(start.start).encode(), str(minute * 60_000).encode())
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(
                f"http://{self.address}/firehose/v1",
                content=envelope([update], f"r-{minute}"),
                headers=headers_of(f"r-{minute}"),
            )
        assert answer.status_code == 200


async def held(tsdb: Tsdb, family: str) -> Minutes:
    query = f"headroom_{family}[4h]"
    answer = await get(f"http://{tsdb.address}/api/v1/query", query=query, time=str(time.time() + 600))
    assert answer
    return {
        (f"{one['metric']['signal']} {one['metric']['resource']}", int(at // 60)): float(value)
        for one in answer.json()["data"]["result"]
        for at, value in one["values"]
        if at % 60 == 0
    }


def recent(told: Mapping[str, Minutes]) -> dict[str, Minutes]:
    """Without the oldest minutes, which are on their way out while they are compared."""
    first = int(time.time() // 60) - WINDOW + 15
    return {
        family: {place: value for place, value in minutes.items() if place[1] >= first}
        for family, minutes in told.items()
    }


async def agree(service: Service, tsdb: Tsdb) -> dict[str, Minutes]:
    """Wait until a receiver holds what the API tells, and nothing else; returns it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        told = recent(await service.history())
        found = recent({family: await held(tsdb, family) for family in FAMILIES})
        if told["usage"] and found == {
            family: pytest.approx(minutes, rel=1e-6) for family, minutes in told.items()
        }:
            return told
        others = {one: sorted(told[one].items() ^ found[one].items())[:20] for one in FAMILIES}
        assert time.monotonic() < deadline, others
        await asyncio.sleep(0.5)


async def test_what_the_api_tells_is_pushed_over_restarts_of_both_and_a_reload(tmp_path: Path) -> None:
    first, second = (Tsdb(tmp_path / name, IN_ORDER) for name in ("first", "second"))
    async with own_aws() as environ:
        service = Service(tmp_path, environ)
        service.push_to("first", first)
        async with service.running() as process:
            await eventually(partial(service.waits, "first"))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with service.running() as process:
            async with first.running() as receiver:
                told = await agree(service, first)
                assert len({minute for _, minute in told["usage"]}) > 150
                newest = max(minute for place, minute in told["usage"] if place == AUDIT)
                await service.deliver(newest + 1, 1e6)
                assert (AUDIT, newest + 1) in (await agree(service, first))["usage"]
                receiver.kill()
                await receiver.wait()
            await service.deliver(newest + 2, 2e6)
            await eventually(partial(service.waits, "first"))
            async with first.running():
                await agree(service, first)
                assert not await service.told("samples_dropped_total", "first")
                service.push_to("second", second)
                async with second.running():
                    process.send_signal(signal.SIGHUP)
                    await agree(service, second)
                    assert await service.told("samples_queued", "first") is None
