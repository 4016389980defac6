"""Reads the services that come with Headroom, and those that a user's folder declares."""

import os
from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

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


def _collector_in(name: str) -> Collector:
    collector: Collector = import_module(f"collectors.{name}").COLLECTOR
    return collector


# In order of precedence (see `Registry.collectors`). The declared services follow.
PYTHON_COLLECTORS: tuple[Collector, ...] = (
    LazyCollector(partial(_collector_in, "apigateway"), service="apigateway", **REGIONAL),
    LazyCollector(partial(_collector_in, "lambda_"), service="lambda", **REGIONAL),
    LazyCollector(partial(_collector_in, "s3"), service="s3", **REGIONAL),
    LazyCollector(partial(_collector_in, "kinesis"), service="kinesis", **REGIONAL),
    LazyCollector(
        partial(_collector_in, "service_quotas.collector"),
        service="quotas",
        **REGIONAL | {"reads_last": True},
    ),
)


@cache
def builtin_registry() -> Registry:
    """Return the registry of the built-in services; the same object each time.

    Composition roots call it, and pass the registry on. Raises DeclarationError with every problem of the
    files.
    """
    files = CachedDocuments("declarations", DECLARATIONS_FOLDER, further_folder=CATALOGUE_FOLDER)
    with no_garbage_collection():
        documents = _check_and_store(files) if files.cached is None else files.cached
        return build_registry(
            (*PYTHON_COLLECTORS, *map(_lazy_collector, documents.values())), builtin_services()
        )


def _check_and_store(files: CachedDocuments) -> Documents:
    """Check all files, and store their documents for later processes; return the documents.

    Raises DeclarationError with all problems.
    """
    from collectors.service_files import ServiceFolders, read_service_files  # noqa: PLC0415 - used only by the check

    folders = ServiceFolders(DECLARATIONS_FOLDER, CATALOGUE_FOLDER)
    read_service_files(folders, python_services=[collector.service for collector in PYTHON_COLLECTORS])
    documents = files.parse()
    files.store(documents)
    return documents


def _lazy_collector(data: Mapping[str, Any]) -> Collector:
    """Return the collector of a checked declaration, which is parsed when the collector is first used."""
    return LazyCollector(
        partial(_load_collector, msgspec.json.encode(data)),  # a quarter of the memory of its objects
        service=data["service"],
        signals=frozenset(data["signals"]),
        scope=ServiceScope(data.get("scope", ServiceScope.REGION)),
        reads_last=False,
    )


def _load_collector(encoded: bytes) -> Collector:
    from collectors.declaration import checked_declaration  # noqa: PLC0415 - slow to import
    from collectors.declared import collector_of  # noqa: PLC0415

    with no_garbage_collection():
        return collector_of(checked_declaration(msgspec.json.decode(encoded)))


def registry_with(folder: Path) -> Registry:
    """Return a registry of the built-in services and those that a folder declares, if the folder exists.

    Raises DeclarationError with every problem of its files.
    """
    builtin = builtin_registry()
    if not os.path.lexists(folder):
        return builtin
    from collectors.declared import collector_of  # noqa: PLC0415 - slow to import
    from collectors.own_services import read_own_services  # noqa: PLC0415 - imports botocore

    declarations, services = read_own_services(folder, builtin.services)
    collectors = (*builtin.collectors, *map(collector_of, declarations))
    return build_registry(collectors, (*builtin.services.values(), *services))
