"""The commands `headroom catalogue`, which list all signals, and check a user's own services."""

from collections.abc import Collection
from fnmatch import fnmatchcase
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from monitor.cli.exit_codes import FAILED
from monitor.cli.options import ConfigFile, Patterns
from monitor.config.config_paths import user_folder

if TYPE_CHECKING:
    from rules.signals import Service

EXPECTED_FILES = "a service has the files collectors/NAME.yaml and rules/NAME.yaml in it"

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True, epilog="Example: headroom catalogue --format json")
def catalogue(
    context: typer.Context,
    format: Annotated[Literal["text", "markdown", "json"], typer.Option(help="Output format.")] = "text",
    service: Patterns = None,
    config: ConfigFile = None,
) -> None:
    """List every signal with its default limit and its remedy."""
    if context.invoked_subcommand:
        context.obj = config
        return
    from monitor.cli.known_services import load_services_or_exit
    from monitor.report.catalogue import FORMATS

    services = load_services_or_exit(config)
    shown = _matching_services(service, services, config) if service else services
    typer.echo(FORMATS[format]([signal for entry in shown for signal in entry.signals.values()]))


def _matching_services(
    patterns: list[str], services: "Collection[Service]", config: Path | None
) -> "Collection[Service]":
    """Return the services that match one of the patterns; exit if a pattern matches no service."""
    if any(not any(fnmatchcase(entry.service, pattern) for entry in services) for pattern in patterns):
        _exit_on_unknown_service(patterns, config)
    return [entry for entry in services if any(fnmatchcase(entry.service, pattern) for pattern in patterns)]


def _exit_on_unknown_service(patterns: list[str], config: Path | None) -> NoReturn:
    """Exit with the problem that `parse_selectors` reports for a pattern that matches no service."""
    from monitor.cli.registry_file import exit_on_config_error, load_registry_or_exit
    from monitor.schema.selectors import parse_selectors

    with exit_on_config_error():
        parse_selectors({"service": patterns}, load_registry_or_exit(config))
    raise AssertionError("expected a pattern without a service")


def _own_folder_or_exit(config: Path | None) -> Path:
    """Return the folder of the user's own services beside the configuration file; exit if there is none."""
    folder = user_folder(config, environ)
    if not folder.is_dir():
        typer.echo(f"There is no folder {folder} with services of your own: {EXPECTED_FILES}.", err=True)
        raise typer.Exit(FAILED)
    return folder


@app.command("check", epilog="Example: headroom catalogue check catalogue.d")
def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER|FILE]...",
            help="Folders such as catalogue.d/, or files in them. The two files of a service, "
            "collectors/NAME.yaml and rules/NAME.yaml, are read together. Default: catalogue.d/ beside the "
            "configuration file.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Validate your own services.

    Prints one line per problem, and exits with 2 when there are any.
    """
    from collectors.builtin import builtin_registry
    from collectors.declaration_error import DeclarationError
    from collectors.own_services import check_own_services
    from monitor.cli.registry_file import exit_on_config_error
    from monitor.schema.problems import ConfigError
    from rules.plurals import agreeing, count_of

    checked_paths = paths or [_own_folder_or_exit(config or context.obj)]
    with exit_on_config_error():
        try:
            services = check_own_services(checked_paths, builtin_registry().services)
        except DeclarationError as error:
            raise ConfigError(error.problems) from None
    if not services:
        typer.echo(f"No service in {', '.join(map(str, checked_paths))}: {EXPECTED_FILES}.")
        return
    signals = sum(len(service.signals) for service in services)
    verb = agreeing(signals, "is", "are")
    typer.echo(f"{count_of(signals, 'signal')} of {count_of(len(services), 'service')} {verb} valid")
