"""The command line: `headroom`."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from monitor import catalogue as catalogue_text
from monitor import client, config_example, iam
from monitor.access.passwords import PasswordHash
from monitor.alerting.journal import JournalError
from monitor.app import serve as serving
from monitor.check import selectors
from monitor.cli_alerts import app as alerts_app
from monitor.cli_look import CANNOT_LOOK, looked, outcome
from monitor.config import Config
from monitor.config_errors import ConfigError
from monitor.config_file import load
from monitor.config_types import ALL
from monitor.dashboards.cli import app as dashboards_app
from monitor.demo.run import demo as running
from monitor.demo.run import of_its_own
from monitor.report import FORMATS
from monitor.stream.cli import app as stream_app
from monitor.summary import writing
from monitor.summary.summary import summary
from monitor.telemetry import VERSION
from monitor.top.cli import top
from rules.limits import signals

HEALTHY = "200 OK"
LONGEST_PASSWORD = 4096  # characters

app = typer.Typer(
    help="Tells which AWS resources will run into a limit, before customers see a throttle.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Check or explain the configuration file.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(dashboards_app, name="dashboards")
app.add_typer(alerts_app, name="alerts")
app.add_typer(stream_app, name="stream")

Format = Literal["table", "json", "csv", "markdown"]
FailOn = Literal["above", "critical", "saturated", "none"]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file; default: $HEADROOM_CONFIG, else ./headroom.yaml if there is one.",
    ),
]
Only = Annotated[
    list[str] | None, typer.Option(help="Only these, a name or pattern; may be given several times.")
]


def main() -> None:
    """The entry point of the command."""
    app()


def configured(file: Path | None, listen: str | None = None) -> Config:
    """The configuration; a wrong one ends the command."""
    with unless_it_is_wrong():
        return read(file, listen)


def read(file: Path | None, listen: str | None) -> Config:
    """The configuration, listening where the command line says. Raises ConfigError."""
    config = load(file, environ)
    return config.listening_on(listen) if listen else config


@contextmanager
def unless_it_is_wrong() -> Iterator[None]:
    """A line for each problem of what was configured."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(CANNOT_LOOK) from None


@contextmanager
def unless_it_cannot_start() -> Iterator[None]:
    """One sentence when it cannot listen, its journal is held, or the demo's AWS does not start."""
    try:
        yield
    except (OSError, JournalError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        typer.echo(f"headroom cannot start: {why or error}", err=True)
        raise typer.Exit(CANNOT_LOOK) from None


@contextmanager
def unless_it_cannot_write(out: Path) -> Iterator[None]:
    """One sentence when a file cannot be written."""
    try:
        yield
    except OSError as error:
        typer.echo(f"headroom cannot write {out}: {error.strerror or error}", err=True)
        raise typer.Exit(CANNOT_LOOK) from None


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"headroom {VERSION}")
        raise typer.Exit


@app.command(epilog="Example: headroom check --format markdown --fail-on critical --service kinesis")
def check(
    config: ConfigFile = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = "table",
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 when a series is in this zone or beyond.")
    ] = "critical",
    service: Only = None,
    signal: Only = None,
    region: Only = None,
    account: Only = None,
) -> None:
    """Look at everything once, and show the most urgent first.

    Exits with 0 when nothing is at or beyond --fail-on, 1 when something is, 2 when it could not look.
    """
    settings = configured(config)
    with unless_it_is_wrong():
        look = looked(settings, {"service": service, "signal": signal, "region": region, "account": account})
    FORMATS[format](look, sys.stdout)
    raise typer.Exit(outcome(look, fail_on))


@app.command(epilog="Example: headroom report --format html --out headroom.html")
def report(
    config: ConfigFile = None,
    format: Annotated[Literal["html", "markdown"], typer.Option(help="How to write it.")] = "html",
    out: Annotated[Path, typer.Option(help="File to write; -: standard output.")] = writing.STANDARD,
    service: Only = None,
    signal: Only = None,
    region: Only = None,
    account: Only = None,
) -> None:
    """Look at everything once, and write a page to send: what is worst, newly above, idle, and not seen.

    Exits with 0 when it is written, 2 when it cannot be or nothing could be looked at.
    """
    settings = configured(config)
    only = {"service": service, "signal": signal, "region": region, "account": account}
    with unless_it_is_wrong(), unless_it_cannot_write(out), writing.opened(out) as file:
        look = looked(settings, only)
        file.write(writing.FORMATS[format](summary(look, only)).encode(errors="replace"))
    raise typer.Exit(outcome(look, "none"))


