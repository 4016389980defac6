"""`headroom demo`: Headroom over an AWS of its own on loopback, with traffic that moves."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from socket import socket
from tempfile import TemporaryDirectory
from typing import TextIO

from monitor.app import App, bound, stopped_by_signals
from monitor.config import Config
from monitor.course import Course
from monitor.report import Report, as_table
from monitor.rows import rows_of
from monitor.stream.config import VARIABLE

STARTING = 30.0  # seconds for the demo's AWS to be ready
ENDING = 1.0  # seconds for it to end by itself
WORST = 12  # rows of the first table

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def of_its_own(environ: MutableMapping[str, str]) -> None:
    """Make an environment the demo's: none of the user's credentials, and nothing but loopback is asked."""
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ.update(ENVIRONMENT | {VARIABLE: secrets.token_urlsafe()})


@asynccontextmanager
async def own_aws(*arguments: str) -> AsyncIterator[str]:
    """An AWS on loopback, in a process of its own that ends with this one; gives its URL.

    Raises OSError (TimeoutError is one) when it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor.demo.aws",
        "--port",
        "0",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us alone
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    try:
        line = await asyncio.wait_for(stdout.readline(), STARTING)
        if not line:
            raise OSError("the demo's AWS did not start")
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        stdin.close()
        try:
            await asyncio.wait_for(process.wait(), ENDING)
        except TimeoutError:
            process.kill()
            await process.wait()


def configuration(url: str, port: int, journal: str) -> Config:
    """Everything in sight, read every quarter of a minute."""
    return Config.model_validate(
        {
            "accounts": [{"name": "demo"}],
            "regions": "all",
            "interval": 15,
            "inventory_interval": 60,
            "judge_interval": 5,
            "listen": f"127.0.0.1:{port}",
            "endpoint_url": url,
            "journal": journal,
        }
    )


async def demo(port: int, out: TextIO) -> None:
    """Run until Ctrl-C. Raises OSError when the port is in use or the demo's AWS does not start."""
    listening = bound("127.0.0.1", port)
    stop = stopped_by_signals()
    out.write("Starting an AWS on loopback with three hours of traffic ...\n")
    with TemporaryDirectory(prefix="headroom-demo-") as folder:
        port = listening.getsockname()[1]
        async with own_aws("--stream-to", f"http://127.0.0.1:{port}/firehose/v1") as url:
            await _run(configuration(url, port, f"{folder}/headroom.db"), listening, stop, out)


async def _run(config: Config, listening: socket, stop: asyncio.Event, out: TextIO) -> None:
    app = App(config, lambda: config)
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(tell(app, out))
        await app.run(listening, stop)
        telling.cancel()


async def tell(app: App, out: TextIO) -> None:
    """Print the worst series and the addresses to open, once everything was read."""
    await app.judged.wait()
    rows, fleet, now = rows_of(app.fleet), app.fleet, int(time.time() // 60)
    as_table(Report(rows[:WORST], [], lambda key: Course.of(fleet, fleet.series[key], now)), out)
    base = f"http://{app.config.listen}"
    out.write(
        f"\n{len(rows)} series of account 123456789012, the {WORST} most urgent above. Open:\n"
        f"  {base}/                 the page\n"
        f"  {base}/metrics          for Prometheus\n"
        f"  {base}/api/v1/series    for scripts\n"
        f"  {base}/docs             the API\n"
        "It goes on until Ctrl-C.\n"
    )
    out.flush()
