"""Reads the known services, for commands that need no configuration."""

from collections.abc import Mapping
from pathlib import Path

from collectors.builtin import registry_with
from collectors.declaration_error import DeclarationError
from collectors.registry import Registry
from monitor.config.config_paths import user_folder
from monitor.schema.problems import ConfigError


def read_registry(path: Path | None, environ: Mapping[str, str]) -> Registry:
    """Return the built-in services and the services in `catalogue.d/` beside the configuration file.

    Raises ConfigError with all problems of the files in `catalogue.d/`.
    """
    try:
        return registry_with(user_folder(path, environ))
    except DeclarationError as error:
        raise ConfigError(error.problems) from None
