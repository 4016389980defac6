"""The whole service as its users run it: a process over an AWS on loopback."""

import asyncio
import base64
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import eventually, get, headroom, line_of, own_aws


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def journal(folder: Path) -> str:
    """The line of a configuration that keeps the journal out of the checkout."""
    return f"journal: {folder}/headroom.db\n"


@asynccontextmanager
async def serving(config: Path, text: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`headroom serve` with a configuration; gives its base URL once it is ready."""
    url = f"http://127.0.0.1:{free_port()}"
    config.write_text(text + journal(config.parent))
    async with own_aws() as environ:
        listen = url.removeprefix("http://")
        async with headroom("serve", "--config", str(config), "--listen", listen, environ=environ) as process:
            await eventually(partial(get, f"{url}/-/ready"))
            yield process, url


async def samples(url: str) -> dict[tuple[str, str], float]:
    """What /metrics tells, by family and resource, of one signal's series."""
    answer = await get(f"{url}/metrics")
    assert answer is not None
    return {
        (sample.name, sample.labels["resource"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("signal") == "stream_write_bytes" and "resource" in sample.labels
    }


async def test_it_serves_what_it_watches_reloads_and_ends_when_told(tmp_path: Path) -> None:
    config = tmp_path / "headroom.yaml"
    async with serving(config, "services: [kinesis]\nregions: [eu-west-1, ap-southeast-2]\n") as (
        process,
        url,
    ):
        told = await samples(url)
        assert told["headroom_limit", "audit"] > 0
        assert 0 < told["headroom_utilization_ratio", "audit"] < 0.4
        status = await get(f"{url}/api/v1/status")
        assert status is not None
        cells = {cell["region"]: cell for cell in status.json()["cells"]}
        assert cells["eu-west-1"]["poll"]["last_success"]
        assert "AccessDeniedException" in str(cells["ap-southeast-2"]["collectors"])

        text = "services: [kinesis]\nregions: [eu-west-1]\nexclude: [{resource: audit}]\n"
        config.write_text(text + journal(tmp_path))
        process.send_signal(signal.SIGHUP)

        async def gone() -> bool | None:
            return True if ("headroom_limit", "audit") not in await samples(url) else None

        await eventually(gone)

        config.write_text("servces: [kinesis]\n")
        async with httpx.AsyncClient(trust_env=False) as client:
            refused = await client.post(f"{url}/-/reload")
        assert refused.status_code == 422
        assert "servces" in refused.json()["error"]
        assert ("headroom_limit", "orders") in await samples(url)  # the old one stays in force

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def test_it_ends_cleanly_in_the_middle_of_the_first_look(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "headroom.yaml"
    config.write_text(journal(tmp_path))
    serve = "serve", "--config", str(config), "--listen", url.removeprefix("http://")
    async with own_aws() as environ, headroom(*serve, environ=environ) as process:
        await eventually(partial(get, f"{url}/-/healthy"))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert b"Unclosed" not in errors


async def test_an_address_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with headroom("serve", "--listen", listen) as process:
            _, errors = await process.communicate()
    assert process.returncode == 2
    assert "in use" in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_prints_the_worst_and_ends_when_told(told: signal.Signals) -> None:
    async with headroom("demo", "--port", "0") as process:
        await line_of(process, "zone")
        address = await line_of(process, "http://")
        assert await get(address.split()[0])
        process.send_signal(told)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
    assert process.returncode == 0
    assert not errors.decode()


async def test_the_health_check_asks_the_server(tmp_path: Path) -> None:
    config = tmp_path / "headroom.yaml"
    async with (
        serving(config, "services: [sqs]\n") as (_, url),
        headroom("healthcheck", "--address", url.removeprefix("http://")) as asking,
    ):
        assert await asking.wait() == 0
    async with headroom("healthcheck", "--address", url.removeprefix("http://")) as asking:
        _, errors = await asking.communicate()
        assert asking.returncode == 1
        assert "refused" in errors.decode()


async def test_what_firehose_delivers_is_judged_at_once_and_told_as_streamed(tmp_path: Path) -> None:
    config = tmp_path / "headroom.yaml"
    (tmp_path / "keys").write_text("a-key\n")
    asked = {"service": "kinesis", "signal": "stream_write_bytes", "resource": "audit"}
    update = {
        "metric_stream_name": "headroom",
        "account_id": "123456789012",
        "region": "eu-west-1",
        "namespace": "AWS/Kinesis",
        "metric_name": "IncomingBytes",
        "dimensions": {"StreamName": "audit"},
        "timestamp": int(time.time() // 60) * 60_000,
        "value": {"max": 1.0, "min": 1.0, "sum": 8 * 2**20 * 60 * 0.8, "count": 1.0},
        "unit": "Bytes",
    }
    record = base64.b64encode(json.dumps(update).encode() + b"\n").decode()
    body = {"requestId": "one", "timestamp": 1, "records": [{"data": record}]}
    headers = {
        "X-Amz-Firehose-Request-Id": "one",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Access-Key": "a-key",
    }
    text = "services: [kinesis]\nregions: [eu-west-1]\nstream: {access_keys_file: keys}\n"
    async with serving(config, text) as (_, url), httpx.AsyncClient(trust_env=False) as client:

        async def streamed() -> bool | None:
            answer = await get(f"{url}/api/v1/series", **asked)
            one = await get(f"{url}/api/v1/series/{answer.json()['items'][0]['id']}") if answer else None
            known = one is not None and one.json()["sample_source"] == "stream"
            return True if known and one is not None and one.json()["zone"] == "above" else None

        unknown = await client.post(
            f"{url}/firehose/v1", json=body, headers=headers | {"X-Amz-Firehose-Access-Key": "b"}
        )
        assert (unknown.status_code, unknown.json()["requestId"]) == (401, "one")
        taken = await client.post(f"{url}/firehose/v1", json=body, headers=headers)
        assert (taken.status_code, taken.json()["requestId"]) == (200, "one")
        assert await eventually(streamed)
