"""The command `headroom healthcheck`, for command lines that `monitor.cli.main` does not read itself."""

from typing import Annotated

import typer

from monitor.api.server_address import ADDRESS_VARIABLE, DEFAULT_ADDRESS

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom healthcheck --address 127.0.0.1:4070")
def healthcheck(
    address: Annotated[
        str,
        typer.Option(
            envvar=ADDRESS_VARIABLE, help="Address of Headroom: host:port, or an http or https URL."
        ),
    ] = DEFAULT_ADDRESS,
) -> None:
    """Probe a running Headroom; exit with 0 if healthy, else with 1.

    The certificate of a loopback address is not verified, because no secret is sent.
    """
    from monitor.cli.probe import probe

    if code := probe(address):
        raise typer.Exit(code)
