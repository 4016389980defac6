"""The command line: `headroom`."""

import gc
from typing import Annotated

import typer

from monitor.cli.lazy_group import LazyGroup
from monitor.lib.telemetry import VERSION

MODULES = {
    "check": "monitor.cli.check",
    "report": "monitor.cli.report",
    "catalogue": "monitor.cli.catalogue",
    "iam-policy": "monitor.cli.iam_policy",
    "serve": "monitor.cli.serve",
    "demo": "monitor.cli.demo",
    "top": "monitor.cli.top",
    "healthcheck": "monitor.cli.healthcheck",
    "config": "monitor.cli.config",
    "dashboards": "monitor.cli.dashboards",
    "alerts": "monitor.cli.alerts",
    "stream": "monitor.cli.stream",
}


class Commands(LazyGroup):
    """The commands of MODULES."""

    modules = MODULES


app = typer.Typer(
    cls=Commands,
    help="Find the AWS resources that approach a limit, before requests are throttled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line. No garbage is collected until the command is imported."""
    gc.disable()
    app()


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Print the version with --version."""
    if version:
        typer.echo(f"headroom {VERSION}")
        raise typer.Exit
