import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "monitor.demo.aws", "--port", "0")

Clients = Callable[..., AbstractAsyncContextManager[Any]]


@contextmanager
def demo_process() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the process; yields it and its address once it is ready."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            readable, _, _ = select.select([process.stdout], [], [], 60)
            assert readable, "The demo's AWS is not ready after a minute."
            yield process, f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with demo_process() as (_, address):
        yield address


@pytest.fixture(scope="session")
def aws(url: str) -> Clients:
    """Returns clients for the simulated AWS that are configured like those of the monitor."""
    session = get_session()
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1})

    def client(service: str, region: str = "eu-west-1") -> AbstractAsyncContextManager[Any]:
        return session.create_client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id="demo",
            aws_secret_access_key="demo",
            config=config,
        )

    return client
