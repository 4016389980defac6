"""Reads the services that come with Headroom, and those that a user's folder declares."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from collectors import apigateway, kinesis, lambda_, s3
from collectors.botocore_problems import botocore_problems
from collectors.declaration_file import DeclarationError
from collectors.declared import collector_of
from collectors.registry import Registry, build_registry
from collectors.service_files import read_service_files
from collectors.service_quotas import collector as service_quotas
from rules.limits import CATALOGUE_FOLDER

DECLARATIONS_FOLDER = Path(__file__).parent
USER_FOLDER = "catalogue.d"  # beside the configuration file

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
    declared, services = read_service_files(DECLARATIONS_FOLDER, CATALOGUE_FOLDER, in_python=in_python)
    return build_registry((*IN_PYTHON, *map(collector_of, declared)), services)


def registry_with(folder: Path) -> Registry:
    """Return a registry of the built-in services and those that a folder declares, if it exists.

    Declarations are in its `collectors/`, entries of the catalogue in its `rules/`.

    Raises DeclarationError with every problem of its files.
    """
    builtin = builtin_registry()
    if not folder.is_dir():
        return builtin
    problems = [*_misplaced_files(folder)]
    try:
        declared, services = read_service_files(
            folder / "collectors", folder / "rules", taken=builtin.services, further_check=botocore_problems
        )
    except DeclarationError as error:
        problems += error.problems
    if problems:
        raise DeclarationError(problems)
    collectors = (*builtin.collectors, *map(collector_of, declared))
    return build_registry(collectors, (*builtin.services.values(), *services))


def _misplaced_files(folder: Path) -> Iterator[str]:
    """Yield a problem for each YAML file that nothing reads. Kubernetes and editors put hidden ones there."""
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.name.startswith(".") or path.suffix not in (".yaml", ".yml"):
            continue
        if path.parent.parent != folder or path.parent.name not in ("collectors", "rules"):
            yield f"{path}:1: file: expected in {folder / 'collectors'} or {folder / 'rules'}"
        elif path.suffix != ".yaml":
            yield f"{path}:1: file: expected the ending .yaml"
