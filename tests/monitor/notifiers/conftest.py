"""The HTTP client and the certificate authority that tests of receivers use."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from monitor.outbound.client import OutboundClient
from monitor.outbound.proxies import Proxies
from tests.monitor.notifiers.loopback import NOW


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that `client` trusts."""
    return trustme.CA()


@pytest.fixture
async def client(authority: trustme.CA) -> AsyncIterator[OutboundClient]:
    """A client that trusts only the tests' own authority, and whose clock returns NOW."""
    tls = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with OutboundClient(create_tls=lambda: tls, proxies=Proxies({}), now=lambda: NOW) as outbound:
        yield outbound
