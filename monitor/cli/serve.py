"""The command `headroom serve`."""

import asyncio
import logging
from functools import partial
from typing import Annotated

import typer

from monitor.cli.options import ConfigFile
from monitor.lib import logs
from monitor.lib.garbage import resume_collecting
from monitor.lib.malloc import share_one_arena

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom serve --config headroom.yaml --listen 127.0.0.1:4070")
def serve(
    config: ConfigFile = None,
    listen: Annotated[
        str | None, typer.Option(help="Listen on this host:port instead of the configured one.")
    ] = None,
) -> None:
    """Run the monitor until SIGINT or SIGTERM. SIGHUP reloads the configuration."""
    from monitor.app import serve as run_server
    from monitor.cli.config_file import load_config, load_config_or_exit, load_registry_or_exit
    from monitor.cli.start_error import exit_on_start_error

    share_one_arena()
    logs.configure_logging(logging.INFO, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config, listen)
    resume_collecting()
    with exit_on_start_error():
        asyncio.run(run_server(settings, registry, partial(load_config, registry, config, listen)))
