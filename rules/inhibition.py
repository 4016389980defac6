"""Finds signals that inhibit each other in a cycle, so that none of their alerts would be sent."""

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter

Inhibitors = Mapping[str, Set[str]]  # by signal: the signals whose alerts inhibit its alert


def inhibition_cycle(inhibitors: Inhibitors, covered_by: Mapping[str, str]) -> list[str]:
    """Return a cycle of signals, each inhibited by the next, or an empty list.

    The first signal of the cycle is also its last.

    covered_by: by signal, the signal whose alert replaces its alert. Signals that inhibit each other directly
    make no cycle, as the worst of their alerts is sent: they count as one signal, the first of them.
    """
    first_of_group = _first_of_group_by_signal(inhibitors)
    graph = TopologicalSorter[str]()
    for name, others in inhibitors.items():
        for other in others:
            if name not in inhibitors.get(other, ()):
                graph.add(first_of_group[name], first_of_group.get(other, other))
    for name, other in covered_by.items():
        graph.add(first_of_group.get(name, name), first_of_group.get(other, other))
    try:
        graph.prepare()
    except CycleError as error:
        return [*reversed(error.args[1])]
    return []


def _first_of_group_by_signal(inhibitors: Inhibitors) -> dict[str, str]:
    """Return the first signal of each signal's group, by signal.

    Signals that inhibit each other are in one group, and so are signals that have such a partner in common.
    """
    first_of_group: dict[str, str] = {}
    for name in inhibitors:
        unvisited = [name] if name not in first_of_group else []
        while unvisited:
            current = unvisited.pop()
            first_of_group[current] = name
            unvisited += [
                other
                for other in inhibitors[current]
                if other not in first_of_group and current in inhibitors.get(other, ())
            ]
    return first_of_group
