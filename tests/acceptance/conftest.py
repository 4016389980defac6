"""The paths of the reference catalogue, fixtures, and the test modules that cannot run on this machine.

Each worker has one demo for all tests that only read it, and one Chromium.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser import chromium
from tests.processes import demo_server

# The reference catalogue exists only beside the developers' checkout; without it these tests are left out.
REFERENCE = Path(__file__).parents[2] / ".." / "shared" / "reference" / "limits-core.yaml"

STREAMS = REFERENCE.parents[1] / "fixtures" / "streams"

collect_ignore = [] if REFERENCE.exists() else ["test_reference.py", "test_streams.py"]
if shutil.which("helm") is None:  # `make acceptance` builds Helm if Go is installed
    collect_ignore += ["test_helm.py"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo() -> AsyncIterator[str]:
    """The address of a demo whose series have been judged."""
    async with demo_server() as address:
        yield address


@pytest.fixture(scope="session")
def url(demo: str) -> str:
    """The URL of the demo."""
    return f"http://{demo}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser
