"""Many accounts that answer at the same moment."""

import asyncio
import re
from itertools import pairwise

import pytest
from aiohttp import web

from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.background import background
from tests.http_endpoint import serve_http
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

ACCOUNTS = [f"{number:012d}" for number in range(1, 11)]
REGIONS = ["eu-west-1", "eu-central-1", "us-east-1"]
SESSION = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)


class Sts:
    """STS, which answers nobody until all accounts have asked."""

    def __init__(self) -> None:
        self.roles: set[str] = set()
        self.all_asked = asyncio.Event()

    async def respond(self, request: web.Request) -> web.Response:
        """Return a session of any role."""
        self.roles |= {*re.findall("[0-9]{12}", await request.text())}
        if self.roles >= {*ACCOUNTS}:
            self.all_asked.set()
        await self.all_asked.wait()
        return web.Response(text=SESSION, content_type="text/xml")


async def test_the_cells_of_two_accounts_at_most_are_made_in_one_turn_of_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    roles = [{"role_arn": f"arn:aws:iam::{one}:role/headroom"} for one in ACCOUNTS]
    async with serve_http(Sts().respond) as port:
        url = f"http://127.0.0.1:{port}"
        given = {"accounts": roles, "regions": REGIONS, "services": ["sqs"], "endpoint_url": url}
        config, telemetry = Config.model_validate(given), Telemetries()
        watcher = Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws)
        made = [0]

        async def watch() -> None:
            while True:
                made.append(len(watcher.cells))
                await asyncio.sleep(0)

        async with background(watch()):
            await asyncio.gather(*map(watcher.open_account, config.monitored_accounts(REGISTRY)))
        await watcher.close()
    assert len(watcher.cells) == len(ACCOUNTS) * len(REGIONS)
    assert max(after - before for before, after in pairwise(made)) <= 2 * len(REGIONS)
