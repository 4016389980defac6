"""All runbooks, by their names."""

from collections.abc import Iterator

from collectors.registry import Registry
from monitor.lib.anchors import OWN_RUNBOOK
from monitor.runbooks.own_runbook import own_runbook
from monitor.runbooks.runbook import Runbook
from monitor.runbooks.service_runbook import service_runbook


def runbook_names(registry: Registry) -> Iterator[str]:
    """Yield the names of all runbooks: that of Headroom first, then those of the services."""
    yield OWN_RUNBOOK
    yield from (one.service for one in registry.collectors)


def find_runbook(registry: Registry, name: str) -> Runbook | None:
    """Return the runbook of this name; None if there is none."""
    if name == OWN_RUNBOOK:
        return own_runbook()
    entry = registry.services.get(name)
    if entry is None:
        return None
    actions = {action for one in registry.collectors_of({name}) for action in one.iam_actions}
    return service_runbook(entry, actions)
