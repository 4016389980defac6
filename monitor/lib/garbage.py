"""Python's garbage collection, which takes a third of the time of creating many long-lived objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A collection begins when this many more objects were created than freed. Python's default, 700, is reached
# within one call to AWS.
YOUNG_OBJECTS = 10_000
# Long-lived objects, such as series, that are added between two freezes. Freezes are rare because frozen
# garbage is never freed.
MIN_GROWTH_TO_FREEZE = 4096


def start_collecting() -> None:
    """Enable garbage collection, less often than by default, and exclude the existing objects.

    A call to AWS creates hundreds of objects that live until it ends, and hundreds of calls run at once.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()


def resume_collecting() -> None:
    """Enable garbage collection as `start_collecting` does, unless it is enabled."""
    if not gc.isenabled():
        start_collecting()


def freeze_when_grown(objects: int, frozen: int) -> int:
    """Exclude existing objects from garbage collection once MIN_GROWTH_TO_FREEZE were added.

    Returns how many are excluded. objects: the number of long-lived objects. frozen: the number that the last
    call returned.
    A collection among a hundred thousand series blocked the event loop for a tenth of a second, and so did a
    collection just before the freeze.
    """
    if objects < frozen + MIN_GROWTH_TO_FREEZE:
        return min(objects, frozen)
    gc.freeze()
    return objects


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Disable garbage collection until the block ends."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
