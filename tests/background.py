"""Work that runs beside a test or a bench."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine until the context exits, and cancel it then; if it has failed, raise its exception."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)  # let the coroutine begin
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
