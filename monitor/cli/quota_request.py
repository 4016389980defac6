"""Prints the AWS command that requests an increase of a quota, or sends the request."""

from dataclasses import dataclass
from os import environ
from pathlib import Path

import typer

from collectors.registry import Registry
from monitor.aws.account import Account, account_name
from monitor.aws.cell import Cell
from monitor.aws.cell_factory import open_cells
from monitor.aws.failure import AWS_ERRORS, failure_from
from monitor.aws.telemetry import AwsTelemetry
from monitor.cli.config_file import load_config_or_exit
from monitor.cli.exit_codes import FAILED, REFUSED
from monitor.cli.interruptible import run_interruptible
from monitor.cli.registry_file import load_registry_or_exit
from monitor.cli.requests import exit_with
from monitor.config.config import Config
from monitor.lib.account_ids import ACCOUNT_ID
from monitor.lib.telemetry import ProcessTelemetry
from monitor.lib.text import escape_unprintable
from monitor.quotas.increase import (
    REQUEST_ACTION,
    QuotaCallError,
    QuotaIncrease,
    prepare_increase,
    send_increase,
)
from monitor.quotas.increase_target import choose_account, in_one_region, resource_arn
from monitor.quotas.wanted import RequestRefusedError, UnknownQuotaError, WantedQuota, find_quota


@dataclass(frozen=True, slots=True)
class IncreaseArguments:
    """The arguments of `headroom quota request`, as they were given."""

    signal: str
    to: str
    resource: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class QuotaTarget:
    """The account and the resource of a quota.

    account: the settings of the account, with one region. account_option, resource: as the user gave them.
    """

    account: Account
    account_option: str
    resource: str


def request_increase_or_exit(arguments: IncreaseArguments, config: Path | None, *, send: bool) -> None:
    """Print the command that requests an increase, or send the request; print any error and exit."""
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    try:
        wanted = find_quota(arguments.signal, registry)
        desired = wanted.amount(arguments.to)
        organizations = settings.monitored_organizations(registry)
        account = choose_account(settings.monitored_accounts(registry), arguments.account, organizations)
        target = QuotaTarget(
            in_one_region(account, arguments.region, wanted, registry), arguments.account, arguments.resource
        )
        run_interruptible(_request(target, wanted, desired, settings, registry, send))
    except RequestRefusedError as error:
        exit_with(str(error), REFUSED)
    except (UnknownQuotaError, QuotaCallError) as error:
        exit_with(str(error), FAILED)
    except AWS_ERRORS as error:
        exit_with(failure_from(error).sentence, FAILED)


async def _request(
    target: QuotaTarget, wanted: WantedQuota, desired: float, config: Config, registry: Registry, send: bool
) -> None:
    """Print the command of a request, or send the request. Raises the errors of the calls."""
    cells = await open_cells(target.account, config.endpoint_url, AwsTelemetry(ProcessTelemetry().registry))
    cell = cells[0]
    try:
        if ACCOUNT_ID.fullmatch(target.account_option) and target.account_option != cell.account:
            raise UnknownQuotaError(
                f"the credentials are of the account {cell.account}, and not of {target.account_option}"
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
    """Print the command to stdout, and to stderr the account whose credentials it needs."""
    own_profile = account.profile or environ.get("AWS_PROFILE", "")
    profile = "" if account.role_arn else own_profile
    typer.echo(increase.command(profile))
    name = account_name(account)
    title = f"{name} ({cell.account})" if name != cell.account else name
    typer.echo(
        escape_unprintable(
            f"Run it with credentials of the account {title} that allow {REQUEST_ACTION}, or repeat this "
        )
        + "command with --yes.",
        err=True,
    )
