"""Serves the simulated AWS in a separate process: `python -m monitor.demo.aws --port 0`.

Prints one line `{"port": N}` when it is ready. Ends on SIGTERM or SIGINT, and when its standard input
reaches end of file, so that it never outlives the process that started it.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence

import uvicorn

from collectors.builtin import builtin_registry
from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.firehose import DemoFirehose
from monitor.demo.region import DemoRegion, DemoService
from monitor.demo.seed import seed_regions
from monitor.demo.server import create_app
from monitor.demo.services import SERVICES
from monitor.demo.story_file import STORY_FOLDER, StoryError, read_story_files
from monitor.demo.story_reader import read_stories
from monitor.demo.world import create_world

HOST = "127.0.0.1"
KEEP_ALIVE_TIMEOUT = 75  # seconds; a busy client may take uvicorn's five to read 500 metrics


def main() -> None:
    """Create a world that starts now, and serve it until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m monitor.demo.aws", description="AWS on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument(
        "--stream-to", help="where Firehose delivers the metrics of us-east-1; the key is in the environment"
    )
    arguments = parser.parse_args()
    port, stream_to = arguments.port, arguments.stream_to
    warnings.filterwarnings("ignore", "Exception.* does not match an error shape", module="moto")
    threading.Thread(target=terminate_when_stdin_closes, daemon=True).start()
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0)}")
    gc.disable()  # the resources, and the modules that serve them, stay until the end
    regions, services = open_world(start=int(time.time() // 60))
    seed_regions(regions.values())
    gc.freeze()
    gc.enable()
    with listener:
        # Connections inherit the option. Without it, each response is delayed by 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            create_app(regions, services),
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE_TIMEOUT,
        )
        keys = os.environ.get("HEADROOM_STREAM_ACCESS_KEYS", "").split(",")
        key = next(filter(None, map(str.strip, keys)), "")
        metrics = DemoCloudWatch(regions["us-east-1"], services)
        streams = [DemoFirehose(metrics, stream_to, key)] if stream_to else []
        asyncio.run(serve(uvicorn.Server(config), listener, streams))


def open_world(start: int) -> tuple[Mapping[str, DemoRegion], Sequence[DemoService]]:
    """Return the regions of a world that starts in a minute since 1970, and the services in them."""
    world = create_world(start)
    try:
        stories = asyncio.run(read_stories(read_story_files(STORY_FOLDER), builtin_registry(), world))
    except StoryError as error:
        sys.exit(f"The stories of the demo cannot be used:\n{error}")
    return stories.regions_with_quotas(world), (*SERVICES, *stories.services())


async def serve(server: uvicorn.Server, listener: socket.socket, streams: list[DemoFirehose]) -> None:
    """Serve until a signal arrives, and deliver the streams meanwhile."""

    # Handles signals until uvicorn installs its own handlers, and the one that uvicorn raises when it ends.
    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    async with asyncio.TaskGroup() as group:
        deliveries = [group.create_task(stream.run()) for stream in streams]
        await server.serve(sockets=[listener])
        for task in deliveries:
            task.cancel()


def terminate_when_stdin_closes() -> None:
    """Send this process SIGTERM once standard input is closed, so that it ends with its parent."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
