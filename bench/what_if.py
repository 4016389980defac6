"""Durations of what-if questions, and how long they block the event loop. `python bench/what_if.py 100000`

Each of two regions has half of the series, with the same names. One series in a hundred has throttled demand.
"""

import argparse
import asyncio
import os
import tempfile
import time

import httpx
import numpy as np

from bench.turns import fill_history, timed, write
from collectors.base import Metric, Observed, Resource, per_second
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.environment import isolate_environment
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.what_if.query import MAX_SERIES, WhatIfQuery
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import REGISTRY

REGIONS = "eu-west-1", "us-east-1"
THROTTLED_DISTANCE = 100  # the first of each 100 series is throttled
SIGNAL = REGISTRY.signal("dax", "request_rate")  # throttled demand is in requests, as usage is
QUESTIONS = (
    WhatIfQuery(traffic="3x"),
    WhatIfQuery(traffic="3x", limit=MAX_SERIES),
    WhatIfQuery(traffic="3x", match=['resource=~"cluster-0.*"']),
    WhatIfQuery(region_fails=REGIONS[0], to=REGIONS[1]),
    WhatIfQuery(set_limit="dax.request_rate=100"),
)


def register(fleet: Fleet, series: int, minute: int) -> None:
    """Register `series` series: one for each cluster, half of them in each region."""
    settings = SeriesSettings(signal=SIGNAL, limit=Limit(1e6, LimitSource.API, 0.0), band=Band())
    for n in range(series):
        name, region = f"cluster-{n // 2:07d}", REGIONS[n % 2]
        key = Key("123456789012", region, SIGNAL.service, SIGNAL.name, Resource("cluster", (name,)))
        metrics = (
            Metric("AWS/DAX", metric, "Sum").of(ClusterId=name)
            for metric in ("TotalRequestCount", "ThrottledRequestCount")
        )
        usage, throttled = map(per_second, metrics)
        observed = Observed(signal=key.signal, resource=key.subject, usage=usage, throttled=throttled)
        fleet.put(key, observed, settings, minute)


def throttle(fleet: Fleet, minute: int) -> None:
    """Write throttled demand of the first of each THROTTLED_DISTANCE series for one minute."""
    formulas = map(fleet.throttled.get, range(0, fleet.size, THROTTLED_DISTANCE))
    rows = np.array([formula.rows[0] for formula in formulas if formula], np.int32)
    minutes, requests = np.full(rows.size, minute, np.int32), np.full(rows.size, 6000, np.float32)
    fleet.rings.write(rows, minutes, requests, mark_read_follows=True)


async def ask(client: httpx.AsyncClient, question: WhatIfQuery) -> None:
    """Ask a question over HTTP."""
    (await client.get(question.url("/api/v1/what-if"), timeout=60)).raise_for_status()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("series", type=int, nargs="?", default=100_000)
    series, minute = parser.parse_args().series, int(time.time() // 60)
    isolate_environment(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate({"regions": [*REGIONS], "journal": f"{folder}/headroom.db"})
        async with App.opened(config, REGISTRY, lambda: config) as app:
            register(app.fleet, series, minute)
            await write(app.fleet, range(minute - WINDOW, minute - 1))
            throttle(app.fleet, minute - 2)
            await app.judge()
            await app.forecaster.forecast_all()
            fill_history(app.forecaster.recorder.history)
            transport = httpx.ASGITransport(app.web, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for question in QUESTIONS:
                    await timed(question.url("")[:24], ask(client, question))


if __name__ == "__main__":
    asyncio.run(main())
