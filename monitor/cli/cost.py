"""The command `headroom cost`."""

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.exit_codes import FAILED, INCOMPLETE
from monitor.cli.options import ConfigFile

if TYPE_CHECKING:
    from monitor.config.config import Config
    from monitor.report.read_intervals import ReadIntervals

INTERVALS = ("interval", "max_interval", "throttled_interval")

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom cost --format json")
def cost(
    config: ConfigFile = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="Output format.")] = "table",
    what_if: Annotated[
        str,
        typer.Option(
            help="Estimate other intervals and streamed services, too: interval=60,stream=kinesis. "
            "`interval` without other intervals applies to all metrics."
        ),
    ] = "",
) -> None:
    """Estimate the monthly cost of CloudWatch by service.

    Estimates the cost of the signals that are not read, too. Lists the resources and requests no metric,
    so that the estimate itself costs nothing. The estimate holds while usage is far from limits; metrics
    near a limit are requested more often, every minute at most. Lists the metrics that a metric stream
    with Firehose would deliver for less, if each has a point every minute; the cost page and API of a
    running Headroom know how many points each has. Prices are those of the configuration, by default the
    list prices of us-east-1 and of China. The costs by service and tier leave out accounts that are not
    billed in dollars; those accounts are listed by account. Exits with 3 when some reads failed, and with
    2 when nothing could be read.
    """
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.interruptible import run_interruptible
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.cli.scan import progress_bar
    from monitor.report.cost_estimate import estimate_cost
    from monitor.report.cost_formats import FORMATS

    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    alternative = _parse_what_if(what_if, settings, registry.service_names) if what_if else None
    with progress_bar() as report_progress:
        estimate = run_interruptible(estimate_cost(settings, registry, report_progress, alternative))
    typer.echo(FORMATS[format](estimate))
    for failure in estimate.failures.listed_sentences if format == "table" else ():
        typer.echo(failure, err=True)
    if not estimate.failures:
        return
    if not estimate.has_read:
        typer.echo("Nothing could be read; exit code 2.", err=True)
    raise typer.Exit(INCOMPLETE if estimate.has_read else FAILED)


def _parse_what_if(text: str, config: "Config", services: Collection[str]) -> "ReadIntervals":
    """Return the intervals and streamed services of `--what-if`. Raises typer.BadParameter."""
    from pydantic import ValidationError

    from monitor.config.config import Config
    from monitor.report.read_intervals import ReadIntervals
    from monitor.schema.problems import problem_lines, problems_from_pydantic
    from rules.problem_text import suggestion

    parts = (pair.strip().partition("=") for pair in text.split(","))
    pairs = [(name, value) for name, _, value in parts]
    streamed = frozenset(value for name, value in pairs if name == "stream")
    if unknown := sorted(streamed - {*services}):
        raise typer.BadParameter(f"unknown service {unknown[0]}{suggestion(unknown[0], services)}")
    given_values = {
        name: float(value) if value.isdecimal() else value for name, value in pairs if name != "stream"
    }
    if unknown := sorted(given_values.keys() - {*INTERVALS}):
        raise typer.BadParameter(f"unknown key {unknown[0]}{suggestion(unknown[0], ('stream', *INTERVALS))}")
    if {*given_values} == {"interval"}:
        given_values |= dict.fromkeys(INTERVALS, given_values["interval"])
    try:
        changed_config = Config.model_validate(
            {name: getattr(config, name) for name in INTERVALS} | given_values
        )
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(problem_lines("", problems_from_pydantic(error, Config)))
        ) from None
    return replace(ReadIntervals.of(changed_config), streamed=streamed)
