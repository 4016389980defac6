"""Clients of the simulated AWS."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

ClientFactory = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture(scope="session")
def aws(aws_url: str) -> ClientFactory:
    """Return a factory of clients for the simulated AWS, configured like the monitor's clients."""
    session = get_session()
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1})

    def client(service: str, region: str = "eu-west-1", **keys: Any) -> AbstractAsyncContextManager[Any]:
        return session.create_client(
            service,
            region_name=region,
            endpoint_url=aws_url,
            config=config,
            **({"aws_access_key_id": "demo", "aws_secret_access_key": "demo"} | keys),
        )

    return client
