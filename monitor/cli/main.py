"""The command line: `headroom`."""

import gc
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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


class Commands(TyperGroup):
    """The commands of MODULES, each imported when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the help."""
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None if there is none of this name."""
        if cmd_name not in MODULES:
            return None
        command = typer.main.get_command(_import_command(MODULES[cmd_name]).app)
        command.name = cmd_name
        return command


def _import_command(module: str) -> Any:
    """Import a command, and collect garbage from then on, but not among what the imports made."""
    command = import_module(module)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return command


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
