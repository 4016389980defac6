"""Serves stories from a simulated AWS in this process, and compares them with Headroom's report."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import uvicorn

from collectors.base import Usage
from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.demo.inversion import MinuteFunction
from monitor.demo.region import DemoRegion
from monitor.demo.server import create_app
from monitor.demo.services import SERVICES
from monitor.demo.story_book import StoriedSeries, StoryBook
from monitor.demo.story_file import StoryFile
from monitor.demo.story_reader import read_stories
from monitor.demo.traffic import Minutes
from monitor.report.scan import ScanReport, scan_once
from monitor.server.listener import bind_socket
from rules.arrays import Float64s, Floats

TOLERANCE = 0.01  # relative
ROUNDING = 1e-6  # absolute
MIN_KNOWN_MINUTES = 100  # of the past three hours
LAST_HOURS = np.arange(-170, 0)  # the minutes that Headroom surely read, counted from the start


@dataclass(frozen=True)
class ServedStories:
    """The stories of some files, in a simulation that starts in the minute `start`, and Headroom's report."""

    book: StoryBook
    registry: Registry
    start: int
    report: ScanReport

    def series(self) -> Iterable[tuple[str, StoriedSeries]]:
        """Yield the region and the series of each story."""
        for region, book in self.book.regions.items():
            yield from ((region, series) for series in book.series.values())


def registry_of(files: Sequence[StoryFile], registry: Registry) -> Registry:
    """Return a registry of only the services of some files."""
    names = [file.stories.service for file in files]
    return build_registry(registry.collectors_of(names), [registry.services[name] for name in names])


async def serve_and_read(
    files: Sequence[StoryFile], registry: Registry, regions: Iterable[str], start: int
) -> ServedStories:
    """Serve the stories of some files in these regions, and let Headroom read their services once."""
    registry = registry_of(files, registry)
    regions_by_name = {name: DemoRegion(name, start=start) for name in regions}
    book = await read_stories(files, registry, regions_by_name)
    async with _serving(book, regions_by_name) as url:
        settings = {"regions": list(regions_by_name), "endpoint_url": url, "accounts": [{"name": "demo"}]}
        config = Config.model_validate(settings)
        report = await scan_once(config, registry, [], lambda done, of: None)
    return ServedStories(book, registry, start, report)


@asynccontextmanager
async def _serving(book: StoryBook, regions_by_name: dict[str, DemoRegion]) -> AsyncIterator[str]:
    app = create_app(map(book.with_quotas, regions_by_name.values()), (*SERVICES, *book.services()))
    with bind_socket("127.0.0.1", 0) as socket:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server_task = asyncio.create_task(server.serve([socket]))
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            await server_task


def has_utilization(series: StoriedSeries) -> bool:
    """Return whether a series has a usage of metrics, and a limit."""
    return series.limit is not None and isinstance(series.observed.usage, Usage)


def differences(served: ServedStories, region: str, series: StoriedSeries) -> list[str]:
    """Return sentences on the minutes in which usage or throttled demand differ from the story."""
    names = (f"{row.key.service} {row.key.signal} {row.key.resource}".strip() for row in served.report.rows)
    rows = zip(served.report.rows, names, strict=True)
    (key,) = (row.key for row, name in rows if row.key.region == region and name == series.name)
    history = served.report.history_of(key)
    minutes = np.arange(history.start, history.end + 1) - served.start
    sentences = []
    if has_utilization(series):
        sentences += _deviations(history.usage, series, partial(expected_usage, series), minutes)
    if is_throttled(series):
        sentences += _deviations(history.throttled, series, partial(expected_throttled, series), minutes)
    return sentences


def is_throttled(series: StoriedSeries) -> bool:
    """Return whether the story of a series has demand that is throttled."""
    if series.observed.throttled is None or series.limit is None:
        return False
    return bool((expected_throttled(series, LAST_HOURS) > 0).any())


def expected_usage(series: StoriedSeries, minutes: Minutes) -> Float64s:
    """Return the usage of a story: at most the limit, if demand above it is throttled or impossible."""
    demand = series.traffic.demand(series.name, minutes)
    is_capped = series.observed.throttled or series.observed.hard_limit
    return (np.clip(demand, 0, 1) if is_capped else demand) * (series.limit or 1)


def expected_throttled(series: StoriedSeries, minutes: Minutes) -> Float64s:
    """Return the throttled demand of a story: the demand above the limit."""
    demand = series.traffic.demand(series.name, minutes)
    return (demand - np.clip(demand, 0, 1)) * (series.limit or 1)


def _deviations(
    judged: Floats, series: StoriedSeries, expected: MinuteFunction, minutes: Minutes
) -> list[str]:
    """Return the first minutes in which judged values differ from the story by more than the tolerance."""
    low, high = _range_in_period(series, expected, minutes)
    is_too_low = judged < low * (1 - TOLERANCE) - ROUNDING
    is_too_high = judged > high * (1 + TOLERANCE) + ROUNDING
    is_known = ~np.isnan(judged)
    if is_known.sum() < MIN_KNOWN_MINUTES:
        return [f"{series.name}: only {is_known.sum()} minutes are known"]
    return [
        f"{series.name} in minute {minutes[index]}: {judged[index]} instead of {low[index]} to {high[index]}"
        for index in np.flatnonzero((is_too_low | is_too_high) & is_known)[:3]
    ]


def _range_in_period(
    series: StoriedSeries, expected: MinuteFunction, minutes: Minutes
) -> tuple[Float64s, Float64s]:
    """Return, for each minute, the story's lowest and highest value in any period that contains the minute.

    The length of a period is the longest period of the usage's metrics.
    """
    usage = series.observed.usage
    periods = [metric.period for metric in usage.metrics] if isinstance(usage, Usage) else []
    period_minutes = max(periods, default=60) // 60
    # A period may start in any minute, so it may contain as many minutes before or after this one.
    minutes_around = np.add.outer(minutes, np.arange(1 - period_minutes, period_minutes))
    values_around = expected(minutes_around.ravel()).reshape(minutes_around.shape)
    return values_around.min(axis=1), values_around.max(axis=1)
