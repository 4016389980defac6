"""The command `headroom healthcheck`. A container runs it every few seconds, so it imports little."""

from http.client import HTTPException
from typing import Annotated

import typer

from monitor.api import client
from monitor.cli.exit_codes import UNHEALTHY

HEALTHY_STATUS = "200 OK"

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom healthcheck --address 127.0.0.1:4070")
def healthcheck(
    address: Annotated[
        str, typer.Option(help="Address of Headroom: host:port, or an http or https URL.")
    ] = client.DEFAULT_ADDRESS,
) -> None:
    """Probe a running Headroom; exits with 0 when it is healthy, else with 1.

    The certificate of a loopback address is not verified, because no secret is sent.
    """
    try:
        status = client.probe_health(address)
    except (OSError, ValueError, HTTPException) as error:
        status = str(error).strip()
    if status != HEALTHY_STATUS:
        typer.echo(f"{address}: {status}", err=True)
        raise typer.Exit(UNHEALTHY)
