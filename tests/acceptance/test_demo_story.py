"""The demo in a terminal prints the scenes in order, each followed by what Headroom reports about it."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE

import httpx

from monitor.demo.scenes import SCENES, Scene
from tests.forked_process import ForkedProcess
from tests.processes import PROCESS_TIMEOUT, ROOT, headroom, read_line

REPORT_PREFIXES = {  # of the line that Headroom prints in each scene
    Scene.RISE: "kinesis checkout-events: ",
    Scene.FORESEEN: "kinesis checkout-events: reaches the limit in ",
    Scene.THROTTLED: "kinesis checkout-events: 100 % of 2 MiB/s, ",
    Scene.NOTIFIED: "Kinesis stream `checkout-events` (prod, us-east-1) ",
    Scene.RAISED: "kinesis checkout-events: the limit is 4 MiB/s now, instead of 2 MiB/s",
    Scene.RESOLVED: "Kinesis stream `checkout-events` (prod, us-east-1) ",
}


async def read_scene(process: ForkedProcess, scene: Scene) -> int:
    """Read the two lines of a scene; return the seconds since the start that are in the first line."""
    scene_line = await read_line(process, "+")
    assert scene_line.endswith(SCENES[scene].text)
    await read_line(process, REPORT_PREFIXES[scene])
    return int(re.findall(r"\+(\d+) s", scene_line)[0])


async def test_the_demo_prints_every_scene_and_ctrl_c_ends_it_without_an_error() -> None:
    async with headroom("demo", "--port", "0") as process:
        url = (await read_line(process, "http://")).split()[0]
        receiver_url = (await read_line(process, "http://")).split()[0]
        for scene, settings in SCENES.items():
            assert await read_scene(process, scene) >= settings.after
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(receiver_url)).text
            alerts = (await client.get(f"{url}api/v1/alerts")).json()["items"]
            status = (await client.get(f"{url}api/v1/status")).json()
        assert {cell["name"] for cell in status["cells"]} == {"prod", "staging", "analytics"}
        assert not status["inaccessible_accounts"]
        assert page.count("checkout-events") > 1
        assert "checkout-events" not in {alert["labels"].get("resource") for alert in alerts}
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")


async def test_ctrl_c_ends_the_demo_while_it_starts() -> None:
    async with headroom("demo", "--port", "0") as process:
        await read_line(process, "Starting a simulated AWS")
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()
        assert (process.returncode, output, errors) == (0, b"", b"")


async def test_the_demo_ends_without_an_error_when_nobody_reads_its_output() -> None:
    command = f"{sys.executable} -m monitor demo --port 0 | head --lines=1"
    process = await asyncio.create_subprocess_shell(command, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    output, errors = await asyncio.wait_for(process.communicate(), PROCESS_TIMEOUT)
    assert output.startswith(b"Starting a simulated AWS")
    assert errors == b""
