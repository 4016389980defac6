"""The command `headroom serve`."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

import typer

from monitor.cli.options import ConfigFile, LogFormat, LogLevel
from monitor.lib import logs
from monitor.lib.garbage import resume_collecting
from monitor.lib.json_formatter import JsonFormatter
from monitor.lib.malloc import share_one_arena

log = logging.getLogger(__name__)

FORMATTERS: Mapping[str, Callable[[], logging.Formatter]] = {
    "text": partial(logging.Formatter, "%(asctime)s %(levelname)s %(name)s: %(message)s"),
    "json": JsonFormatter,
}

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom serve --config headroom.yaml --listen 127.0.0.1:4070")
def serve(
    config: ConfigFile = None,
    listen: Annotated[
        str | None, typer.Option(help="Listen on this host:port instead of the configured one.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Listen on this host; 0.0.0.0 needs `auth` in the configuration.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port; 0 picks a free one.")
    ] = None,
    log_format: LogFormat = "text",
    log_level: LogLevel = "info",
) -> None:
    """Run the monitor until SIGINT or SIGTERM.

    SIGHUP reloads the configuration.
    """
    from monitor.app import serve as run_server
    from monitor.cli.config_file import ListenOptions, load_config, load_config_or_exit
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.cli.start_error import exit_on_start_error
    from monitor.config.watched import watched_sentence
    from monitor.lib.timed_loop import run_timed

    share_one_arena()
    logs.configure_logging(logging.getLevelNamesMapping()[log_level.upper()], FORMATTERS[log_format]())
    listen_options = ListenOptions(listen, host, port)
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config, listen_options)
    log.info("%s", watched_sentence(settings, registry))
    resume_collecting()
    with exit_on_start_error():
        run_timed(run_server(settings, registry, partial(load_config, registry, config, listen_options)))
