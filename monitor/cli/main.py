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

from monitor.access.passwords import PasswordHash
from monitor.alerting.journal import JournalError
from monitor.api import client
from monitor.app import serve as run_server
from monitor.aws import iam
from monitor.cli import output
from monitor.cli.alerts import app as alerts_app
from monitor.cli.config_file import ConfigFile, exit_on_config_error, load_config, load_config_or_exit
from monitor.cli.dashboards import app as dashboards_app
from monitor.cli.exit_codes import FAILED, INCOMPLETE, UNHEALTHY
from monitor.cli.scan import exit_code, run_scan
from monitor.cli.stream import app as stream_app
from monitor.cli.top import top
from monitor.config import example as config_example
from monitor.config.exclude import ineffective_entries
from monitor.demo.session import isolate_environment, run_demo
from monitor.lib import logs
from monitor.lib.telemetry import VERSION
from monitor.report import catalogue as catalogue_text
from monitor.report.check_formats import FORMATS
from monitor.report.scan import parse_selectors
from monitor.report.summary import summarize
from monitor.schema.types import ALL_REGIONS
from rules.limits import signals

HEALTHY_STATUS = "200 OK"
MAX_PASSWORD_LENGTH = 4096  # characters

app = typer.Typer(
    help="Find the AWS resources that approach a limit, before requests are throttled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Validate or explain the configuration file.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(dashboards_app, name="dashboards")
app.add_typer(alerts_app, name="alerts")
app.add_typer(stream_app, name="stream")

Format = Literal["table", "json", "csv", "markdown"]
FailOn = Literal["above", "near", "saturated", "none"]
Patterns = Annotated[
    list[str] | None, typer.Option(help="Include only these: a name or a pattern. Can be repeated.")
]


def main() -> None:
    """Run the command line."""
    app()


@contextmanager
def exit_on_start_error() -> Iterator[None]:
    """Print why Headroom cannot start (address in use, journal locked, no demo AWS) and exit."""
    try:
        yield
    except (OSError, JournalError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        typer.echo(f"headroom cannot start: {reason or error}", err=True)
        raise typer.Exit(FAILED) from None


@contextmanager
def exit_on_write_error(out: Path) -> Iterator[None]:
    """Print why the file cannot be written and exit."""
    try:
        yield
    except OSError as error:
        typer.echo(f"headroom cannot write {out}: {error.strerror or error}", err=True)
        raise typer.Exit(FAILED) from None


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Print the version with --version."""
    if version:
        typer.echo(f"headroom {VERSION}")
        raise typer.Exit


@app.command(epilog="Example: headroom check --format markdown --fail-on near --service kinesis")
def check(
    config: ConfigFile = None,
    format: Annotated[Format, typer.Option(help="Output format.")] = "table",
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 when a series is in this zone or a worse one.")
    ] = "near",
    service: Patterns = None,
    signal: Patterns = None,
    region: Patterns = None,
    account: Patterns = None,
    allow_blind: Annotated[
        bool, typer.Option("--allow-blind", help="Exit with 0 instead of 3 when some requested reads failed.")
    ] = False,
) -> None:
    """Read all configured accounts once and print every series, the most urgent first.

    Exits with 0 when everything requested was read and no series is in the zone of --fail-on or a worse one;
    1 when a series is; 2 when the configuration is invalid or nothing could be read; 3 when no series is, but
    some requested reads failed (access denied, throttled, no answer): they are listed below the table.
    Regions that are not enabled, and what `exclude` matches, are not requested.
    """
    settings = load_config_or_exit(config)
    with exit_on_config_error():
        scan = run_scan(
            settings, {"service": service, "signal": signal, "region": region, "account": account}
        )
    FORMATS[format](scan, sys.stdout)
    code = exit_code(scan, fail_on, allow_blind)
    if code == INCOMPLETE:
        typer.echo(incomplete_message(len(scan.requested_failures)), err=True)
    raise typer.Exit(code)


def incomplete_message(failures: int) -> str:
    """Return the sentence that explains exit code 3."""
    reads = "1 requested read" if failures == 1 else f"{failures} requested reads"
    return f"{reads} of AWS failed; exit code 3."


@app.command(epilog="Example: headroom report --format html --out headroom.html")
def report(
    config: ConfigFile = None,
    format: Annotated[Literal["html", "markdown"], typer.Option(help="Output format.")] = "html",
    out: Annotated[Path, typer.Option(help="Output file; - is standard output.")] = output.STDOUT,
    service: Patterns = None,
    signal: Patterns = None,
    region: Patterns = None,
    account: Patterns = None,
) -> None:
    """Read all configured accounts once and write a report to share.

    It lists the most urgent series, those newly above their target band, idle capacity, and blind spots.
    Exits with 0 when the report is written; 2 when it cannot be written, or nothing could be read.
    """
    settings = load_config_or_exit(config)
    patterns = {"service": service, "signal": signal, "region": region, "account": account}
    with exit_on_config_error(), exit_on_write_error(out), output.open_output(out) as file:
        scan = run_scan(settings, patterns)
        file.write(output.FORMATS[format](summarize(scan, patterns)).encode(errors="replace"))
    raise typer.Exit(exit_code(scan, "none", allow_blind=True))


@app.command(epilog="Example: headroom catalogue --format json")
def catalogue(
    format: Annotated[Literal["text", "markdown", "json"], typer.Option(help="Output format.")] = "text",
    service: Patterns = None,
) -> None:
    """List every signal with its default limit, remedy and documentation."""
    with exit_on_config_error():
        selectors = parse_selectors({"service": service})
    chosen = [
        signal
        for signal in signals()
        if all(any(one.matches_signal(signal.service, signal.name) for one in some) for some in selectors)
    ]
    typer.echo(catalogue_text.FORMATS[format](chosen))


@app.command("iam-policy", epilog="Example: headroom iam-policy > policy.json")
def iam_policy(config: ConfigFile = None) -> None:
    """Print the least-privilege IAM policy for the configured services."""
    settings = load_config_or_exit(config)
    accounts = settings.monitored_accounts()
    services = {service for account in accounts for service in account.services}
    all_regions = any(ALL_REGIONS in account.regions for account in accounts)
    typer.echo(
        orjson.dumps(iam.policy(services, all_regions, bool(settings.tags)), option=orjson.OPT_INDENT_2)
    )


@app.command(epilog="Example: headroom serve --config headroom.yaml --listen 127.0.0.1:4070")
def serve(
    config: ConfigFile = None,
    listen: Annotated[
        str | None, typer.Option(help="Listen on this host:port instead of the configured one.")
    ] = None,
) -> None:
    """Run the monitor until SIGINT or SIGTERM. SIGHUP reloads the configuration."""
    logs.configure_logging(logging.INFO, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load_config_or_exit(config, listen)
    with exit_on_start_error():
        asyncio.run(run_server(settings, partial(load_config, config, listen)))


@app.command(epilog="Example: headroom demo --port 4070")
def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")
    ] = 4070,
) -> None:
    """Run Headroom against a simulated AWS on loopback. Needs no AWS account."""
    if find_spec("moto") is None:
        typer.echo("The demo needs the extra `demo`: pip install 'aws-headroom[demo]'", err=True)
        raise typer.Exit(FAILED)
    isolate_environment(environ)
    logs.configure_logging(logging.ERROR, "%(levelname)s %(name)s: %(message)s")
    with exit_on_start_error():
        asyncio.run(run_demo(port, sys.stdout))


app.command(epilog="Example: headroom top --address 127.0.0.1:4070")(top)


@app.command(epilog="Example: headroom healthcheck --address 127.0.0.1:4070")
def healthcheck(
    address: Annotated[
        str, typer.Option(help="Address of Headroom: host:port, or an http or https URL.")
    ] = client.DEFAULT_ADDRESS,
) -> None:
    """Probe a running Headroom; exits with 0 when it is healthy, else with 1.

    The certificate of a loopback address is not verified, because no secret is sent.
    """
    try:
        status = client.probe_health(address)
    except (OSError, ValueError, HTTPException) as error:
        status = str(error).strip()
    if status != HEALTHY_STATUS:
        typer.echo(f"{address}: {status}", err=True)
        raise typer.Exit(UNHEALTHY)


@config_app.command("check", epilog="Example: headroom config check --config headroom.yaml")
def config_check(config: ConfigFile = None) -> None:
    """Validate the configuration; prints one line per problem and exits with 2 when it is invalid.

    Entries that are valid but have no effect are listed, too.
    """
    settings = load_config_or_exit(config)
    typer.echo("The configuration is valid.")
    for sentence in ineffective_entries(settings.exclude, settings.configured_accounts()):
        typer.echo(sentence)


@config_app.command("example", epilog="Example: headroom config example > headroom.yaml")
def config_example_() -> None:
    """Print an example configuration that explains every key."""
    typer.echo(config_example.example_file(), nl=False)


@config_app.command("password-hash", epilog="Example: headroom config password-hash")
def config_password_hash() -> None:
    """Read a password, from a prompt or a pipe, and print the password_hash for `auth.users`."""
    interactive = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if interactive
        else read_piped_password()
    )
    if not (password and password.isprintable()):
        typer.echo("expected one line of printable text", err=True)
        raise typer.Exit(FAILED)
    typer.echo(PasswordHash.of(password))


def read_piped_password() -> str:
    """Return the line on standard input, without its line break."""
    return sys.stdin.read(MAX_PASSWORD_LENGTH).rstrip("\r\n")


@config_app.command("schema", epilog="Example: headroom config schema > headroom.schema.json")
def config_schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    typer.echo(orjson.dumps(config_example.json_schema(), option=orjson.OPT_INDENT_2))
