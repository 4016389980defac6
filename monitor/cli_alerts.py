"""`headroom alerts`: what fires in a running Headroom, who takes care of it, and whether receivers work."""

import asyncio
import getpass
import os
import sys
from collections.abc import Mapping
from os import environ
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor import client
from monitor.client import DEFAULT, Address, part
from monitor.config import Config
from monitor.config_errors import ConfigError
from monitor.config_file import load
from monitor.notifiers.answer import Outcome
from monitor.notifiers.receiver import Base
from monitor.notifiers.trial import tried
from monitor.outbound import Outbound
from monitor.report import printable

REFUSED, WRONG = 1, 2  # exit codes

app = typer.Typer(help="See, acknowledge and mute alerts of a running Headroom.", no_args_is_help=True)

CARE = {"acknowledged_by": "acknowledged by", "muted_by": "muted by", "explained_by": "explained by"}

Who = Annotated[str, typer.Option(help="Who says so; default: the user.")]
Why = Annotated[str, typer.Option(help="Why, for those who read it later.")]
Identity = Annotated[str, typer.Argument(help="The id, as the list shows it.")]


def ask(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The answer of a running Headroom; a sentence and the end of the command when there is none."""
    try:
        return client.ask(address, method, path, body)
    except client.Refused as error:
        fail(str(error), REFUSED)
    except client.Unanswered as error:
        fail(str(error), WRONG)


def fail(sentence: str, code: int) -> NoReturn:
    """The end of the command."""
    typer.echo(printable(sentence), err=True)
    raise typer.Exit(code)


def user() -> str:
    """Who runs the command; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


@app.command("list", epilog="Example: headroom alerts list")
def list_(address: Address = DEFAULT) -> None:
    """Show what fires, the most urgent first, and what is pending."""
    listed = ask(address, "GET", "/api/v1/alerts")
    rows = [[printable(cell) for cell in row(one)] for one in listed["items"]]
    if more := listed["total"] - len(rows):
        typer.echo(f"{more} more are not shown", err=True)
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(cells) + "\n" for cells in rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "state", "severity", "alert", "care"):
        table.add_column(column, overflow="fold")
    for cells in rows:
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)


def row(alert: Mapping[str, Any]) -> tuple[str, ...]:
    """An alert of the API as the list shows it."""
    care = [f"{what} {alert[key]}" for key, what in CARE.items() if alert[key]]
    return alert["id"], alert["state"], alert["severity"], alert["summary"], ", ".join(care)


@app.command(epilog='Example: headroom alerts ack 0f3c9d7a1b2e4f56 --lasts 2h --why "adding shards"')
def ack(
    alert: Identity,
    why: Why,
    lasts: Annotated[str, typer.Option(help="For how long: 30m, 2h, 1d; default: as long as it fires.")] = "",
    who: Who = "",
    address: Address = DEFAULT,
) -> None:
    """Say that you take care of an alert: it is not repeated, but told when it gets worse or ends."""
    body = {"who": who or user(), "why": why, "lasts": lasts or None}
    typer.echo(printable(ask(address, "POST", f"/api/v1/alerts/{part(alert)}/ack", body)["summary"]))


@app.command(epilog='Example: headroom alerts mute \'service="s3"\' --lasts 2h --why "load test"')
def mute(
    matchers: Annotated[list[str], typer.Argument(help='Matchers as in Alertmanager: service="s3".')],
    lasts: Annotated[str, typer.Option(help="For how long: 30m, 2h, 1d.")],
    why: Why,
    who: Who = "",
    address: Address = DEFAULT,
) -> None:
    """Mute alerts that match, until the mute ends by itself."""
    body = {"matchers": matchers, "lasts": lasts, "who": who or user(), "why": why}
    made = ask(address, "POST", "/api/v1/silences", body)
    typer.echo(f"{made['id']} until {made['ends']}")


@app.command(epilog="Example: headroom alerts unmute 5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6")
def unmute(mute: Identity, address: Address = DEFAULT) -> None:
    """End a mute."""
    ended = ask(address, "DELETE", f"/api/v1/silences/{part(mute)}")
    typer.echo(printable(f"{', '.join(ended['matchers'])} is told again"))


@app.command(epilog="Example: headroom alerts replay --receiver on-call")
def replay(
    receiver: Annotated[str, typer.Option(help="Only to this receiver.")] = "", address: Address = DEFAULT
) -> None:
    """Send again what was given up."""
    query = f"?receiver={part(receiver)}" if receiver else ""
    typer.echo(f"{ask(address, 'POST', f'/api/v1/deliveries/replay{query}')['replayed']} are sent again")


@app.command("test-receiver", epilog="Example: headroom alerts test-receiver on-call")
def test_receiver(
    name: Annotated[str, typer.Argument(help="The receiver's name in the configuration.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file.")] = None,
) -> None:
    """Send a harmless alert and its end to a receiver; exits with 1 when that fails."""
    settings = configured(config)
    if not asyncio.run(works(receiver_of(settings, name), settings.endpoint_url)):
        raise typer.Exit(REFUSED)


def configured(file: Path | None) -> Config:
    """The configuration; the end of the command when it is wrong."""
    try:
        return load(file, environ)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG) from None


def receiver_of(config: Config, name: str) -> Base:
    """The receiver of that name; the end of the command when there is none."""
    for receiver in config.receivers:
        if receiver.name == name:
            return receiver
    known = ", ".join(one.name for one in config.receivers) or "none"
    fail(f"no receiver is called {name}; there are: {known}", WRONG)


async def works(receiver: Base, endpoint_url: str | None) -> bool:
    """Whether the receiver took both notifications; each answer is printed. endpoint_url: AWS's, if given."""
    outcomes = []
    async with Outbound(endpoint_url=endpoint_url) as client:
        async for kind, answer in tried(receiver, client):
            typer.echo(f"{kind.value}: {answer.outcome.value}: {answer.sentence}")
            outcomes.append(answer.outcome)
    return all(outcome is Outcome.DELIVERED for outcome in outcomes)
