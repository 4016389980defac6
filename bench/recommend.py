"""Time to compute recommendations, and how long they block the event loop. `python bench/recommend.py 50000`

Each series belongs to another stream. It has a full history, and its demand needs more or fewer shards.
"""

import argparse
import asyncio
import os
import tempfile
import time

import httpx

from bench.judge import stream_series
from bench.turns import fill_history, timed, write
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.environment import isolate_environment
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import REGISTRY, STREAM_WRITE_BYTES

QUERIES = ("", "?advice=raise", "?service=kinesis&region=eu-west-1&advice=lower")


def register(fleet: Fleet, series: int, minute: int) -> None:
    """Register `series` streams of one to ten shards."""
    limits = [Limit(2**20 * (1 + n), LimitSource.API, 0.0) for n in range(10)]
    settings = [
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band(), paid=True) for limit in limits
    ]
    for n in range(series):
        fleet.put(*stream_series(n), settings[n % 10], minute)


async def ask(client: httpx.AsyncClient, query: str) -> None:
    """Ask for recommendations over HTTP."""
    (await client.get(f"/api/v1/recommendations{query}", timeout=60)).raise_for_status()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("series", type=int, nargs="?", default=50_000)
    series, minute = parser.parse_args().series, int(time.time() // 60)
    isolate_environment(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate({"regions": ["eu-west-1"], "journal": f"{folder}/headroom.db"})
        async with App.opened(config, REGISTRY, lambda: config) as app:
            register(app.fleet, series, minute)
            await write(app.fleet, range(minute - WINDOW, minute - 1))
            await app.judge()
            await app.forecaster.forecast_all()
            fill_history(app.forecaster.recorder.history)
            transport = httpx.ASGITransport(app.web, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for query in QUERIES:
                    await timed(query[:24] or "all", ask(client, query))


if __name__ == "__main__":
    asyncio.run(main())
