"""A reload of `auth`: it applies at once, and is rejected if it would expose the server without a login."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.app import App
from monitor.config.config import Config
from monitor.schema.problems import ConfigError
from tests.monitor.access.authenticated_server import OPERATOR_TOKEN, READER_TOKEN, bearer
from tests.registries import REGISTRY

TOKENS = {
    "tokens": [
        {"name": "otto", "role": "operate", "token": OPERATOR_TOKEN},
        {"name": "rita", "token": READER_TOKEN},
    ]
}


def config(folder: Path, **keys: Any) -> Config:
    """Return a configuration with these keys, whose journal is in a folder."""
    return Config.model_validate({"journal": str(folder / "headroom.db"), **keys})


async def test_reloaded_authentication_applies_at_once(tmp_path: Path) -> None:
    current = config(tmp_path, auth=TOKENS)
    async with App.opened(current, REGISTRY, lambda: current) as app:
        transport = httpx.ASGITransport(app.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            current = config(tmp_path, auth={"tokens": TOKENS["tokens"][:1]})
            assert (await client.get("/api/v1/status", headers=bearer(READER_TOKEN))).status_code == 200
            assert (await client.post("/-/reload", headers=bearer(READER_TOKEN))).status_code == 403
            assert (await client.post("/-/reload", headers=bearer(OPERATOR_TOKEN))).status_code == 200
            assert (await client.get("/api/v1/status", headers=bearer(READER_TOKEN))).status_code == 401
            current = config(tmp_path)
            assert (await client.post("/-/reload", headers=bearer(OPERATOR_TOKEN))).status_code == 200
            assert (await client.get("/api/v1/status")).status_code == 200


@pytest.mark.parametrize("keys", [{}, {"listen": "127.0.0.1:4070"}])
async def test_a_reload_that_removes_authentication_is_rejected_on_a_public_address(
    tmp_path: Path, keys: Any
) -> None:
    current = config(tmp_path, auth=TOKENS, listen="0.0.0.0:4070")
    async with App.opened(current, REGISTRY, lambda: config(tmp_path, **keys)) as app:
        with pytest.raises(ConfigError, match=r"found 0\.0\.0\.0:4070"):
            await app.reload()
        transport = httpx.ASGITransport(app.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/api/v1/status")).status_code == 401
            status = (await client.get("/api/v1/status", headers=bearer(READER_TOKEN))).json()
            assert "without `auth`" in status["last_reload"]["error"]
