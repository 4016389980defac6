"""Request paths of a running process: evaluated after the first polls, reloaded with the configuration."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.monitor.serve_process import journal_line, running_server
from tests.processes import eventually, get

CONFIG = "services: [kinesis, lambda]\nregions: [eu-west-1]\npath_files: [paths.yaml]\n"
ORDERS = """
paths:
  - name: orders
    hops:
      - {service: kinesis, resource: orders}
      - {service: lambda, resource: checkout}
"""


async def known_path(url: str, name: str) -> dict[str, Any] | None:
    """Return the path of this name; None while it does not exist or its flow is unknown."""
    response = await get(f"{url}/api/v1/paths/{name}")
    return dict(response.json()) if response and response.json()["flow"] is not None else None


async def test_paths_are_served_after_the_first_polls_and_reloaded_from_their_file(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    file = tmp_path / "paths.yaml"
    file.write_text(ORDERS)
    async with running_server(tmp_path / "headroom.yaml", CONFIG, aws_environ) as (process, url):
        orders = await eventually(partial(known_path, url, "orders"))
        assert orders["unit"] == "records" and orders["capacity"] > orders["flow"]
        assert orders["at_most"] is False and orders["reasons"] == []
        assert [hop["basis"] for hop in orders["hops"]] == ["entrance", "measured"]
        assert orders["hops"][1]["each"]["duration"] > 0
        metrics = await get(f"{url}/metrics")
        assert metrics and 'headroom_path_capacity{path="orders",unit="records"}' in metrics.text

        file.write_text(ORDERS.replace("kinesis", "kinessis"))
        async with httpx.AsyncClient(trust_env=False) as client:
            invalid = await client.post(f"{url}/-/reload")
        assert invalid.status_code == 422
        assert (
            "paths.yaml:5" in invalid.json()["error"] and "did you mean kinesis?" in invalid.json()["error"]
        )
        assert await known_path(url, "orders")  # the old file stays in force

        file.write_text(ORDERS.replace("name: orders", "name: renamed"))
        (tmp_path / "headroom.yaml").write_text(CONFIG + journal_line(tmp_path))
        process.send_signal(signal.SIGHUP)
        await eventually(partial(known_path, url, "renamed"))
        assert await known_path(url, "orders") is None
