"""Puts the hops of a request path in an order, or finds the cycle that they make."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError as GraphCycleError
from graphlib import TopologicalSorter


def order_of(predecessors: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return all hops, each after the hops that it follows, and the hops of a cycle. One list is empty.

    predecessors: by hop, the hops that it follows. Hops whose order is open stay in the order of this
    mapping.
    """
    try:
        sorter = TopologicalSorter(predecessors)
        sorter.prepare()
    except GraphCycleError as error:
        return [], [str(hop) for hop in error.args[1]]  # each hop is followed by the next one
    places, order = {name: place for place, name in enumerate(predecessors)}, list[str]()
    ready_hops = [*sorter.get_ready()]
    while ready_hops:
        name = min(ready_hops, key=places.__getitem__)
        ready_hops.remove(name)
        order.append(name)
        sorter.done(name)
        ready_hops += sorter.get_ready()
    return order, []
