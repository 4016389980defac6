"""The command `headroom report`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.exit_codes import FAILED
from monitor.cli.options import (
    MAX_FORECASTS,
    MAX_SIZES,
    ConfigFile,
    Patterns,
    ResourcePatterns,
    WithForecasts,
)

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom report --format html --out headroom.html")
def report(
    config: ConfigFile = None,
    format: Annotated[Literal["html", "markdown"], typer.Option(help="Output format.")] = "html",
    out: Annotated[Path, typer.Option(help="Output file; - is standard output.")] = Path("-"),
    service: Patterns = None,
    signal: Patterns = None,
    region: Patterns = None,
    account: Patterns = None,
    resource: ResourcePatterns = None,
    forecast: WithForecasts = False,
) -> None:
    """Read all configured accounts once and write a report to share.

    Lists the most urgent series, series newly above their target band, idle capacity, and blind spots; with
    --forecast also the right sizes of purchases, and what they save or cost.
    Exits with 0 when the report is written; 2 when it cannot be written, or nothing could be read.
    """
    from monitor.cli import output
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.registry_file import exit_on_config_error, load_registry_or_exit
    from monitor.cli.scan import exit_code, run_scan
    from monitor.report.scan import ScanDepth
    from monitor.report.summary import summarize

    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    patterns = {"service": service, "signal": signal, "region": region, "account": account}
    patterns["resource"] = resource
    with exit_on_config_error(), exit_on_write_error(out), output.open_output(out) as file:
        depth = ScanDepth(forecasts=MAX_FORECASTS, sizes=MAX_SIZES) if forecast else ScanDepth()
        scan = run_scan(settings, registry, patterns, depth)
        file.write(output.FORMATS[format](summarize(scan, patterns)).encode(errors="replace"))
    raise typer.Exit(exit_code(scan, "none", allow_blind=True))


@contextmanager
def exit_on_write_error(out: Path) -> Iterator[None]:
    """Print an error and exit if the block raises OSError, as the file cannot be written."""
    try:
        yield
    except OSError as error:
        typer.echo(f"headroom cannot write {out}: {error.strerror or error}", err=True)
        raise typer.Exit(FAILED) from None
