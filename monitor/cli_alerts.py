"""`headroom alerts`: what fires in a running Headroom, who takes care of it, and whether receivers work."""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from os import environ
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.config import Config
from monitor.config_errors import ConfigError
from monitor.config_file import load
from monitor.notifiers.answer import Outcome
from monitor.notifiers.receiver import Base
from monitor.notifiers.trial import tried
from monitor.outbound import Outbound
from monitor.report import printable

ANSWERING = 10.0  # seconds
REFUSED, WRONG = 1, 2  # exit codes
SUCCESS = 300  # statuses below

app = typer.Typer(help="See, acknowledge and mute alerts of a running Headroom.", no_args_is_help=True)

CARE = {"acknowledged_by": "acknowledged by", "muted_by": "muted by", "explained_by": "explained by"}

Address = Annotated[str, typer.Option(help="Where Headroom listens: host:port.")]
Who = Annotated[str, typer.Option(help="Who says so; default: the user.")]
Why = Annotated[str, typer.Option(help="Why, for those who read it later.")]
Identity = Annotated[str, typer.Argument(help="The id, as the list shows it.")]
DEFAULT = "127.0.0.1:4070"


def ask(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON answer of a running Headroom; a sentence and the end of the command when it refuses."""
    try:
        with closing(HTTPConnection(address, timeout=ANSWERING)) as connection:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, encoded(body) if body is not None else None, headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
    except (OSError, HTTPException, ValueError) as error:
        fail(f"{address}: {error}", WRONG)
    told = decoded(content)
    if not isinstance(told, dict):
        fail(f"{address}: it answered {status}, and nothing that Headroom would say", WRONG)
    if status >= SUCCESS:
        fail(told.get("error", f"it answered {status}"), REFUSED)
    return told


def encoded(body: Mapping[str, Any]) -> bytes:
    """JSON; what the shell gave us that is no UTF-8 becomes `?`."""
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def decoded(content: bytes) -> Any:
    """What JSON says; None when it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def fail(sentence: str, code: int) -> NoReturn:
    """The end of the command."""
    typer.echo(printable(sentence), err=True)
    raise typer.Exit(code)


def part(text: str) -> str:
    """Text as a part of a URL."""
    return quote(text, safe="", errors="replace")


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


@app.command(epilog='Example: headroom alerts ack 0f3c9d7a1b2e4f56 --why "adding shards"')
def ack(alert: Identity, why: Why, who: Who = "", address: Address = DEFAULT) -> None:
    """Say that you take care of an alert: it is not repeated, but told when it gets worse or ends."""
    body = {"who": who or user(), "why": why}
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
    receiver = configured(name, config)
    if not asyncio.run(works(receiver)):
        raise typer.Exit(REFUSED)


def configured(name: str, file: Path | None) -> Base:
    """The receiver of that name; the end of the command when there is none."""
    try:
        config: Config = load(file, environ)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG) from None
    for receiver in config.receivers:
        if receiver.name == name:
            return receiver
    known = ", ".join(one.name for one in config.receivers) or "none"
    fail(f"no receiver is called {name}; there are: {known}", WRONG)


async def works(receiver: Base) -> bool:
    """Whether the receiver took both notifications; each answer is printed."""
    outcomes = []
    async with Outbound() as client:
        async for kind, answer in tried(receiver, client):
            typer.echo(f"{kind.value}: {answer.outcome.value}: {answer.sentence}")
            outcomes.append(answer.outcome)
    return all(outcome is Outcome.DELIVERED for outcome in outcomes)
