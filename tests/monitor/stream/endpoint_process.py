"""Runs the endpoint of Firehose over a fleet of many streams, in a process of its own.

Argument: the port, or 0 for any. The process prints its port. `GET /values` returns the values of all streams
for each of the last MINUTES minutes, the newest first.
"""

import asyncio
import sys

import numpy as np
import uvicorn
from fastapi import FastAPI

from monitor.server.listener import bind_socket
from monitor.stream.firehose import firehose_router
from monitor.stream.firehose_access import FirehoseAccess
from tests.monitor.stream.endpoint import KEYS
from tests.monitor.stream.fleets import MINUTE, fleet_of, incoming_bytes, ingest_of

STREAMS = 50
MINUTES = 100


async def main(port: int) -> None:
    fleet = fleet_of(*(incoming_bytes.of(StreamName=f"s{n}") for n in range(STREAMS)))
    app = FastAPI()
    app.include_router(firehose_router(ingest_of(fleet), lambda: FirehoseAccess(KEYS)))

    @app.get("/values")
    async def values() -> list[list[float | None]]:
        rows = np.arange(STREAMS, dtype=np.int32)
        minutes_of_rows = [np.full(STREAMS, MINUTE - minutes_ago, np.int32) for minutes_ago in range(MINUTES)]
        return [
            [None if np.isnan(number) else float(number) for number in fleet.rings.at(rows, minutes)]
            for minutes in minutes_of_rows
        ]

    listening = bind_socket("127.0.0.1", port)
    print(listening.getsockname()[1], flush=True)
    await uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None)).serve([listening])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
