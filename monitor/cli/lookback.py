"""The command `headroom lookback`."""

from typing import Annotated, Literal

import typer

from monitor.cli.options import AllowBlind, ConfigFile, Patterns, ResourcePatterns
from monitor.report.retention import MAX_DAYS

DEFAULT_DAYS = 14

LookbackFormat = Annotated[Literal["table", "json", "html"], typer.Option(help="Output format.")]
OtherBands = Annotated[
    list[str] | None,
    typer.Option(
        help="Judge also by this band: low-high or low-high-near, such as 0.5-0.8. Can be repeated.",
        metavar="LOW-HIGH",
    ),
]
OtherDurations = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        help="Judge also with this duration of a breach before an alert fires, such as 10m. Can be repeated.",
        metavar="DURATION",
    ),
]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom lookback --days 14 --band 0.5-0.8 --format html > lookback.html")
def lookback(
    config: ConfigFile = None,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_DAYS,
            help="Days to look back. Beyond 15 days CloudWatch has only points of five minutes.",
        ),
    ] = DEFAULT_DAYS,
    format: LookbackFormat = "table",
    band: OtherBands = None,
    pending_for: OtherDurations = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before reading, whatever the cost.")] = False,
    service: Patterns = None,
    signal: Patterns = None,
    region: Patterns = None,
    account: Patterns = None,
    resource: ResourcePatterns = None,
    allow_blind: AllowBlind = False,
) -> None:
    """List what was throttled or near a limit in past days.

    Judges every minute as `serve` does: the alerts are those that would have fired. Also says how early a
    forecast would have predicted that a limit is reached; each forecast uses only the data before it. Prints
    the cost before it reads; asks first if the cost is above a dollar. Exits with 0 when everything requested
    was read; 2 when the configuration is invalid, nothing could be read, or reading was declined or not
    allowed; 3 when some requested reads failed: they are listed below the tables.
    """
    from monitor.cli.lookback_run import LookbackOptions, look_back_or_exit, parse_ways, print_lookback

    ways = parse_ways(band or (), pending_for or ())
    patterns = {"service": service, "signal": signal, "region": region, "account": account}
    patterns["resource"] = resource
    report = look_back_or_exit(config, patterns, LookbackOptions(days, ways, confirmed=yes))
    raise typer.Exit(print_lookback(report, format, allow_blind))
