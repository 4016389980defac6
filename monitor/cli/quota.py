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
        str, typer.Argument(help="A signal, service.name, or any quota by its codes, vpc/L-F678F1CE.")
    ],
    to: Annotated[
        str, typer.Option(help="The value to ask for, as limits are shown: 2000, 2k, 40TiB.", metavar="N")
    ],
    resource: Annotated[
        str, typer.Option(help="The id or the ARN of the resource, for a quota that each has of its own.")
    ] = "",
    account: Annotated[str, typer.Option(help="Name or id of the account, if several are configured.")] = "",
    region: Annotated[str, typer.Option(help="The region, if several are configured.")] = "",
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Send the request. Needs servicequotas:RequestServiceQuotaIncrease."),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Print the command that requests an increase, after a look at the quota and at earlier requests.

    Exits with 1 and the reason where no request makes sense: one is pending, the value is not above the one
    in force, AWS does not increase the quota, or the limit is none; with 2 where AWS could not be asked.
    """
    from monitor.cli.quota_request import IncreaseArguments, request_or_exit

    request_or_exit(IncreaseArguments(signal, to, resource, account, region), config, send=yes)
