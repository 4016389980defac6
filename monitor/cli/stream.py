"""`headroom stream`: the setup of metric streams, and deliveries that could not be decoded."""

import json
from typing import Annotated, Literal

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.exit_codes import FAILED
from monitor.cli.options import Address, ConfigFile

app = typer.Typer(
    help="Set up metric streams; list pieces that were not decoded.",
    no_args_is_help=True,
    add_completion=False,
)

DEAD_LETTERS_PATH = "/api/v1/stream/dead-letters"


@app.command(epilog="Example: headroom stream setup --format terraform --service kinesis > stream.tf")
def setup(
    format: Annotated[
        Literal["terraform", "cloudformation"],
        typer.Option(help="Output format: terraform or cloudformation.", metavar="FORMAT"),
    ],
    service: Annotated[
        list[str] | None, typer.Option(help="Include only the metrics of this service. Can be repeated.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Include only this metric, as NAMESPACE:NAME. Can be repeated."),
    ] = None,
    linked_accounts: Annotated[
        bool, typer.Option("--linked-accounts", help="Include the accounts linked to a monitoring account.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Print a template of a metric stream.

    Apply it in each monitored account and region.
    """
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.stream import aws_setup

    registry = load_registry_or_exit(config)
    if unknown := set(service or ()) - registry.services.keys():
        expected = ", ".join(registry.service_names)
        typer.echo(f"--service: expected one of {expected}; found {min(unknown)}", err=True)
        raise typer.Exit(FAILED)
    collectors = registry.collectors_of(service) if service else registry.collectors
    try:
        metrics = {_namespace_and_name(text) for text in metric or ()}
        filters = aws_setup.filters_for(collectors, linked_accounts, sorted(metrics))
    except (aws_setup.NoStreamedMetricsError, aws_setup.UnknownMetricError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    typer.echo(aws_setup.FORMATS[format](filters), nl=False)


def _namespace_and_name(metric: str) -> tuple[str, str]:
    """Return the namespace and the name of NAMESPACE:NAME; the namespace is empty without a colon."""
    namespace, _, name = metric.rpartition(":")
    return namespace, name


@app.command("dead-letters", epilog="Example: headroom stream dead-letters --address 127.0.0.1:4070")
def dead_letters(
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Print the latest pieces of deliveries that were not decoded.

    One JSON object per line.
    """
    from monitor.api.client import ApiStatusError, ApiTransportError, request
    from monitor.cli.requests import checked_answer

    try:
        response = checked_answer(address, request(address, "GET", DEAD_LETTERS_PATH))
    except (ApiTransportError, ApiStatusError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    for piece in response["items"]:
        typer.echo(json.dumps(piece, ensure_ascii=True))
    typer.echo(f"pieces not decoded since the start: {response['total']}", err=True)
