"""`headroom serve` under attack: thousands of idle connections, decompression bombs, and SIGKILL."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
from aiohttp import web

from monitor.stream.settings import ACCESS_KEYS_VARIABLE
from tests.monitor.notifiers.loopback import http_server
from tests.monitor.serve_process import free_port
from tests.monitor.stream.bombs import BOMBS
from tests.monitor.stream.endpoint import KEYS, headers_of
from tests.monitor.test_killed import CONFIG, kill_and_check
from tests.processes import COMMAND, PROCESS_TIMEOUT, demo_aws, eventually, get, read_line, running

MAX_OPEN_FILES = 1024  # of the process
CONNECTIONS = 3000
MAX_GROWTH_MIB = 256  # of resident memory
HEALTH_TIMEOUT = 30.0  # seconds, on a slow and busy machine; usually a probe takes milliseconds
KILLS = 10
SENT_BOMBS = (  # one of each kind; tests/monitor/stream sends the others
    "nothing but zeros",
    "deeply nested arrays",
    "no base64",
    "a record that is too large",
    "lines with NaN",
    "new dimensions",
    "different resources",
    "messages without anything",
    "empty metrics",
    "quantiles",
)
RUN_WITH_LIMIT = 'ulimit -n "$0" && exec "$@"'  # arguments: the limit of open files, the command


class Service:
    """A `headroom serve` at `address`, with a limit of open files."""

    def __init__(self, address: str, process: Process) -> None:
        self.address, self.process = address, process

    async def get(self, path: str) -> httpx.Response | None:
        return await get(f"http://{self.address}{path}")

    async def resident_memory(self) -> float:
        """Return the resident memory of the process, in MiB."""
        command = "ps", "-o", "rss=", "-p", str(self.process.pid)
        ps = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await ps.communicate()
        return int(output) / 1024


@asynccontextmanager
async def service_with_alerts(folder: Path, hook: str) -> AsyncIterator[Service]:
    """Run a service that notifies a webhook of alerts of every severity, without a `group_wait`."""
    config, address = folder / "headroom.yaml", f"127.0.0.1:{free_port()}"
    config.write_text(CONFIG.format(services="kinesis, sqs", folder=folder, hook=hook))
    serve = (*COMMAND, "serve", "--config", str(config), "--listen", address)
    async with demo_aws() as environ:
        variables = environ | {ACCESS_KEYS_VARIABLE: ",".join(KEYS)}
        async with running(
            "sh", "-c", RUN_WITH_LIMIT, str(MAX_OPEN_FILES), *serve, environ=variables, folder=folder
        ) as process:
            service = Service(address, process)
            await eventually(partial(service.get, "/-/healthy"))
            yield service


async def test_notifications_are_sent_while_thousands_of_connections_are_held(tmp_path: Path) -> None:
    unavailable = [web.Response(status=503)] * 1000
    async with http_server(*unavailable) as hook, service_with_alerts(tmp_path, hook.url) as service:
        port = service.address.rpartition(":")[2]
        command = sys.executable, "-m", "tests.acceptance.idle_connections", port, str(CONNECTIONS)
        async with running(*command) as attacker:
            await read_line(attacker, str(CONNECTIONS))
            hook.answers[:] = [web.Response()]  # from now on the webhook accepts
            requests_before = len(hook.requests)

            async def is_notified() -> bool | None:
                return True if len(hook.requests) > requests_before else None

            await eventually(is_notified)
            metrics = await eventually(partial(service.get, "/metrics"))
            assert "headroom_http_connections_refused_total" in metrics.text
            assert (await eventually(partial(service.get, "/-/ready"))).status_code == 200
        service.process.terminate()
        async with asyncio.timeout(PROCESS_TIMEOUT):
            _, errors = await service.process.communicate()
    # Thousands of connections make one or two lines.
    assert errors.count(b"closed or refused") in (1, 2), errors.decode()
    assert b"Too many open files" not in errors
    assert b"Traceback" not in errors, errors.decode()


async def test_no_request_body_exhausts_memory_or_delays_other_requests(tmp_path: Path) -> None:
    async with http_server() as hook, service_with_alerts(tmp_path, hook.url) as service:
        await eventually(partial(service.get, "/-/ready"))
        memory_before, peak_memory, done = await service.resident_memory(), 0.0, asyncio.Event()

        async def watch() -> None:
            nonlocal peak_memory
            while not done.is_set():
                peak_memory = max(peak_memory, await service.resident_memory())
                await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        async with httpx.AsyncClient(trust_env=False, timeout=PROCESS_TIMEOUT) as client:
            for name in SENT_BOMBS:
                headers = headers_of("r-1") | {"Content-Encoding": "gzip"}
                url = f"http://{service.address}/firehose/v1"
                posting = asyncio.create_task(client.post(url, content=BOMBS[name](), headers=headers))
                async with asyncio.timeout(HEALTH_TIMEOUT):
                    assert (await client.get(f"http://{service.address}/-/healthy")).is_success, name
                assert (await posting).status_code in (200, 400, 503), name
        done.set()
        await watching
        assert peak_memory - memory_before <= MAX_GROWTH_MIB, (memory_before, peak_memory)


async def test_repeated_kills_lose_no_notification(tmp_path: Path) -> None:
    async with demo_aws() as environ:
        await kill_and_check(tmp_path, environ, KILLS)
