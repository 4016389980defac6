"""Fixtures: the HTTP application over a fleet that tests fill, its client, and a simulated AWS."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.monitor.fleet_server import Server, client_of
from tests.processes import demo_aws_process, environment_of_aws


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """The address of a simulated AWS. All tests of a worker share it, so a test must not change it."""
    with demo_aws_process() as (_, url):
        yield url


@pytest.fixture(scope="session")
def aws_environ(aws_url: str) -> dict[str, str]:
    """Return environment variables that point to the shared AWS."""
    return environment_of_aws(aws_url)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server.opened(tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as client:
        yield client
