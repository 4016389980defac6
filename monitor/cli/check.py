"""The command `headroom check`."""

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from collectors.service_quotas.allowed_calls import CALLS_PER_HOUR, FIRST_CALLS
from monitor.cli.exit_codes import INCOMPLETE
from monitor.cli.options import (
    MAX_FORECASTS,
    AllowBlind,
    ConfigFile,
    Patterns,
    ResourcePatterns,
    WithForecasts,
    split_commas,
)
from monitor.lib.text import escape_unprintable

if TYPE_CHECKING:
    from monitor.report.scan import ScanReport

CheckFormat = Literal["table", "json", "csv", "markdown"]
FailOn = Literal["above", "near", "saturated", "none"]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        help="Exit with 1 when a series is in this zone or a worse one: above, near, saturated, or none.",
        metavar="ZONE",
    ),
]


def parse_zones(values: Sequence[str] | None) -> list[str] | None:
    """Return the zones that the values of --zone name. Raises typer.BadParameter for an unknown zone."""
    if (words := split_commas(values)) is None:
        return None
    from rules.band import ZONES
    from rules.problem_text import suggestion

    if unknown := next((word for word in words if word not in ZONES), None):
        known = ", ".join(reversed(ZONES))
        raise typer.BadParameter(f"expected one of {known}; found {unknown}{suggestion(unknown, ZONES)}")
    return words


ZoneWords = Annotated[
    list[str] | None,
    typer.Option(
        callback=parse_zones,
        help="Print only the series in these zones, with commas between: near,saturated. Can be repeated.",
    ),
]

TopOption = Annotated[
    int, typer.Option(min=0, help="Print only this number of series, the most urgent first; 0 prints all.")
]

CountsOption = Annotated[
    bool,
    typer.Option(
        "--counts",
        help=f"Count the resources of all services in use, with at most {CALLS_PER_HOUR:,} calls in each "
        f"account and region instead of {FIRST_CALLS}; this can take minutes.",
    ),
]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom check --format markdown --fail-on near --service kinesis")
def check(
    config: ConfigFile = None,
    format: Annotated[CheckFormat, typer.Option(help="Output format.")] = "table",
    fail_on: FailOnOption = "near",
    service: Patterns = None,
    signal: Patterns = None,
    region: Patterns = None,
    account: Patterns = None,
    resource: ResourcePatterns = None,
    zone: ZoneWords = None,
    top: TopOption = 0,
    counts: CountsOption = False,
    forecast: WithForecasts = False,
    allow_blind: AllowBlind = False,
) -> None:
    """Read all accounts once; list the series, most urgent first.

    Exits with 0 when everything requested was read and no series is in the zone of --fail-on or a worse one;
    1 when there is such a series; 2 when the configuration is invalid or nothing could be read; 3 when there
    is no such series, but some requested reads failed (access denied, throttled, no answer). Failed reads are
    listed below the table.
    Regions that are not enabled, and series that `exclude` matches, are not requested. --zone and --top limit
    the output, and do not change the exit code.
    """
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.registry_file import exit_on_config_error, load_registry_or_exit
    from monitor.cli.scan import run_scan, without_logs_of_reads
    from monitor.report.scan import ScanDepth

    patterns = {"service": service, "signal": signal, "region": region, "account": account}
    patterns["resource"] = resource
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    with exit_on_config_error(), without_logs_of_reads():
        scan = run_scan(
            settings,
            registry,
            patterns,
            ScanDepth(CALLS_PER_HOUR if counts else FIRST_CALLS, MAX_FORECASTS if forecast else 0),
        )
    _print(scan, format, zone or (), top)
    raise typer.Exit(_exit_code(scan, fail_on, allow_blind))


def _print(scan: "ScanReport", format: CheckFormat, zones: Collection[str], top: int) -> None:
    """Print the series of a scan.

    zones: print only series in these zones; empty: in all zones. top: the largest number of series to print;
    0: print all.
    """
    from monitor.report.check_formats import FORMATS
    from monitor.report.report import most_urgent
    from rules.plurals import agreeing

    shown = most_urgent(scan, zones, top)
    FORMATS[format](shown, sys.stdout)
    for failure in scan.requested_failures if format == "csv" else ():
        typer.echo(f"Failed read: {escape_unprintable(failure)}", err=True)
    if left_out := len(scan.rows) - len(shown.rows):
        typer.echo(
            f"{left_out:,} more series {agreeing(left_out, 'is', 'are')} not shown: --zone and --top choose "
            "what is printed.",
            err=True,
        )


def _exit_code(scan: "ScanReport", fail_on: FailOn, allow_blind: bool) -> int:
    """Return the exit code of a scan, and explain the code of an incomplete scan on stderr."""
    from monitor.cli.scan import exit_code

    code = exit_code(scan, fail_on, allow_blind)
    if code == INCOMPLETE:
        typer.echo(incomplete_message(len(scan.requested_failures)), err=True)
    return code


def incomplete_message(failures: int) -> str:
    """Return the sentence that explains exit code 3."""
    from rules.plurals import count_of

    return f"{count_of(failures, 'requested read')} of AWS failed; exit code 3."
