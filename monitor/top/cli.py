"""The command `headroom top`."""

import sys
from typing import Annotated

import typer

from monitor.client import DEFAULT, Address

NO_TERMINAL = 2  # exit code


def top(
    address: Address = DEFAULT,
    every: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between two looks.")] = 5,
) -> None:
    """See a running Headroom on the whole terminal, live: sort, filter, open a series, acknowledge, mute."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        typer.echo("headroom top needs a terminal; headroom check and the API need none", err=True)
        raise typer.Exit(NO_TERMINAL)
    from monitor.top.app import Top  # noqa: PLC0415 - its library takes a while, and other commands need none

    Top(address, every).run()
