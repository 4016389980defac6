"""`headroom serve` as a whole, killed at any moment: nothing is lost, and nothing is told twice as new."""

import asyncio
import random
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.monitor.notifiers.loopback import Server
from tests.monitor.notifiers.loopback import serving as receiving
from tests.monitor.test_app import free_port
from tests.processes import PATIENCE, eventually, get, headroom, own_aws

KILLS = 8
BUSY = (503, 200) * 30  # what the receiver answers at first, so that lives end between two attempts
SERVICES = ("apigateway", "autoscaling", "kinesis", "lambda", "s3", "sqs")
LATEST = {"started": 1.5, "answers": 1.0, "told": 0.2}  # seconds after a moment, at most, that a life ends
CONFIG = """
services: [{services}]
regions: [eu-west-1]
judge_interval: 1
journal: {folder}/headroom.db
receivers:
  - {{name: hook, type: webhook, url: "{hook}", allow_insecure: true, allow_private: true}}
route: {{group_wait: 0, group_interval: 0, severities: [info, warning, critical]}}
"""


@dataclass
class Place:
    """Where one Headroom after the other lives."""

    folder: Path
    hook: Server
    environ: Mapping[str, str]
    chance: random.Random
    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    untold: list[dict[str, Any]] | None = None

    def serve(self, services: list[str]) -> tuple[str, ...]:
        """The command, which watches only some services: alerts of the others end, as a life begins."""
        config = self.folder / "headroom.yaml"
        config.write_text(CONFIG.format(services=", ".join(services), folder=self.folder, hook=self.hook.url))
        return "serve", "--config", str(config), "--listen", self.address

    async def ask(self, path: str, **parameters: str) -> Any:
        answer = await get(f"http://{self.address}{path}", **parameters)
        return answer.json() if answer else None

    async def life(self) -> None:
        """One that is killed at random, from its very start to the moment after it told something."""
        services = self.chance.sample(SERVICES, self.chance.randint(1, len(SERVICES)))
        moment = self.chance.choice(list(LATEST))
        after = self.chance.uniform(0, LATEST[moment])
        print(f"{', '.join(services)}: killed {after:.3f} s after it {moment}", flush=True)
        told = len(self.hook.requests)
        async with headroom(*self.serve(services), environ=self.environ) as process:
            if moment == "answers":
                await eventually(partial(self.ask, "/-/healthy"))
            elif moment == "told":
                await eventually(partial(self.told, told))
            await asyncio.sleep(after)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL

    async def told(self, before: int) -> bool | None:
        """Whether it told something; or had nothing to tell when all was judged."""
        ready = await self.ask("/-/ready")
        return True if ready or len(self.hook.requests) > before else None

    async def all_told(self) -> bool | None:
        """Whether everything that fires was told, as it is now."""
        if await self.ask("/-/ready") is None:
            return None
        alerts = (await self.ask("/api/v1/alerts"))["items"]
        firing = [one for one in alerts if one["state"] == "firing" and not one["explained_by"]]
        last = {one["id"]: one for _, alerts in accepted(self.hook) for one in alerts}
        self.untold = [one for one in firing if stands(last.get(one["id"], {})) != stands(one)]
        return True if firing and not self.untold else None


def stands(alert: Mapping[str, Any]) -> list[Any]:
    """Where an alert stands, as it was told or as the API has it."""
    return [alert.get(name) for name in ("severity", "zone")] if alert.get("status") != "resolved" else []


Sent = list[tuple[str, list[dict[str, Any]]]]


def sent(server: Server) -> Sent:
    """What arrived, in order: the id of each notification, and the alerts that it tells of."""
    ids = [headers["webhook-id"] for _, headers, _ in server.requests]
    return [(one, body["data"]["alerts"]) for one, body in zip(ids, server.bodies, strict=True)]


def accepted(server: Server) -> Sent:
    """Of that, what the receiver did not refuse for the time being."""
    answers = chain(BUSY, repeat(200))
    return [one for one, status in zip(sent(server), answers, strict=False) if status == 200]


def check_ids(server: Server) -> None:
    """What arrived twice is the same to the last byte; and a notice goes with one notification only."""
    bodies: dict[str, bytes] = {}
    carried: dict[int, str] = {}
    for (identity, alerts), (_, _, body) in zip(sent(server), server.requests, strict=True):
        assert bodies.setdefault(identity, body) == body
        for one in alerts:
            assert carried.setdefault(one["number"], identity) == identity


def check_lives(server: Server) -> None:
    """Each alert's notices are in order, and make one life after the other."""
    last: dict[str, dict[str, Any]] = {}
    for one in (one for _, alerts in accepted(server) for one in alerts):
        before = last.get(one["id"])
        if before and one["number"] == before["number"]:
            continue  # an attempt more
        assert before is None or one["number"] > before["number"], (before, one)
        began = before is None or before["status"] == "resolved"
        assert (one["kind"] == "firing") == began, (before, one)
        last[one["id"]] = one


async def check_second(place: Place, holder: int) -> None:
    """Another one on the same journal is refused, and says who has it."""
    serve = (*place.serve(list(SERVICES))[:-1], f"127.0.0.1:{free_port()}")
    async with headroom(*serve, environ=place.environ) as second:
        async with asyncio.timeout(PATIENCE):
            _, errors = await second.communicate()
    assert second.returncode == 2
    assert f"headroom.db is held by process {holder} on " in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_killed_at_any_moment_it_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    busy = [web.Response(status=status) for status in BUSY]
    async with receiving(*busy, web.Response()) as hook, own_aws() as environ:
        place = Place(tmp_path, hook, environ, chance)
        for _ in range(KILLS):
            await place.life()
        async with headroom(*place.serve(list(SERVICES)), environ=environ) as process:
            with suppress(TimeoutError):
                await eventually(place.all_told)
            assert place.untold == []
            await check_second(place, process.pid)
            history = (await place.ask("/api/v1/alerts/history", limit="1000"))["items"]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
    check_ids(hook)
    check_lives(hook)
    numbers = {one["number"] for _, alerts in sent(hook) for one in alerts}
    assert numbers <= {one["number"] for one in history}  # nothing is told that was not journalled
