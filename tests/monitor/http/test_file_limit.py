"""The soft limit of open files, which `headroom serve` raises so that it can serve more connections."""

import asyncio
import socket
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.aws_environment import NO_CREDENTIALS
from tests.monitor.serve_process import free_port, journal_line
from tests.processes import ENVIRONMENT, eventually, get, running

SOFT_LIMIT = 64
CONNECTIONS = 200
SCRIPT_WITH_SOFT_LIMIT = """
import resource, sys
from monitor.cli.main import main

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv.pop(1)), hard))
main()
"""


async def test_the_soft_limit_of_open_files_is_raised_at_the_start(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "headroom.yaml"
    config.write_text("regions: [eu-west-1]\n" + journal_line(tmp_path))
    serve = "serve", "--config", str(config), "--listen", f"127.0.0.1:{port}"
    command = sys.executable, "-c", SCRIPT_WITH_SOFT_LIMIT, str(SOFT_LIMIT), *serve
    async with running(*command, environ=ENVIRONMENT | NO_CREDENTIALS):
        await eventually(partial(get, f"http://127.0.0.1:{port}/-/healthy"))

        async def all_connections_are_open() -> bool | None:
            response = await get(f"http://127.0.0.1:{port}/metrics")
            is_reported = response and f"headroom_http_connections {CONNECTIONS + 1:.1f}" in response.text
            return True if is_reported else None

        with ExitStack() as connections:
            for _ in range(CONNECTIONS):
                connections.enter_context(socket.create_connection(("127.0.0.1", port)))
                await asyncio.sleep(0)
            await eventually(all_connections_are_open)
