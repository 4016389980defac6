"""Opens the tracer of the configuration."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from monitor.lib.tracing import NO_TRACER, Tracer
from monitor.tracing.settings import TracingConfig


@asynccontextmanager
async def opened_tracer(config: TracingConfig | None) -> AsyncIterator[Tracer]:
    """Yield a tracer, and send its last spans at the end. Without a `config`, it records nothing."""
    if config is None:
        yield NO_TRACER
        return
    open_telemetry = await asyncio.to_thread(import_module, "monitor.tracing.open_telemetry")
    async with open_telemetry.exporting_tracer(config) as tracer:
        yield tracer
