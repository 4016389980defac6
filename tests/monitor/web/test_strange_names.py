"""Names with markup, lone surrogates and 1,000 characters: every address of the server responds."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from collectors.base import Resource, Unobservable
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus, ReloadStatus
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.snapshot import ActiveAlert
from monitor.lib.text import replace_surrogates
from monitor.topology.path_status import PathStatus, PathStatuses
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import ACCOUNT, REGION, add, key, set_judgement
from tests.monitor.fleet_server import Server, client_of
from tests.monitor.topology.path_fleet import PathFleet
from tests.monitor.web.pages import Page, feed

MARKUP = "<script>alert(1)</script>\"'`&amp;\x00\n${x}{{x}}"
PAGES = (
    "/",
    "/alerts",
    "/coverage",
    "/what-if",
    "/paths",
    "/paths/{name}",
    "/blind",
    "/cost",
    "/status",
    "/docs",
    "/series/{id}",
    "/openapi.json",
)
NAMES = {"markup": MARKUP, "surrogates": "a\udc80\ud800b", "long": "x" * 1000, "long markup": MARKUP * 25}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return NAMES[request.param]


@asynccontextmanager
async def server_of_names(folder: Path, name: str) -> AsyncIterator[Server]:
    """Open a server on which everything has this name; one alert fires and one is pending."""
    async with Server.opened(folder) as server:
        fleet, now = server.fleet, int(time.time() // 60)
        firing, pending = (add(fleet, key(f"{name}{number}")) for number in range(2))
        # The path and the names of a stage have two parts.
        stage = Resource("stage", (name, f"{name}/"), (name, name)).utf8_safe
        add(fleet, Key(ACCOUNT, REGION, "apigateway", "rest_stage_method_throttle", stage))
        why = Unobservable(name, name)
        hidden = add(fleet, key(f"{name}2"), usage=why, throttled=None)
        feed(fleet, firing, [950.0] * 30, [3.0] * 30)
        feed(fleet, pending, [950.0] * 2)
        judge(fleet, now)
        set_judgement(fleet, hidden, Zone.UNOBSERVABLE)
        failed = RunStatus(started_at=60.0, failures=[Failure(name, name, name, name)])
        cell = CellStatus(account=ACCOUNT, region=REGION, name=name, collectors={"sqs": failed}, poll=failed)
        reload = ReloadStatus(at=60.0, error=name)
        server.status = MonitorStatus(
            cells=[cell], inaccessible_accounts={name: failed.failures[0]}, pending=[name], last_reload=reload
        )
        text = replace_surrogates(name)  # as stored, without lone surrogates
        alert = notice(firing.key.id, resource=text, summary=text, remedy=(text,), links={"runbook": text})
        server.alerting.engine.alerts[firing.key.id] = alert
        active = [
            ActiveAlert(series.slot, "warning", state, 60) for series, state in ((firing, 2), (pending, 1))
        ]
        server.paths = PathStatuses([await path_of(name)], 1)
        await server.exposition.publish({ACCOUNT: name}, active)
        yield server


async def path_of(name: str) -> PathStatus:
    """Return the status of a path through a queue of this name."""
    fleet = PathFleet()
    fleet.put("sqs.standard_in_flight", ("jobs",), 10, names=(name,))
    fleet.set_flow("NumberOfMessagesSent", 5, "jobs")
    return await fleet.status("paths: [{name: jobs, hops: [{service: sqs, resource: jobs}]}]")


@pytest.fixture
async def server(tmp_path: Path, name: str) -> AsyncIterator[Server]:
    async with server_of_names(tmp_path, name) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as client:
        yield client


async def addresses(client: httpx.AsyncClient, server: Server) -> Iterator[str]:
    """Return all addresses that answer GET, for every series, without the endless stream of events."""
    documented = (await client.get("/openapi.json")).json()["paths"]
    readable = {path for path, methods in documented.items() if "get" in methods} | {*PAGES}
    identities = [series.key.id for series in server.fleet.series.values()]
    paths = {path.replace("{name}", "jobs") for path in readable}
    return iter(sorted({path.replace("{id}", identity) for path in paths for identity in identities}))


async def test_every_address_responds(server: Server, client: httpx.AsyncClient) -> None:
    for path in await addresses(client, server):
        got = await client.get(path)
        assert got.is_success, f"{path}: {got.text}"
        media_type = got.headers["content-type"].partition(";")[0]
        if media_type == "text/html":
            assert not Page(got.text).foreign_scripts, path
        elif media_type == "application/json":
            assert json.loads(got.content) is not None


async def test_unknown_addresses_are_not_found(client: httpx.AsyncClient, name: str) -> None:
    for path in ("/series/", "/static/", "/api/v1/series/", "/nosuch/"):
        assert (await client.get(path + quote(name, errors="replace"))).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/v1/series"])
@pytest.mark.parametrize(
    "pattern", ["[" * 4000, "*" + "[" * 4000, "[]" * 2000, "*" + "[!" * 2000, "\\" * 4000]
)
async def test_patterns_with_thousands_of_brackets_get_a_response(
    server: Server, client: httpx.AsyncClient, path: str, pattern: str
) -> None:
    await server.publish()
    got = await client.get(path, params={"resource": pattern}, follow_redirects=True)
    assert got.status_code in (200, 422)


async def test_the_page_of_an_api_stage_shows_its_names_and_its_ids(tmp_path: Path) -> None:
    async with Server.opened(tmp_path) as server, client_of(server) as client:
        stage = Resource("stage", ("a1b2", "prod"), ("orders", "prod"))
        series = add(server.fleet, Key(ACCOUNT, REGION, "apigateway", "rest_stage_method_throttle", stage))
        await server.publish()
        words = Page((await client.get(f"/series/{series.key.id}")).text).words
        assert "orders/prod" in words and "a1b2/prod" in words
