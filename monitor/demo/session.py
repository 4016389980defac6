"""Runs `headroom demo`: Headroom with a simulated AWS on loopback, and the story that happens there."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Any, TextIO, TypeVar

from collectors.builtin import builtin_registry
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.aws_process import AwsProcess, start_aws
from monitor.demo.hints import headroom_command, hints
from monitor.demo.narrator import Narrator
from monitor.demo.receiver import DemoReceiver
from monitor.demo.scenes import SCENES, Scene, story_start
from monitor.demo.story_file import STORY_FOLDER
from monitor.demo.world import ACCOUNTS, STORY_STREAM
from monitor.fleet.history import SeriesHistory
from monitor.fleet.rows import rows_of
from monitor.http.connection_limiter import raise_file_limit
from monitor.lib.schedule import SYSTEM_CLOCK, LoopClock
from monitor.lib.signals import stopped_by_signals
from monitor.report.check_tables import write_table
from monitor.report.report import Report
from monitor.server.listener import bind_socket

Result = TypeVar("Result")

MAX_ROWS = 12  # in the printed table
TIME_TO_READ = 2.0  # seconds from the printed table until the story's first scene, at least
# Services that `monitor/demo/services/` simulates; other services have stories, or are not in the demo.
SIMULATED_SERVICES = ("apigateway", "autoscaling", "kinesis", "lambda", "quotas", "s3", "sqs")

# The request paths of the demo.
PATH_FILE = Path(__file__).parent / "paths.yaml"


def demo_services() -> list[str]:
    """Return the services that the demo shows: the simulated ones, and those with stories."""
    return sorted({*SIMULATED_SERVICES, *(path.stem for path in STORY_FOLDER.glob("*.yaml"))})


def demo_settings(url: str, listen: str, journal: str, receiver_address: str) -> dict[str, Any]:
    """Return the configuration of the demo as the keys and values of its file.

    Metrics are read at the default intervals, so that costs are similar to those of real accounts.
    url: the address of the simulated AWS. receiver_address: the address of the receiver of notifications.
    """
    return {
        "accounts": [account.entry() for account in ACCOUNTS],
        "regions": "all",
        "services": demo_services(),
        "throttled_interval": 60,  # so that the end of throttling is seen soon
        "inventory_interval": 60,
        "judge_interval": 5,
        "listen": listen,
        "endpoint_url": url,
        "journal": journal,
        "path_files": [str(PATH_FILE)],
        "links": {"headroom": f"http://{listen}"},
        "receivers": [
            {
                "name": "demo",
                "type": "webhook",
                "url": f"{receiver_address}/webhook",
                "allow_insecure": True,
                "allow_private": True,
            }
        ],
        "route": {
            "group_by": ["account", "region", "service", "resource"],
            "group_wait": 5,
            "group_interval": 5,
        },
        # Alerts fire and end at once, so that the story is short.
        "alerts": [{"resource": STORY_STREAM, "will_reach_for": 0, "for": 0, "keep_firing_for": 0}],
    }


def demo_config(settings: Mapping[str, Any]) -> Config:
    """Return the settings of the demo as a configuration."""
    return Config.model_validate(settings)


async def run_demo(port: int, out: TextIO, clock: LoopClock = SYSTEM_CLOCK) -> None:
    """Run the demo until Ctrl-C. Raises OSError if the port is in use or the simulated AWS does not start."""
    started = clock.now()
    raise_file_limit()
    listening_socket = bind_socket("127.0.0.1", port)
    stop = stopped_by_signals()
    out.write("Starting a simulated AWS on loopback with a fortnight of history ...\n")
    out.flush()
    listen = f"127.0.0.1:{listening_socket.getsockname()[1]}"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="headroom-demo-")))
        receiver = await stack.enter_async_context(DemoReceiver.started(time.time))
        arguments = "--stream-to", f"http://{listen}/firehose/v1", "--delete-after", str(folder)
        aws_start = stack.enter_async_context(start_aws(*arguments))
        if (aws := await _unless_stopped(aws_start, stop)) is None:
            return
        settings = demo_settings(aws.url, listen, str(folder / "headroom.db"), receiver.address)
        config_file = folder / "headroom.yaml"
        config_file.write_text(json.dumps(settings, indent=2))  # JSON is YAML
        demo = Demo(aws, receiver, config_file, out, clock, started)
        await demo.run(demo_config(settings), listening_socket, stop)


async def _unless_stopped(work: Coroutine[Any, Any, Result], stop: asyncio.Event) -> Result | None:
    """Return the result of `work`; None if `stop` is set first, in which case `work` is cancelled."""
    work_task, stop_task = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([work_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
        if work_task.done():
            return work_task.result()
        work_task.cancel()
        with suppress(asyncio.CancelledError):
            await work_task
        return None
    finally:
        stop_task.cancel()


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo whose AWS has started.

    config_file: the path of its configuration, for other commands. started: the start of the demo, in seconds
    of `clock`.
    """

    aws: AwsProcess
    receiver: DemoReceiver
    config_file: Path
    out: TextIO
    clock: LoopClock
    started: float

    async def run(self, config: Config, listening_socket: socket, stop: asyncio.Event) -> None:
        """Run Headroom and tell the story until `stop` is set."""
        registry = builtin_registry()
        async with App.opened(config, registry, lambda: config) as app, asyncio.TaskGroup() as group:
            narration = group.create_task(self._tell(app))
            await app.run(listening_socket, stop)
            narration.cancel()

    async def _tell(self, app: App) -> None:
        await app.judged.wait()
        self._print_summary(app)
        narrator = Narrator(
            app.fleet,
            STORY_STREAM,
            self.receiver,
            self.aws.begin,
            lambda key: app.watcher.request_inventory(key.cell, key.service),
            self.out,
            self.clock,
            story_start(max(self.started, self.clock.now() + TIME_TO_READ - SCENES[Scene.RISE].after)),
        )
        await narrator.tell()

    def _print_summary(self, app: App) -> None:
        """Print the most urgent series, and the hints."""
        rows, fleet, now = rows_of(app.fleet), app.fleet, int(time.time() // 60)

        def history_of(key: Any) -> SeriesHistory:
            return SeriesHistory.of(fleet, fleet.series[key], now)

        write_table(Report(rows[:MAX_ROWS], history_of=history_of), self.out)
        command = headroom_command(sys.argv[0], os.environ.get("PATH", ""))
        lines = hints(app.config.listen, self.receiver.address, self.config_file, command)
        self.out.write(f"\nThe {MAX_ROWS} most urgent of {len(rows)} series.\n")
        self.out.writelines(f"{line}\n" for line in (*lines, "Press Ctrl-C to stop.", ""))
        self.out.flush()
