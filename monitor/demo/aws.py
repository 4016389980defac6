"""Serves the simulated AWS in a separate process: `python -m monitor.demo.aws --port 0`.

Prints one line `{"port": N}` when it is ready. A line of its standard input with the name of a scene (see
`monitor.demo.scenes`) begins that scene. Ends on SIGTERM or SIGINT, and at the end of its standard input, so
that it never outlives the process that started it. In that case it first deletes the folder of that process
(`--delete-after`), which could not do so if it was killed.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Sequence

import uvicorn

from collectors.builtin import builtin_registry
from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.firehose import DemoFirehose
from monitor.demo.region import ACCOUNT, DemoRegion, DemoService
from monitor.demo.scenes import BegunScenes, Scene
from monitor.demo.seed import seed_regions
from monitor.demo.server import create_app
from monitor.demo.services import SERVICES
from monitor.demo.story_file import STORY_FOLDER, StoryError, read_story_files
from monitor.demo.story_reader import read_stories
from monitor.demo.world import create_world

HOST = "127.0.0.1"
KEEP_ALIVE_TIMEOUT = 75  # seconds; a busy client may send nothing for longer than uvicorn's default of 5


def main() -> None:
    """Create a world that starts now, and serve it until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m monitor.demo.aws", description="AWS on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument(
        "--stream-to",
        help="URL to which Firehose delivers the metrics of us-east-1; "
        "the access key is the first in HEADROOM_STREAM_ACCESS_KEYS",
    )
    parser.add_argument("--delete-after", help="folder to delete once standard input has ended")
    arguments = parser.parse_args()
    port, stream_to = arguments.port, arguments.stream_to
    warnings.filterwarnings("ignore", "Exception.* does not match an error shape", module="moto")
    scenes = BegunScenes()
    threading.Thread(target=follow_stdin, args=(scenes, arguments.delete_after), daemon=True).start()
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0)}")
    gc.disable()  # what is created until `gc.freeze` is used until the end: there is no garbage to find
    regions, services = open_world(int(time.time() // 60), scenes)
    seed_regions(regions)
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
        cloudwatch = DemoCloudWatch(streamed_region(regions), services)
        streams = [DemoFirehose(cloudwatch, stream_to, key)] if stream_to else []
        asyncio.run(serve(uvicorn.Server(config), listener, streams))


def open_world(start: int, scenes: BegunScenes) -> tuple[Sequence[DemoRegion], Sequence[DemoService]]:
    """Return the regions of a new world, and their services. start: the start, in minutes since 1970."""
    regions = create_world(start, scenes)
    story_regions = {region.name: region for region in regions if region.account == ACCOUNT}
    try:
        stories = asyncio.run(read_stories(read_story_files(STORY_FOLDER), builtin_registry(), story_regions))
    except StoryError as error:
        sys.exit(f"The stories of the demo cannot be used:\n{error}")
    return [*map(stories.with_quotas, regions)], (*SERVICES, *stories.services())


def streamed_region(regions: Iterable[DemoRegion]) -> DemoRegion:
    """Return the region whose metrics are streamed."""
    return next(region for region in regions if (region.account, region.name) == (ACCOUNT, "us-east-1"))


async def serve(server: uvicorn.Server, listener: socket.socket, streams: list[DemoFirehose]) -> None:
    """Serve until a signal arrives, and deliver the streams meanwhile."""

    # Handles signals that come before uvicorn installs its own handlers. At its end, uvicorn restores this
    # handler, and raises again the signals that it has received.
    def stop() -> None:
        server.should_exit = True

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    async with asyncio.TaskGroup() as group:
        deliveries = [group.create_task(stream.run()) for stream in streams]
        await server.serve(sockets=[listener])
        for task in deliveries:
            task.cancel()


def follow_stdin(scenes: BegunScenes, folder: str | None) -> None:
    """Begin the scenes that standard input names; when it is closed, send SIGTERM to this process.

    folder: a folder to delete before the signal is sent; None: no folder.
    """
    scenes_by_name = {scene.value: scene for scene in Scene}
    for line in sys.stdin:
        if scene := scenes_by_name.get(line.strip()):
            scenes.begin(scene, time.time())
    if folder:
        shutil.rmtree(folder, ignore_errors=True)  # the process that made it may have deleted it
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
