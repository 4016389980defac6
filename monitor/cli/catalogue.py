"""The commands `headroom catalogue`: they list all signals, and check a user's own."""

from os import environ
from pathlib import Path
from typing import Annotated, Literal

import typer

from collectors.builtin import builtin_registry
from collectors.declaration_file import DeclarationError
from collectors.own_services import check_own_services
from monitor.cli.config_file import ConfigFile, exit_on_config_error, load_registry_or_exit
from monitor.cli.options import Patterns
from monitor.config.file import user_folder
from monitor.render.text import count_of
from monitor.report.catalogue import FORMATS
from monitor.report.scan import parse_selectors
from monitor.schema.problems import ConfigError

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True, epilog="Example: headroom catalogue --format json")
def catalogue(
    context: typer.Context,
    format: Annotated[Literal["text", "markdown", "json"], typer.Option(help="Output format.")] = "text",
    service: Patterns = None,
    config: ConfigFile = None,
) -> None:
    """List every signal with its default limit, remedy and documentation."""
    if context.invoked_subcommand:
        context.obj = config
        return
    registry = load_registry_or_exit(config)
    with exit_on_config_error():
        selectors = parse_selectors({"service": service}, registry)
    chosen = [
        signal
        for signal in registry.signals
        if all(any(one.matches_signal(signal.service, signal.name) for one in some) for some in selectors)
    ]
    typer.echo(FORMATS[format](chosen))


@app.command("check", epilog="Example: headroom catalogue check catalogue.d")
def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER|FILE]...",
            help="Folders such as catalogue.d/, or files in them: each is read with the other file of its "
            "service. Default: catalogue.d/ beside the configuration file.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Validate your own services; prints one line per problem and exits with 2 when there are any."""
    chosen = paths or [user_folder(config or context.obj, environ)]
    with exit_on_config_error():
        try:
            services = check_own_services(chosen, builtin_registry().services)
        except DeclarationError as error:
            raise ConfigError(error.problems) from None
    number = sum(len(service.signals) for service in services)
    verb = "is" if number == 1 else "are"
    typer.echo(f"{count_of(number, 'signal')} of {count_of(len(services), 'service')} {verb} valid")
