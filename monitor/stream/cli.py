"""The commands of the stream: `headroom stream`."""

import json
from typing import Annotated, Literal

import typer

from monitor.client import DEFAULT, Address, Refused, Unanswered, ask
from monitor.config_types import known_services
from monitor.stream import setup as set_up

app = typer.Typer(help="Have CloudWatch metrics streamed in.", no_args_is_help=True)

FAILED = 2
LETTERS = "/api/v1/stream/dead-letters"


@app.command(epilog="Example: headroom stream setup --format terraform --service kinesis > stream.tf")
def setup(
    format: Annotated[Literal["terraform", "cloudformation"], typer.Option(help="For which tool.")],
    service: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
) -> None:
    """Print what to set up in each account and region: a metric stream of what is read, and Firehose."""
    services = service or known_services()
    if strange := set(services) - set(known_services()):
        typer.echo(f"expected services of {', '.join(known_services())}; found {min(strange)}", err=True)
        raise typer.Exit(FAILED)
    typer.echo(set_up.FORMATS[format](set_up.filters(services)), nl=False)


@app.command("dead-letters", epilog="Example: headroom stream dead-letters --address 127.0.0.1:4070")
def dead_letters(
    address: Address = DEFAULT,
) -> None:
    """Show the latest pieces of the stream that a running Headroom could not decode, and why."""
    try:
        told = ask(address, "GET", LETTERS)
    except (Unanswered, Refused) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    for letter in told["letters"]:
        typer.echo(json.dumps(letter, ensure_ascii=True))
    typer.echo(f"{told['count']} in all", err=True)
