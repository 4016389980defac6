"""`headroom serve` as a process, for tests."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import SystemRandom

from tests.forked_process import ForkedProcess
from tests.processes import eventually, headroom, nothing_pending

# Linux gives ports from 32768 on to clients and to servers that ask for any port, so a free port in that
# range may be taken before it is used. The order is random, so that concurrent processes differ.
PORTS = iter(SystemRandom().sample(range(16384, 32768), 16384))


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on, and that was not returned before."""
    for port in PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("all ports were tried")


def journal_line(folder: Path) -> str:
    """Return the line of a configuration that puts the journal into a folder."""
    return f"journal: {folder}/headroom.db\n"


@asynccontextmanager
async def running_server(
    config: Path, text: str, environ: Mapping[str, str]
) -> AsyncIterator[tuple[ForkedProcess, str]]:
    """Run `headroom serve`; yield the process and its base URL once all was read.

    config: the path of the configuration, which is written. text: its text, without the line of the journal.
    """
    url = f"http://127.0.0.1:{free_port()}"
    config.write_text(text + journal_line(config.parent))
    listen = url.removeprefix("http://")
    async with headroom("serve", "--config", str(config), "--listen", listen, environ=environ) as process:
        await eventually(partial(nothing_pending, url))
        yield process, url
