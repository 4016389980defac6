"""The services that come with Headroom, and those that a user's folder declares."""

from functools import cache
from pathlib import Path

from collectors import apigateway, kinesis, lambda_, s3
from collectors.base import Collector
from collectors.declaration_file import DeclarationError, read_declaration
from collectors.declaration_models import model_problems
from collectors.declared import collector_of
from collectors.registry import Registry, build_registry
from rules.limits import CATALOGUE_FOLDER, Service, read_services

DECLARATIONS_FOLDER = Path(__file__).parent
USER_FOLDER = "catalogue.d"  # beside the configuration file

# In the order in which they are charged for a metric that several read; the declared services follow.
IN_PYTHON = (apigateway.COLLECTOR, lambda_.COLLECTOR, s3.COLLECTOR, kinesis.COLLECTOR)


@cache
def builtin_registry() -> Registry:
    """Read the catalogue and return the registry of the built-in services; the same one each time.

    For composition roots, which pass it on. Raises ValueError when a file of the catalogue is invalid.
    """
    paths = sorted(DECLARATIONS_FOLDER.glob("*.yaml"))
    declared = [collector_of(read_declaration(path)) for path in paths]
    return build_registry((*IN_PYTHON, *declared), read_services(CATALOGUE_FOLDER))


def registry_with(folder: Path) -> Registry:
    """Return the built-in services, and those that a folder declares in `collectors/` and `rules/`.

    Raises DeclarationError with every problem of its files.
    """
    builtin = builtin_registry()
    if not folder.is_dir():
        return builtin
    collectors, problems = _user_collectors(folder / "collectors")
    services, more_problems = _user_services(folder / "rules")
    problems += more_problems
    names = {collector.service for collector in collectors} | {service.service for service in services}
    for name in sorted(names & builtin.services.keys()):
        problems.append(f"{name}: expected another name, as it is a built-in service")
    if problems:
        raise DeclarationError(problems)
    try:
        return build_registry((*builtin.collectors, *collectors), (*builtin.services.values(), *services))
    except ValueError as error:
        raise DeclarationError(str(error).split("; ")) from None


def _user_collectors(folder: Path) -> tuple[list[Collector], list[str]]:
    """Return the collectors that a folder declares, and the problems of its files."""
    collectors, problems = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            collectors.append(collector_of(read_declaration(path, model_problems)))
        except DeclarationError as error:
            problems += error.problems
    return collectors, problems


def _user_services(folder: Path) -> tuple[list[Service], list[str]]:
    """Return the entries of the catalogue in a folder, and the problems of its files."""
    try:
        return read_services(folder), []
    except ValueError as error:
        return [], str(error).split("; ")
