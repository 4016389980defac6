"""The catalogue entries of all services, for commands that do not need the declarations of collectors."""

from collections.abc import Collection
from os import environ
from os.path import lexists
from pathlib import Path

from collectors.builtin_services import builtin_services
from monitor.config.config_paths import user_folder
from rules.signals import Service


def load_services_or_exit(file: Path | None) -> Collection[Service]:
    """Return the built-in and the user's services; print problems of the user's services and exit if any."""
    if not lexists(user_folder(file, environ)):
        return builtin_services()
    from monitor.cli.registry_file import load_registry_or_exit

    return load_registry_or_exit(file).services.values()
