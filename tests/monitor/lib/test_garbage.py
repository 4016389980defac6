"""Long-lived objects are excluded from garbage collection once many were added."""

import gc
from collections.abc import Iterator

import pytest

from monitor.lib.garbage import MIN_GROWTH_TO_FREEZE, freeze_when_grown


@pytest.fixture(autouse=True)
def _unfreeze_afterwards() -> Iterator[None]:
    """Unfreeze all objects after each test."""
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    ("object_count", "frozen_count", "new_frozen_count", "is_frozen"),
    [
        (0, 0, 0, False),
        (MIN_GROWTH_TO_FREEZE - 1, 0, 0, False),
        (MIN_GROWTH_TO_FREEZE, 0, MIN_GROWTH_TO_FREEZE, True),
        (3 * MIN_GROWTH_TO_FREEZE, 2 * MIN_GROWTH_TO_FREEZE + 1, 2 * MIN_GROWTH_TO_FREEZE + 1, False),
        # Many objects were removed: growth is counted from the present number.
        (MIN_GROWTH_TO_FREEZE, 2 * MIN_GROWTH_TO_FREEZE, MIN_GROWTH_TO_FREEZE, False),
    ],
)
def test_objects_are_frozen_when_their_number_has_grown_enough(
    object_count: int, frozen_count: int, new_frozen_count: int, is_frozen: bool
) -> None:
    gc.unfreeze()
    assert freeze_when_grown(object_count, frozen_count) == new_frozen_count
    assert (gc.get_freeze_count() > 0) == is_frozen
