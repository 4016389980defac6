"""Reads the catalogue entries of the services that come with Headroom, without their declarations."""

from functools import cache

from collectors.cached_documents import CachedDocuments
from rules.signals import CATALOGUE_FOLDER, Service


@cache
def builtin_services() -> tuple[Service, ...]:
    """Return all entries, in the order of their files. Raises ValueError for a file with no valid entry."""
    files = CachedDocuments("catalogue", CATALOGUE_FOLDER)
    documents = files.parse() if files.cached is None else files.cached
    services = tuple(Service.model_validate(document) for document in documents.values())
    if files.cached is None:
        files.store(documents)
    return services
