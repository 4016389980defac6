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
    representative = _representatives(inhibitors)
    graph = TopologicalSorter[str]()
    for name, others in inhibitors.items():
        for other in others:
            if name not in inhibitors.get(other, ()):
                graph.add(representative[name], representative.get(other, other))
    for name, other in covered_by.items():
        graph.add(representative.get(name, name), representative.get(other, other))
    try:
        graph.prepare()
    except CycleError as error:
        return [*reversed(error.args[1])]
    return []


def _representatives(inhibitors: Inhibitors) -> dict[str, str]:
    """Return, for each signal, the first signal that pairs which inhibit each other connect it with."""
    representative: dict[str, str] = {}
    for name in inhibitors:
        unvisited = [name] if name not in representative else []
        while unvisited:
            current = unvisited.pop()
            representative[current] = name
            unvisited += [
                other
                for other in inhibitors[current]
                if other not in representative and current in inhibitors.get(other, ())
            ]
    return representative
