"""A Headroom server that `headroom top` shows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.monitor.top.harness import Headroom


@pytest.fixture
async def headroom(tmp_path: Path) -> AsyncIterator[Headroom]:
    async with Headroom.run(tmp_path) as headroom:
        yield headroom
