"""The command `headroom catalogue`."""

from typing import Annotated, Literal

import typer

from monitor.cli.config_file import ConfigFile, exit_on_config_error, load_registry_or_exit
from monitor.cli.options import Patterns
from monitor.report.catalogue import FORMATS
from monitor.report.scan import parse_selectors

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom catalogue --format json")
def catalogue(
    format: Annotated[Literal["text", "markdown", "json"], typer.Option(help="Output format.")] = "text",
    service: Patterns = None,
    config: ConfigFile = None,
) -> None:
    """List every signal with its default limit, remedy and documentation."""
    registry = load_registry_or_exit(config)
    with exit_on_config_error():
        selectors = parse_selectors({"service": service}, registry)
    chosen = [
        signal
        for signal in registry.signals
        if all(any(one.matches_signal(signal.service, signal.name) for one in some) for some in selectors)
    ]
    typer.echo(FORMATS[format](chosen))
