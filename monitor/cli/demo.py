"""The command `headroom demo`."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Annotated

import typer

from monitor.cli.exit_codes import FAILED
from monitor.lib import logs
from monitor.lib.garbage import resume_collecting

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom demo --port 4070")
def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")
    ] = 4070,
) -> None:
    """Run Headroom against a simulated AWS; needs no account."""
    if find_spec("moto") is None:
        typer.echo("The demo needs the extra `demo`: pip install 'aws-headroom[demo]'", err=True)
        raise typer.Exit(FAILED)
    from monitor.cli.start_error import exit_on_start_error
    from monitor.demo.environment import isolate_environment
    from monitor.demo.session import run_demo
    from monitor.lib.timed_loop import run_timed

    isolate_environment(os.environ)
    logs.configure_logging(logging.ERROR, logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    resume_collecting()
    with exit_on_start_error(), _exit_when_output_closes():
        run_timed(run_demo(port, sys.stdout))


@contextmanager
def _exit_when_output_closes() -> Iterator[None]:
    """Exit when nobody reads standard output any more, as in `headroom demo | head`."""
    try:
        yield
    except* BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit fails
        sys.exit(FAILED)
