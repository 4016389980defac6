"""Reads the services that come with Headroom, and those that a user's folder declares."""

import os
from functools import cache
from pathlib import Path

from collectors import apigateway, kinesis, lambda_, s3
from collectors.declared import collector_of
from collectors.registry import Registry, build_registry
from collectors.service_files import ServiceFolders, read_service_files
from collectors.service_quotas import collector as service_quotas
from monitor.lib.garbage import no_garbage_collection
from rules.signals import CATALOGUE_FOLDER

DECLARATIONS_FOLDER = Path(__file__).parent

# In order of precedence: the first that reads a metric is charged for it. The declared services follow.
IN_PYTHON = (
    apigateway.COLLECTOR,
    lambda_.COLLECTOR,
    s3.COLLECTOR,
    kinesis.COLLECTOR,
    service_quotas.COLLECTOR,
)


@cache
def builtin_registry() -> Registry:
    """Read the catalogue and return the registry of the built-in services; the same one each time.

    For composition roots, which pass it on. Raises DeclarationError with every problem of the files.
    """
    in_python = [collector.service for collector in IN_PYTHON]
    folders = ServiceFolders(DECLARATIONS_FOLDER, CATALOGUE_FOLDER)
    with no_garbage_collection():
        declared, services = read_service_files(folders, in_python=in_python)
        return build_registry((*IN_PYTHON, *map(collector_of, declared)), services)


def registry_with(folder: Path) -> Registry:
    """Return a registry of the built-in services and those that a folder declares, if it exists.

    Raises DeclarationError with every problem of its files.
    """
    builtin = builtin_registry()
    if not os.path.lexists(folder):
        return builtin
    from collectors.own_services import read_own_services  # noqa: PLC0415 - checks them by botocore's models

    declared, services = read_own_services(folder, builtin.services)
    collectors = (*builtin.collectors, *map(collector_of, declared))
    return build_registry(collectors, (*builtin.services.values(), *services))
