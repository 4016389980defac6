"""Reads the services that come with Headroom, and those that a user's folder declares."""

import os
from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from collectors.base import Collector, ServiceScope
from collectors.builtin_services import builtin_services
from collectors.cached_documents import CachedDocuments, Documents
from collectors.lazy_collector import LazyCollector
from collectors.registry import Registry, build_registry
from monitor.lib.garbage import no_garbage_collection
from rules.signals import CATALOGUE_FOLDER

DECLARATIONS_FOLDER = Path(__file__).parent

# The fields of most collectors in Python. Their signals are not known before they are loaded.
REGIONAL = {"signals": frozenset[str](), "scope": ServiceScope.REGION, "reads_last": False}


def _in_module(name: str) -> Collector:
    collector: Collector = import_module(f"collectors.{name}").COLLECTOR
    return collector


# In order of precedence: the first collector that reads a metric pays for it. The declared services follow.
IN_PYTHON: tuple[Collector, ...] = (
    LazyCollector(partial(_in_module, "apigateway"), service="apigateway", **REGIONAL),
    LazyCollector(partial(_in_module, "lambda_"), service="lambda", **REGIONAL),
    LazyCollector(partial(_in_module, "s3"), service="s3", **REGIONAL),
    LazyCollector(partial(_in_module, "kinesis"), service="kinesis", **REGIONAL),
    LazyCollector(
        partial(_in_module, "service_quotas.collector"), service="quotas", **REGIONAL | {"reads_last": True}
    ),
)


@cache
def builtin_registry() -> Registry:
    """Return the registry of the built-in services; the same object each time.

    Composition roots call it, and pass the registry on. Raises DeclarationError with every problem of the
    files.
    """
    files = CachedDocuments("declarations", DECLARATIONS_FOLDER, also=CATALOGUE_FOLDER)
    with no_garbage_collection():
        documents = _checked(files) if files.cached is None else files.cached
        return build_registry((*IN_PYTHON, *map(_declared, documents.values())), builtin_services())


def _checked(files: CachedDocuments) -> Documents:
    """Check all files, and keep their documents for later processes; return the documents.

    Raises DeclarationError with all problems.
    """
    from collectors.service_files import ServiceFolders, read_service_files  # noqa: PLC0415 - to check alone

    folders = ServiceFolders(DECLARATIONS_FOLDER, CATALOGUE_FOLDER)
    read_service_files(folders, in_python=[collector.service for collector in IN_PYTHON])
    documents = files.parsed()
    files.store(documents)
    return documents


def _declared(data: Mapping[str, Any]) -> Collector:
    """Return the collector of a declaration in which no problem was found."""
    return LazyCollector(
        partial(_compiled, data),
        service=data["service"],
        signals=frozenset(data["signals"]),
        scope=ServiceScope(data.get("scope", ServiceScope.REGION)),
        reads_last=False,
    )


def _compiled(data: Mapping[str, Any]) -> Collector:
    from collectors.declaration import checked_declaration  # noqa: PLC0415 - slow to import
    from collectors.declared import collector_of  # noqa: PLC0415

    with no_garbage_collection():
        return collector_of(checked_declaration(data))


def registry_with(folder: Path) -> Registry:
    """Return a registry of the built-in services and those that a folder declares, if it exists.

    Raises DeclarationError with every problem of its files.
    """
    builtin = builtin_registry()
    if not os.path.lexists(folder):
        return builtin
    from collectors.declared import collector_of  # noqa: PLC0415 - slow to import
    from collectors.own_services import read_own_services  # noqa: PLC0415 - imports botocore

    declared, services = read_own_services(folder, builtin.services)
    collectors = (*builtin.collectors, *map(collector_of, declared))
    return build_registry(collectors, (*builtin.services.values(), *services))
