"""Python's garbage collection, which takes a third of the time of creating many long-lived objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A collection begins when this many more objects were created than freed. Python's default, 700, is reached
# within one call to AWS.
YOUNG_OBJECTS = 10_000
# The fewest long-lived objects, such as series, that are added between two freezes. Freezes are rare because
# frozen garbage is never freed.
MIN_GROWTH_TO_FREEZE = 4096


def start_collecting() -> None:
    """Enable garbage collection, less often than by default, and exclude the existing objects.

    By default, collections would begin within each call to AWS: it creates hundreds of objects that live
    until it ends, and hundreds of calls run at once.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()


def resume_collecting() -> None:
    """Enable garbage collection as `start_collecting` does, unless it is enabled."""
    if not gc.isenabled():
        start_collecting()


def freeze_when_grown(object_count: int, frozen_count: int) -> int:
    """Exclude all objects from garbage collection if MIN_GROWTH_TO_FREEZE were added since the last freeze.

    Returns the number of excluded long-lived objects. object_count: the number of long-lived objects now.
    frozen_count: the number that the last call returned.

    A collection that visits a hundred thousand series blocks the event loop for a tenth of a second. For the
    same reason, no collection precedes the freeze.
    """
    if object_count < frozen_count + MIN_GROWTH_TO_FREEZE:
        return min(object_count, frozen_count)
    gc.freeze()
    return object_count


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
