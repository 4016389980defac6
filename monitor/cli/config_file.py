"""The configuration that the option --config selects."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path

import typer

from collectors.registry import Registry
from monitor.cli.exit_codes import FAILED
from monitor.config.config import Config
from monitor.config.file import read_config, read_registry
from monitor.schema.problems import ConfigError


def load_registry_or_exit(file: Path | None) -> Registry:
    """Return the known services; print the problems of the user's own and exit when there are any."""
    with exit_on_config_error():
        return read_registry(file, environ)


def load_config_or_exit(registry: Registry, file: Path | None, listen: str | None = None) -> Config:
    """Return the configuration; print its problems and exit when it is invalid."""
    with exit_on_config_error():
        return load_config(registry, file, listen)


def load_config(registry: Registry, file: Path | None, listen: str | None) -> Config:
    """Return the configuration, with the listen address of the command line if given. Raises ConfigError."""
    config = read_config(file, environ, registry)
    return config.with_listen(listen) if listen else config


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Print one line per problem of the configuration and exit."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(FAILED) from None
