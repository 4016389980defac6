"""Opens many accounts whose roles are all assumed at the same moment."""

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
ASSUME_ROLE_RESPONSE = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)


class Sts:
    """A fake STS that answers no request until all accounts have sent one."""

    def __init__(self) -> None:
        self.roles: set[str] = set()
        self.all_requested = asyncio.Event()

    async def respond(self, request: web.Request) -> web.Response:
        """Answer AssumeRole once all accounts have called it."""
        self.roles |= {*re.findall("[0-9]{12}", await request.text())}
        if self.roles >= {*ACCOUNTS}:
            self.all_requested.set()
        await self.all_requested.wait()
        return web.Response(text=ASSUME_ROLE_RESPONSE, content_type="text/xml")


async def test_one_turn_of_the_event_loop_makes_the_cells_of_at_most_two_accounts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    roles = [{"role_arn": f"arn:aws:iam::{account}:role/headroom"} for account in ACCOUNTS]
    async with serve_http(Sts().respond) as port:
        url = f"http://127.0.0.1:{port}"
        settings = {"accounts": roles, "regions": REGIONS, "services": ["sqs"], "endpoint_url": url}
        config, telemetry = Config.model_validate(settings), Telemetries()
        watcher = Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws)
        cell_counts = [0]

        async def count_cells() -> None:
            while True:
                cell_counts.append(len(watcher.cells))
                await asyncio.sleep(0)

        async with background(count_cells()):
            await asyncio.gather(*map(watcher.open_account, config.monitored_accounts(REGISTRY)))
        await watcher.close()
    assert len(watcher.cells) == len(ACCOUNTS) * len(REGIONS)
    assert max(after - before for before, after in pairwise(cell_counts)) <= 2 * len(REGIONS)
