"""Puts the hops of a request path in an order, or finds the cycle that they make."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError as GraphCycleError
from graphlib import TopologicalSorter


def order_of(before: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return hops in an order in which each follows those before it, and the hops of a cycle.

    before: by hop, the hops that it follows. One of the two lists is empty. The order is stable: that of
    `before`, as far as possible.
    """
    try:
        ready = TopologicalSorter(before)
        ready.prepare()
    except GraphCycleError as error:
        return [], [str(one) for one in error.args[1]]  # each before the next
    places, order = {name: place for place, name in enumerate(before)}, list[str]()
    waiting = [*ready.get_ready()]
    while waiting:
        name = min(waiting, key=places.__getitem__)
        waiting.remove(name)
        order.append(name)
        ready.done(name)
        waiting += ready.get_ready()
    return order, []
