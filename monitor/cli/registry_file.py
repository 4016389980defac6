"""The known services, and the messages about files that are wrong."""

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
    """Return the known services; print the problems of the user's own and exit when there are any."""
    with exit_on_config_error():
        return read_registry(file, environ)


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Print one line per problem of the configuration and exit."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(FAILED) from None
