"""The messages of commands that run a server, when it cannot start."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from monitor.alerting.journal import JournalError
from monitor.cli.exit_codes import FAILED


@contextmanager
def exit_on_start_error() -> Iterator[None]:
    """Print why Headroom cannot start (address in use, journal locked, the demo's AWS failed), and exit."""
    try:
        yield
    except (OSError, JournalError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        typer.echo(f"headroom cannot start: {reason or error}", err=True)
        raise typer.Exit(FAILED) from None
