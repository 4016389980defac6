"""The stores on which tests of persistence run: SQLite and memory. Each test runs on both."""

from pathlib import Path

import pytest

from tests.monitor.alerting.memory_store import MemoryStore


@pytest.fixture(params=["SQLite", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Path | MemoryStore:
    """The storage of the state: the folder of a journal, or a store in memory."""
    return tmp_path if request.param == "SQLite" else MemoryStore()
