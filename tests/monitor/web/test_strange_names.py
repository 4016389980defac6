"""Names with markup, halves of surrogate pairs and 1,000 characters: every address answers in order."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from collectors.base import Unobservable
from monitor.aws import Failure
from monitor.inventory import Outcome
from monitor.judge import judge
from monitor.snapshot import ActiveAlert
from monitor.status import CellStatus, Reload, Told
from monitor.text import encodable
from monitor.web.shell import asset
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import ACCOUNT, REGION, add, judged, key
from tests.monitor.served import Server, client_of
from tests.monitor.web.pages import Page, feed

MARKUP = "<script>alert(1)</script>\"'`&amp;\x00\n${x}{{x}}"
PAGES = ("/", "/alerts", "/blind", "/cost", "/status", "/docs", "/series/{id}", "/openapi.json")
NAMES = {"markup": MARKUP, "surrogates": "a\udc80\ud800b", "long": "x" * 1000, "long markup": MARKUP * 25}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return NAMES[request.param]


@asynccontextmanager
async def named(folder: Path, name: str) -> AsyncIterator[Server]:
    """A server where all that has a name is called so; one alert fires, one is pending."""
    async with Server.opened(folder) as server:
        fleet, now = server.fleet, int(time.time() // 60)
        worst, next_, hidden = (add(fleet, key(f"{name}{number}")) for number in range(3))
        why = Unobservable(name, name)
        hidden = add(fleet, hidden.key, usage=why, refused=None)
        feed(fleet, worst, [950.0] * 30, [3.0] * 30)
        feed(fleet, next_, [950.0] * 2)
        judge(fleet, now)
        judged(fleet, hidden, Zone.UNOBSERVABLE)
        failed = Outcome(attempted=60.0, failures=[Failure(name, name, name, name)])
        cell = CellStatus(account=ACCOUNT, region=REGION, name=name, collectors={"sqs": failed}, poll=failed)
        reload = Reload(at=60.0, error=name)
        server.told = Told(
            cells=[cell], shut={name: failed.failures[0]}, waited_for=[name], last_reload=reload
        )
        told = encodable(name)  # what was told was stored, which half of a pair cannot be
        alert = notice(worst.key.id, resource=told, summary=told, remedy=(told,), links={"runbook": told})
        server.alerting.alarm.standing[worst.key.id] = alert
        active = [ActiveAlert(one.place, "warning", state, 60) for one, state in ((worst, 2), (next_, 1))]
        await server.exposition.publish({ACCOUNT: name}, active)
        yield server


@pytest.fixture
async def server(tmp_path: Path, name: str) -> AsyncIterator[Server]:
    async with named(tmp_path, name) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as client:
        yield client


async def addresses(client: httpx.AsyncClient, server: Server) -> Iterator[str]:
    """All that can be read, of every series; but for the stream of events, which has no end."""
    described = (await client.get("/openapi.json")).json()["paths"]
    read = {path for path, methods in described.items() if "get" in methods} | {*PAGES}
    identities = [series.key.id for series in server.fleet.series.values()]
    return iter(sorted({path.replace("{id}", one) for path in read for one in identities}))


async def test_every_address_answers(server: Server, client: httpx.AsyncClient) -> None:
    for path in await addresses(client, server):
        got = await client.get(path)
        assert got.status_code == 503 if path == "/-/ready" else got.is_success, f"{path}: {got.text}"
        kind = got.headers["content-type"].partition(";")[0]
        if kind == "text/html":
            sources = [one["src"] for one in Page(got.text).all("script")]
            assert sources == [asset("headroom.js")], path
        elif kind == "application/json":
            assert json.loads(got.content) is not None


async def test_what_is_not_found_is_said(client: httpx.AsyncClient, name: str) -> None:
    for path in ("/series/", "/static/", "/api/v1/series/", "/nosuch/"):
        assert (await client.get(path + quote(name, errors="replace"))).status_code == 404
