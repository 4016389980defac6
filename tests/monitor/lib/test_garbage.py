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
    ("objects", "frozen", "expected", "is_frozen"),
    [
        (0, 0, 0, False),
        (MIN_GROWTH_TO_FREEZE - 1, 0, 0, False),
        (MIN_GROWTH_TO_FREEZE, 0, MIN_GROWTH_TO_FREEZE, True),
        (3 * MIN_GROWTH_TO_FREEZE, 2 * MIN_GROWTH_TO_FREEZE + 1, 2 * MIN_GROWTH_TO_FREEZE + 1, False),
        (
            MIN_GROWTH_TO_FREEZE,
            2 * MIN_GROWTH_TO_FREEZE,
            MIN_GROWTH_TO_FREEZE,
            False,
        ),  # many were removed: growth is counted from here
    ],
)
def test_objects_are_frozen_when_their_number_has_grown_enough(
    objects: int, frozen: int, expected: int, is_frozen: bool
) -> None:
    gc.unfreeze()
    assert freeze_when_grown(objects, frozen) == expected
    assert (gc.get_freeze_count() > 0) == is_frozen
