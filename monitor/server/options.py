"""The options of the HTTP server, and the configuration of uvicorn."""

from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from monitor.http.connection import MAX_HEAD_SIZE, HttpConnection
from monitor.stream import firehose

SHUTDOWN_TIMEOUT = 1  # seconds that open requests may take to end when the process stops


class ServerOptions(NamedTuple):
    """The time-outs of the HTTP server for slow clients.

    delivery_timeout: seconds in which the body of a Firehose delivery must arrive. connection: the class of
    connections for uvicorn, which has the other time-outs.
    """

    delivery_timeout: float = firehose.BODY_TIMEOUT
    connection: type[HttpConnection] = HttpConnection


DEFAULT_SERVER = ServerOptions()


def server_config(web: FastAPI, options: ServerOptions) -> uvicorn.Config:
    """Return the configuration of uvicorn for an application."""
    return uvicorn.Config(
        web,
        http=options.connection,
        h11_max_incomplete_event_size=MAX_HEAD_SIZE,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the client is the address of the connection, not that of a header
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