@app.command(epilog="Example: headroom catalogue --format json")
def catalogue(
    format: Annotated[Literal["text", "markdown", "json"], typer.Option(help="How to print it.")] = "text",
    service: Only = None,
) -> None:
    """List every signal with its default limit, remedy and documentation."""
    with unless_it_is_wrong():
        asked = selectors({"service": service})
    chosen = [
        signal
        for signal in signals()
        if all(any(one.concerns(signal.service, signal.name) for one in some) for some in asked)
    ]
    typer.echo(catalogue_text.FORMATS[format](chosen))


@app.command("iam-policy", epilog="Example: headroom iam-policy > policy.json")
def iam_policy(config: ConfigFile = None) -> None:
    """Print the least-privilege IAM policy for the services that are watched."""
    accounts = configured(config).watched()
    services = {service for account in accounts for service in account.services}
    all_regions = any(ALL in account.regions for account in accounts)
    typer.echo(orjson.dumps(iam.policy(services, all_regions), option=orjson.OPT_INDENT_2))


@app.command(epilog="Example: headroom serve --config headroom.yaml --listen 127.0.0.1:4070")
def serve(
    config: ConfigFile = None,
    listen: Annotated[
        str | None, typer.Option(help="Address instead of the configured one: host:port.")
    ] = None,
) -> None:
    """Watch, judge and tell, until SIGINT or SIGTERM; SIGHUP reloads the configuration."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = configured(config, listen)
    with unless_it_cannot_start():
        asyncio.run(serving(settings, partial(read, config, listen)))


@app.command(epilog="Example: headroom demo --port 4070")
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0: a free one.")] = 4070,
) -> None:
    """Try it without an AWS account: an AWS on loopback, with traffic that moves."""
    if find_spec("moto") is None:
        typer.echo("The demo needs the extra `demo`: pip install 'aws-headroom[demo]'", err=True)
        raise typer.Exit(CANNOT_LOOK)
    of_its_own(environ)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    with unless_it_cannot_start():
        asyncio.run(running(port, sys.stdout))


app.command(epilog="Example: headroom top --address 127.0.0.1:4070")(top)


@app.command(epilog="Example: headroom healthcheck --address 127.0.0.1:4070")
def healthcheck(
    address: Annotated[
        str, typer.Option(help="Where Headroom listens: host:port, of http or https, or a URL of either.")
    ] = client.DEFAULT,
) -> None:
    """Ask a running Headroom whether it is healthy; exits with 1 when it is not.

    The certificate of a loopback address is not verified: nothing is sent or learnt that matters.
    """
    try:
        said = client.health(address)
    except (OSError, ValueError, HTTPException) as error:
        said = str(error).strip()
    if said != HEALTHY:
        typer.echo(f"{address}: {said}", err=True)
        raise typer.Exit(1)


@config_app.command("check", epilog="Example: headroom config check --config headroom.yaml")
def config_check(config: ConfigFile = None) -> None:
    """Say whether the configuration is right; exits with 2 and a line for each problem when it is not."""
    configured(config)
    typer.echo("The configuration is right.")


@config_app.command("example", epilog="Example: headroom config example > headroom.yaml")
def config_example_() -> None:
    """Print an example that explains every key."""
    typer.echo(config_example.example(), nl=False)


@config_app.command("password-hash", epilog="Example: headroom config password-hash")
def config_password_hash() -> None:
    """Ask for a password, or read it from a pipe, and print what `auth.users` has as password_hash."""
    asked = sys.stdin.isatty()
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else piped()
    if not (password and password.isprintable()):
        typer.echo("expected one line of printable text", err=True)
        raise typer.Exit(CANNOT_LOOK)
    typer.echo(PasswordHash.of(password))


def piped() -> str:
    """What standard input holds, without the end of its line."""
    return sys.stdin.read(LONGEST_PASSWORD).rstrip("\r\n")


@config_app.command("schema", epilog="Example: headroom config schema > headroom.schema.json")
def config_schema() -> None:
    """Print the JSON schema of the file, for editors."""
    typer.echo(orjson.dumps(config_example.schema(), option=orjson.OPT_INDENT_2))
