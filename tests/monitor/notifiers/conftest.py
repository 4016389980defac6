import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from monitor.outbound import Outbound
from tests.monitor.notifiers.loopback import NOW


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def client(authority: trustme.CA) -> AsyncIterator[Outbound]:
    """A client that trusts the tests' own authority, at a moment that stands still."""
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    async with Outbound(tls=tls, now=lambda: NOW) as outbound:
        yield outbound
