"""The runbooks as pages, made of the same headings as the Markdown files."""

from typing import Any

from fastapi import HTTPException

from collectors.registry import Registry
from monitor.runbooks.runbook import Runbook
from monitor.runbooks.runbooks import find_runbook, runbook_names

FILE_SUFFIX = ".md"  # Prometheus' alerts may link to a runbook by the name of its Markdown file
MAX_NAME_LENGTH = 64


def runbook_variables(registry: Registry, name: str) -> dict[str, Runbook]:
    """Return the variables of the page of one runbook. Raises HTTPException (404) when there is none."""
    runbook = find_runbook(registry, name)
    if runbook is None:
        raise HTTPException(404, f"there is no runbook of {name[:MAX_NAME_LENGTH]}; /runbooks lists all")
    return {"runbook": runbook}


def runbook_list(registry: Registry) -> dict[str, Any]:
    """Return the variables of the list of runbooks: the name, title and number of headings of each."""
    runbooks = ((name, find_runbook(registry, name)) for name in runbook_names(registry))
    own, *services = [(name, runbook.title, len(runbook.sections)) for name, runbook in runbooks if runbook]
    return {"runbooks": [own, *sorted(services, key=lambda service: service[1].casefold())]}
