"""Settings of all tests.

Hypothesis has no deadlines, because the time of a test depends on how busy the machine is. The garbage
collector is off while the test modules are imported. Otherwise the import takes twice as long: the collector
searches a million objects that live until the end. These objects are then frozen, so that no later
collection searches them. If the catalogue cannot be read, that is reported once; otherwise each module that
uses it would report it.
"""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from collectors.builtin import builtin_registry
from collectors.declaration_error import DeclarationError

# These files take longest, so they run first. Otherwise a worker might begin one of them when the other
# workers have already ended. The first two files wait until minutes of real time have passed.
SLOWEST_FILES = (
    "test_demo_story.py",
    "test_push.py",
    "test_page.py",
    "test_distribution.py",
    "test_report_pages.py",
    "test_moto.py",
    "test_grafana.py",
    "test_page_alerts.py",
    "test_hostile_clients.py",
    "test_contributor_docs.py",
    "test_flipped_bits.py",
    "test_bombs.py",
)

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Turn the garbage collector off while the test modules are imported."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the slowest files to the front."""
    places = {name: place for place, name in enumerate(SLOWEST_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_sessionstart() -> None:
    """Read the catalogue. Raises UsageError with every problem of its files."""
    try:
        builtin_registry()
    except DeclarationError as error:
        raise pytest.UsageError(*error.problems) from None
