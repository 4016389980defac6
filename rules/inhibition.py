"""Finds signals that inhibit each other in a cycle, so that none of their alerts would be sent."""

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter

Inhibitors = Mapping[str, Set[str]]  # by signal: those whose alerts inhibit its own


def inhibition_cycle(inhibitors: Inhibitors, covered_by: Mapping[str, str]) -> list[str]:
    """Return signals of which each is inhibited by the next, the last one being the first; empty for none.

    covered_by: by signal, the one whose alert stands for its own. Signals that inhibit each other directly
    count as one, named by the first of them, as the highest of their alerts is sent.
    """
    first = _first_of_mutual(inhibitors)
    graph = TopologicalSorter[str]()
    for name, others in inhibitors.items():
        for other in others:
            if name not in inhibitors.get(other, ()):
                graph.add(first[name], first.get(other, other))
    for name, other in covered_by.items():
        graph.add(first.get(name, name), first.get(other, other))
    try:
        graph.prepare()
    except CycleError as error:
        return [*reversed(error.args[1])]
    return []


def _first_of_mutual(inhibitors: Inhibitors) -> dict[str, str]:
    """Return, for each signal, the first of those that inhibit each other directly or through others."""
    first: dict[str, str] = {}
    for name in inhibitors:
        waiting = [name] if name not in first else []
        while waiting:
            one = waiting.pop()
            first[one] = name
            waiting += [
                other for other in inhibitors[one] if other not in first and one in inhibitors.get(other, ())
            ]
    return first
