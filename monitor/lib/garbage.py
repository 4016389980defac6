"""Python's collection of garbage, which costs a third of the time of making many objects that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A collection begins when so many more objects were made than freed. Python's default, 700, is reached within
# one call to AWS.
YOUNG_OBJECTS = 10_000
GROWTH = 4096  # series from one freezing to the next: seldom, as garbage that is frozen is never freed


def start_collecting() -> None:
    """Collect garbage from now on, but not among the objects that exist, and more seldom than by default.

    A call to AWS makes hundreds of objects that live as long as it does, and hundreds of calls run at once.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()


def resume_collecting() -> None:
    """Collect garbage from now on, if none is collected: see `start_collecting`."""
    if not gc.isenabled():
        start_collecting()


def freeze_when_grown(objects: int, frozen: int) -> int:
    """Collect no more garbage among the objects that exist, if GROWTH have come. Return how many are frozen.

    objects: the number of objects that stay. frozen: what the last call returned.
    A collection among a hundred thousand series blocked the event loop for a tenth of a second, and so did
    collecting garbage before they were frozen.
    """
    if objects < frozen + GROWTH:
        return min(objects, frozen)
    gc.freeze()
    return objects


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect no garbage meanwhile."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
