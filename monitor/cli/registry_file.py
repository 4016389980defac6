"""Loads the known services, and prints the problems of invalid files."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path

import typer

from collectors.registry import Registry
from monitor.cli.exit_codes import FAILED
from monitor.config.registry_file import read_registry
from monitor.schema.problems import ConfigError


def load_registry_or_exit(file: Path | None) -> Registry:
    """Return the known services; print the problems of the user's services and exit if there are any."""
    with exit_on_config_error():
        return read_registry(file, environ)


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Print a line per problem and exit if the block raises ConfigError."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(FAILED) from None
