"""Reads the catalogue entries of the services that come with Headroom, without their declarations."""

from functools import cache

from collectors.kept_documents import KeptDocuments
from rules.signals import CATALOGUE_FOLDER, Service


@cache
def builtin_services() -> tuple[Service, ...]:
    """Return all entries, in the order of their files. Raises ValueError for a file with no valid entry."""
    files = KeptDocuments("catalogue", CATALOGUE_FOLDER)
    documents = files.parsed() if files.known is None else files.known
    services = tuple(Service.model_validate(document) for document in documents.values())
    if files.known is None:
        files.keep(documents)
    return services
