"""The demo's AWS as a process of its own: `python -m monitor.demo.aws --port 0`.

Prints one line `{"port": N}` when it is ready. Ends on SIGTERM or SIGINT, and when its standard input
reaches end of file, so that it never outlives the process that started it.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
import warnings

import uvicorn

from monitor.demo.cloudwatch import CloudWatch
from monitor.demo.firehose import Firehose
from monitor.demo.front import app
from monitor.demo.seed import seed
from monitor.demo.world import world

HOST = "127.0.0.1"


def main() -> None:
    """Seed a world that starts now, and answer for it until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m monitor.demo.aws", description="AWS on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument(
        "--stream-to", help="where Firehose delivers the metrics of us-east-1; the key is in the environment"
    )
    port, to = parser.parse_args().port, parser.parse_args().stream_to
    warnings.filterwarnings("ignore", "Exception.* does not match an error shape", module="moto")
    threading.Thread(target=end_with_stdin, daemon=True).start()
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0)}")
    regions = world(start=int(time.time() // 60))
    seed(regions.values())
    with listener:
        # Connections inherit it. Without it each answer waits 40 ms for the acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app(regions), lifespan="off", log_level="warning", timeout_graceful_shutdown=1
        )
        key = os.environ.get("HEADROOM_STREAM_ACCESS_KEYS", "")
        streams = [Firehose(CloudWatch(regions["us-east-1"]), to, key)] if to else []
        asyncio.run(serve(uvicorn.Server(config), listener, streams))


async def serve(server: uvicorn.Server, listener: socket.socket, streams: list[Firehose]) -> None:
    def stop() -> None:  # before uvicorn has its own handlers, and when it raises the signal again at its end
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    async with asyncio.TaskGroup() as group:
        delivering = [group.create_task(stream.run()) for stream in streams]
        await server.serve(sockets=[listener])
        for task in delivering:
            task.cancel()


def end_with_stdin() -> None:
    """Send this process SIGTERM once nobody holds the other end of its standard input any more."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
