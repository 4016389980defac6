"""The HTTP application with a fleet by hand, and somebody who asks it, for all tests that want them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.monitor.served import Server, client_of


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server.opened(tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as client:
        yield client
