"""The command `headroom check`."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from collectors.service_quotas.allowed_calls import CALLS_PER_HOUR, FIRST_CALLS
from monitor.cli.exit_codes import INCOMPLETE
from monitor.cli.options import FORECASTS, AllowBlind, ConfigFile, Patterns, WithForecasts

if TYPE_CHECKING:
    from monitor.report.scan import ScanReport

Format = Literal["table", "json", "csv", "markdown"]
FailOn = Literal["above", "near", "saturated", "none"]

app = typer.Typer(add_completion=False)


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
    counts: Annotated[
        bool,
        typer.Option(
            "--counts",
            help=f"Count the resources of all services in use, with at most {CALLS_PER_HOUR:,} calls in each "
            f"account and region instead of {FIRST_CALLS}; this can take minutes.",
        ),
    ] = False,
    forecast: WithForecasts = False,
    allow_blind: AllowBlind = False,
) -> None:
    """Read all configured accounts once and print every series, the most urgent first.

    Exits with 0 when everything requested was read and no series is in the zone of --fail-on or a worse one;
    1 when a series is; 2 when the configuration is invalid or nothing could be read; 3 when no series is, but
    some requested reads failed (access denied, throttled, no answer): they are listed below the table.
    Regions that are not enabled, and what `exclude` matches, are not requested.
    """
    from monitor.cli.config_file import exit_on_config_error, load_config_or_exit, load_registry_or_exit
    from monitor.cli.scan import run_scan
    from monitor.report.scan import ScanDepth

    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    with exit_on_config_error():
        scan = run_scan(
            settings,
            registry,
            {"service": service, "signal": signal, "region": region, "account": account},
            ScanDepth(CALLS_PER_HOUR if counts else FIRST_CALLS, FORECASTS if forecast else 0),
        )
    raise typer.Exit(_print(scan, format, fail_on, allow_blind))


def _print(scan: "ScanReport", format: Format, fail_on: FailOn, allow_blind: bool) -> int:
    """Print a scan and return its exit code."""
    from monitor.cli.scan import exit_code
    from monitor.report.check_formats import FORMATS

    FORMATS[format](scan, sys.stdout)
    code = exit_code(scan, fail_on, allow_blind)
    if code == INCOMPLETE:
        typer.echo(incomplete_message(len(scan.requested_failures)), err=True)
    return code


def incomplete_message(failures: int) -> str:
    """Return the sentence that explains exit code 3."""
    reads = "1 requested read" if failures == 1 else f"{failures} requested reads"
    return f"{reads} of AWS failed; exit code 3."
