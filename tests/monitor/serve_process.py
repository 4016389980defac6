"""`headroom serve` as a process, for tests."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.forked_process import ForkedProcess
from tests.processes import eventually, headroom, nothing_pending


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


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
