"""The story of the demo, as its user sees it: every scene comes about, in order, by Headroom's own means."""

import re

import httpx

from monitor.demo.scenes import SCENES
from tests.processes import headroom, read_line

WORDS = {
    "rise": "kinesis checkout-events: 8",
    "foreseen": "kinesis checkout-events: reaches the limit in ",
    "throttled": "kinesis checkout-events: 100 % of 2 MiB/s, ",
    "notified": "Kinesis stream `checkout-events` ",
    "raised": "kinesis checkout-events: the limit is 4 MiB/s now, instead of 2 MiB/s",
    "resolved": "Kinesis stream `checkout-events` ",
}


async def test_the_story_is_told_to_its_end_and_ctrl_c_ends_the_demo_without_a_word() -> None:
    async with headroom("demo", "--port", "0") as process:
        url = (await read_line(process, "http://")).split()[0]
        received = (await read_line(process, "http://")).split()[0]
        for scene, settings in SCENES.items():
            told = await read_line(process, "+")
            assert told.endswith(settings.text)
            assert float(re.findall(r"\+(\d+) s", told)[0]) >= int(settings.after)
            await read_line(process, WORDS[scene])
        await read_line(process, "+")
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(received)).text
            alerts = (await client.get(f"{url}api/v1/alerts")).json()["items"]
        assert page.count("checkout-events") >= 2
        assert not [
            one
            for one in alerts
            if one["labels"].get("resource") == "checkout-events" and one["severity"] == "critical"
        ]
        process.terminate()
        _, errors = await process.communicate()
        assert process.returncode == 0
        assert errors == b""
