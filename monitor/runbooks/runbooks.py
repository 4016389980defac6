"""All runbooks, by their names."""

from collections.abc import Iterator

from collectors.registry import Registry
from monitor.lib.anchors import OWN_RUNBOOK
from monitor.runbooks.own_runbook import own_runbook
from monitor.runbooks.runbook import Runbook
from monitor.runbooks.service_runbook import service_runbook


def runbook_names(registry: Registry) -> Iterator[str]:
    """Yield the names of all runbooks: first Headroom's own, then those of the services."""
    yield OWN_RUNBOOK
    yield from (collector.service for collector in registry.collectors)


def find_runbook(registry: Registry, name: str) -> Runbook | None:
    """Return the runbook of this name; None if there is none."""
    if name == OWN_RUNBOOK:
        return own_runbook()
    entry = registry.services.get(name)
    if entry is None:
        return None
    actions = {action for collector in registry.collectors_of({name}) for action in collector.iam_actions}
    return service_runbook(entry, actions)
