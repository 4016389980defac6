"""`headroom stream dead-letters` with and without a running Headroom."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from monitor.cli.stream import app
from tests.monitor.stream.bodies import envelope
from tests.monitor.stream.endpoint import Endpoint, serve_endpoint
from tests.monitor.stream.fleets import fleet_of, ingest_of


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serve_endpoint(ingest_of(fleet_of())) as running:
        yield running


async def dead_letters(port: int) -> tuple[int, str, str]:
    """Run `headroom stream dead-letters`; return its exit code, standard output and standard error."""
    command = ["dead-letters", "--address", f"127.0.0.1:{port}"]
    result = await asyncio.to_thread(lambda: CliRunner().invoke(app, command))
    return result.exit_code, result.stdout, result.stderr


async def test_dead_letters_of_a_running_headroom_are_printed_the_newest_first(endpoint: Endpoint) -> None:
    await endpoint.post(envelope([b"older \x1b[31m"]))
    await endpoint.post(envelope([b"newer"]))
    code, output, errors = await dead_letters(endpoint.port)
    assert code == 0
    assert [json.loads(line)["piece"] for line in output.splitlines()] == ["newer", "older \x1b[31m"]
    assert "\x1b" not in output
    assert "pieces not decoded since the start: 2" in errors


async def test_a_refused_connection_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_server:
        port = closed_server.getsockname()[1]
    code, _, errors = await dead_letters(port)
    assert code == 2
    assert "refused" in errors
