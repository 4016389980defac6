"""Finds signals that inhibit each other in a cycle, so that none of their alerts would be sent."""

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter

Inhibitors = Mapping[str, Set[str]]  # by signal: the signals whose alerts inhibit its alert


def inhibition_cycle(inhibitors: Inhibitors, covered_by: Mapping[str, str]) -> list[str]:
    """Return a cycle of signals, each inhibited by the next, or an empty list.

    The first signal of the cycle is also its last.

    covered_by: by signal, the signal whose alert replaces its alert. Signals that inhibit each other directly
    make no cycle, as the highest of their alerts is sent: they count as one signal, named by the first.
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
    """Return, by signal, the first of the signals that pairs which inhibit each other connect it with."""
    first: dict[str, str] = {}
    for name in inhibitors:
        unvisited = [name] if name not in first else []
        while unvisited:
            current = unvisited.pop()
            first[current] = name
            unvisited += [
                other
                for other in inhibitors[current]
                if other not in first and current in inhibitors.get(other, ())
            ]
    return first
