"""The command `headroom top`."""

import sys
from typing import Annotated

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.exit_codes import FAILED
from monitor.cli.options import Address
from monitor.lib.garbage import resume_collecting

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom top --address 127.0.0.1:4070")
def top(
    address: Address = DEFAULT_ADDRESS,
    every: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between two refreshes.")] = 5,
) -> None:
    """Show a running Headroom in the terminal, live.

    Keys sort, filter, open a series, acknowledge and silence.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        typer.echo("headroom top needs a terminal; without one, use headroom check or the API", err=True)
        raise typer.Exit(FAILED)
    from monitor.top.app import Top

    resume_collecting()
    Top(address, every).run()
