"""Runs `headroom demo`: Headroom with a simulated AWS on loopback."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import TextIO

from collectors.builtin import builtin_registry
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.story_file import STORY_FOLDER
from monitor.fleet.history import SeriesHistory
from monitor.fleet.rows import rows_of
from monitor.http.connection_limiter import raise_file_limit
from monitor.lib.signals import stopped_by_signals
from monitor.report.check_tables import write_table
from monitor.report.report import Report
from monitor.server.listener import bind_socket
from monitor.stream.settings import ACCESS_KEYS_VARIABLE, access_keys_from

START_TIMEOUT = 120.0  # seconds until the simulated AWS is ready, on a busy machine, too
STOP_TIMEOUT = 1.0  # seconds until it is killed
MAX_ROWS = 12  # in the printed table
# Services that the demo simulates in `monitor/demo/services/`; of all others it has stories, or nothing.
SIMULATED_SERVICES = ("apigateway", "autoscaling", "kinesis", "lambda", "quotas", "s3", "sqs")

PATH_FILE = Path(__file__).parent / "paths.yaml"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def isolate_environment(environ: MutableMapping[str, str]) -> None:
    """Replace the AWS settings in an environment with those of the demo, so that only loopback is used.

    Existing access keys of the stream are kept; without any, one is generated.
    """
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ.update(ENVIRONMENT)
    if not access_keys_from(environ):
        environ[ACCESS_KEYS_VARIABLE] = secrets.token_urlsafe()


@asynccontextmanager
async def start_aws(*arguments: str, start_timeout: float = START_TIMEOUT) -> AsyncIterator[str]:
    """Start the simulated AWS in a process that ends with this one; yields its URL.

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
        start_new_session=True,  # Ctrl-C must not reach it
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    try:
        try:
            line = await asyncio.wait_for(stdout.readline(), start_timeout)
        except TimeoutError:
            raise TimeoutError(f"the demo's AWS did not start within {start_timeout:g} s") from None
        if not line:
            raise OSError("the demo's AWS did not start")
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()


def demo_services() -> list[str]:
    """Return the services that the demo shows: those that it simulates, and those with stories."""
    return sorted({*SIMULATED_SERVICES, *(path.stem for path in STORY_FOLDER.glob("*.yaml"))})


def demo_config(url: str, port: int, journal: str) -> Config:
    """Return a configuration that monitors the demo's services in all regions at short intervals."""
    return Config.model_validate(
        {
            "accounts": [{"name": "demo"}],
            "regions": "all",
            "services": demo_services(),
            "interval": 15,
            "max_interval": 15,
            "throttled_interval": 15,
            "inventory_interval": 60,
            "judge_interval": 5,
            "listen": f"127.0.0.1:{port}",
            "endpoint_url": url,
            "journal": journal,
            "path_files": [str(PATH_FILE)],
        }
    )


async def run_demo(port: int, out: TextIO) -> None:
    """Run the demo until Ctrl-C. Raises OSError when the port is in use or the AWS does not start."""
    raise_file_limit()
    listening = bind_socket("127.0.0.1", port)
    stop = stopped_by_signals()
    out.write("Starting a simulated AWS on loopback with three hours of history ...\n")
    with TemporaryDirectory(prefix="headroom-demo-") as folder:
        port = listening.getsockname()[1]
        async with start_aws("--stream-to", f"http://127.0.0.1:{port}/firehose/v1") as url:
            await _run(demo_config(url, port, f"{folder}/headroom.db"), listening, stop, out)


async def _run(config: Config, listening: socket, stop: asyncio.Event, out: TextIO) -> None:
    async with App.opened(config, builtin_registry(), lambda: config) as app, asyncio.TaskGroup() as group:
        summary = group.create_task(print_summary(app, out))
        await app.run(listening, stop)
        summary.cancel()


async def print_summary(app: App, out: TextIO) -> None:
    """Print the most urgent series and the addresses to open, once everything was read."""
    await app.judged.wait()
    rows, fleet, now = rows_of(app.fleet), app.fleet, int(time.time() // 60)
    write_table(
        Report(rows[:MAX_ROWS], history_of=lambda key: SeriesHistory.of(fleet, fleet.series[key], now)), out
    )
    base = f"http://{app.config.listen}"
    out.write(
        f"\nThe {MAX_ROWS} most urgent of {len(rows)} series of account 123456789012. Open:\n"
        f"  {base}/                 web page\n"
        f"  {base}/metrics          Prometheus metrics\n"
        f"  {base}/api/v1/series    JSON API\n"
        f"  {base}/docs             API documentation\n"
        "Press Ctrl-C to stop.\n"
    )
    out.flush()
