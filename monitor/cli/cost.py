"""The command `headroom cost`."""

from typing import Annotated, Literal

import typer

from monitor.cli.config_file import ConfigFile, load_config_or_exit, load_registry_or_exit
from monitor.cli.exit_codes import FAILED, INCOMPLETE
from monitor.cli.interruptible import run_interruptible
from monitor.cli.scan import progress_bar
from monitor.report.cost_estimate import FORMATS, estimate_cost

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom cost --format json")
def cost(
    config: ConfigFile = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="Output format.")] = "table",
) -> None:
    """Estimate what CloudWatch costs a month by service, and what the signals that are off would add.

    Lists the resources and requests no metric, so that the estimate itself costs nothing. Prices are the list
    prices of us-east-1; metrics that a stream delivers cost what the page for the cost of a running Headroom
    shows. Exits with 3 when some reads failed, and with 2 when nothing could be read.
    """
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    with progress_bar() as report_progress:
        estimate = run_interruptible(estimate_cost(settings, registry, report_progress))
    typer.echo(FORMATS[format](estimate))
    for failure in estimate.failures if format == "table" else ():
        typer.echo(failure, err=True)
    if estimate.failures:
        raise typer.Exit(INCOMPLETE if estimate.services else FAILED)
