"""`headroom paths`: shows the request paths of a running Headroom, and discovers request paths in AWS."""

import sys
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.options import Address, ConfigFile

PathsFormat = Literal["table", "json"]
SHOW = "show"
HELP_OPTIONS = ("--help", "-h")


class PathCommands(TyperGroup):
    """The commands below. Without a command, `show` is run: `headroom paths NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; if they do not begin with a command or a help option, put `show` in front."""
        begins_with_command = bool(args) and (args[0] in self.commands or args[0] in HELP_OPTIONS)
        parsed: list[str] = super().parse_args(ctx, args if begins_with_command else [SHOW, *args])
        return parsed


app = typer.Typer(
    cls=PathCommands,
    help="Show the flow of request paths and their weakest limits.",
    add_completion=False,
)


@app.callback()
def paths() -> None:
    """Show the flow of request paths and their weakest limits.

    `headroom paths NAME` is `headroom paths show NAME`.
    """


@app.command(SHOW, epilog="Example: headroom paths show checkout --format json")
def show(
    name: Annotated[str, typer.Argument(help="The name of a path; default: one line for each path.")] = "",
    address: Address = DEFAULT_ADDRESS,
    format: Annotated[PathsFormat, typer.Option(help="Output format.")] = "table",
) -> None:
    """Show all paths of a running Headroom, or one with its limits.

    Rates are requests per second at the entrance of a path. The word `show` may be left out.
    """
    from monitor.api.client import quote_segment
    from monitor.cli.requests import request_or_exit
    from monitor.report.path_formats import FORMATS

    response = request_or_exit(
        address, "GET", f"/api/v1/paths/{quote_segment(name)}" if name else "/api/v1/paths"
    )
    FORMATS[format](response, sys.stdout)


@app.command(epilog="Example: headroom paths discover > paths.yaml")
def discover(config: ConfigFile = None) -> None:
    """Propose request paths from AWS's settings.

    Prints a file for `path_files` of the configuration. Reads event source mappings, integrations,
    notifications, subscriptions, rules, schedules, target groups and origins of the configured accounts. An
    operation that describes a single resource is called at most 100 times in each region. `headroom
    iam-policy --paths` has the permissions. CloudWatch is not called. Exits with 2 when nothing could be
    read, and with 3 when some reads failed.
    """
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.exit_codes import FAILED, INCOMPLETE
    from monitor.cli.interruptible import run_interruptible
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.lib.text import escape_unprintable
    from monitor.report.path_scan import discover_paths

    registry = load_registry_or_exit(config)
    discovery = run_interruptible(discover_paths(load_config_or_exit(registry, config), registry))
    for failure in discovery.failures:
        typer.echo(escape_unprintable(failure), err=True)
    if not discovery.has_read:
        raise typer.Exit(FAILED)
    typer.echo(discovery.yaml, nl=False)
    if discovery.failures:
        raise typer.Exit(INCOMPLETE)
