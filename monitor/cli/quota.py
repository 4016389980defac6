"""The command `headroom quota request`."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigFile

app = typer.Typer(
    help="Request the increase of a quota.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def quota() -> None:
    """Request the increase of a quota."""


@app.command(epilog="Example: headroom quota request kinesis.shards_per_region --to 2000 --region eu-west-1")
def request(
    signal: Annotated[
        str, typer.Argument(help="A signal as service.name, or any quota by its codes: vpc/L-F678F1CE.")
    ],
    to: Annotated[
        str, typer.Option(help="The value to request, written as limits are: 2000, 2k, 40TiB.", metavar="N")
    ],
    resource: Annotated[
        str, typer.Option(help="The id or ARN of the resource, if each resource has its own quota.")
    ] = "",
    account: Annotated[str, typer.Option(help="Name or id of the account, if several are configured.")] = "",
    region: Annotated[str, typer.Option(help="The region, if several are configured.")] = "",
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Send the request. Needs servicequotas:RequestServiceQuotaIncrease."),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Print the command that requests an increase of a quota.

    Reads the quota and earlier requests first. Exits with 1 and the reason when no request makes sense:
    a request is pending, the value is not above the value in force, AWS does not increase the quota, or
    the limit is not a quota; with 2 when the quota could not be read.
    """
    from monitor.cli.quota_request import IncreaseArguments, request_increase_or_exit

    request_increase_or_exit(IncreaseArguments(signal, to, resource, account, region), config, send=yes)
