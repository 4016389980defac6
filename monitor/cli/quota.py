"""The command `headroom quota request`."""

from dataclasses import dataclass
from os import environ
from typing import Annotated

import typer

from collectors.registry import Registry
from monitor.aws.account import Account, account_name
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import open_cells
from monitor.aws.failure import AWS_ERRORS, failure_from
from monitor.aws.telemetry import AwsTelemetry
from monitor.cli.alerts import exit_with
from monitor.cli.config_file import ConfigFile, load_config_or_exit, load_registry_or_exit
from monitor.cli.exit_codes import FAILED, REFUSED
from monitor.cli.interruptible import run_interruptible
from monitor.config.config import Config
from monitor.lib.telemetry import ProcessTelemetry
from monitor.lib.text import escape_unprintable
from monitor.quotas.increase import (
    REQUEST_ACTION,
    QuotaCallError,
    QuotaIncrease,
    prepare_increase,
    send_increase,
)
from monitor.quotas.place import ACCOUNT_ID, choose_account, in_one_region, resource_arn
from monitor.quotas.wanted import RequestRefusedError, UnknownQuotaError, WantedQuota, find_quota


@dataclass(frozen=True, slots=True)
class QuotaTarget:
    """The account and the resource of a quota. account: with its region. given, resource: as named."""

    account: Account
    given: str
    resource: str


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
    yes: Annotated[bool, typer.Option("--yes", help=f"Send the request. Needs {REQUEST_ACTION}.")] = False,
    config: ConfigFile = None,
) -> None:
    """Print the command that requests an increase, after a look at the quota and at earlier requests.

    Exits with 1 and the reason where no request makes sense: one is pending, the value is not above the one
    in force, AWS does not increase the quota, or the limit is none; with 2 where AWS could not be asked.
    """
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    try:
        wanted = find_quota(signal, registry)
        desired = wanted.amount(to)
        organizations = settings.monitored_organizations(registry)
        chosen = choose_account(settings.monitored_accounts(registry), account, organizations)
        target = QuotaTarget(in_one_region(chosen, region, wanted, registry), account, resource)
        run_interruptible(_request(target, wanted, desired, settings, registry, yes))
    except RequestRefusedError as error:
        exit_with(str(error), REFUSED)
    except (UnknownQuotaError, QuotaCallError) as error:
        exit_with(str(error), FAILED)
    except AWS_ERRORS as error:
        exit_with(failure_from(error).sentence, FAILED)


async def _request(
    target: QuotaTarget, wanted: WantedQuota, desired: float, config: Config, registry: Registry, send: bool
) -> None:
    """Print the command of a request, or send it. Raises as the calls do."""
    cells = await open_cells(target.account, config.endpoint_url, AwsTelemetry(ProcessTelemetry().registry))
    cell = cells[0]
    try:
        if ACCOUNT_ID.fullmatch(target.given) and target.given != cell.account:
            raise UnknownQuotaError(
                f"the credentials are of the account {cell.account}, and not of {target.given}"
            )
        arn = resource_arn(cell, target.resource, wanted, registry)
        increase = await prepare_increase(cell, wanted, desired, arn)
        if send:
            typer.echo(escape_unprintable(await send_increase(cell, increase)))
        else:
            _print_command(target.account, cell, increase)
    finally:
        await cell.close()


def _print_command(account: Account, cell: Cell, increase: QuotaIncrease) -> None:
    """Print the command, and, apart from it, whose credentials it needs."""
    own = account.profile or environ.get("AWS_PROFILE", "")
    profile = "" if account.role_arn else own
    typer.echo(increase.command(profile))
    name = account_name(account)
    known = f"{name} ({cell.account})" if name != cell.account else name
    typer.echo(
        escape_unprintable(
            f"Run it with credentials of the account {known} that allow {REQUEST_ACTION}, or repeat this "
        )
        + "command with --yes.",
        err=True,
    )
