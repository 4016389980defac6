"""The lag of the event loop, measured with a fake clock."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Histogram

from monitor.lib.loop_lag import INTERVAL, measure_loop_lag
from monitor.lib.schedule import LoopClock


async def test_each_delay_of_the_event_loop_is_observed() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("lag", "Lag.", buckets=(0.05, 0.5), registry=registry)
    now, lags = 0.0, iter([0.0, 0.01, 0.2, 3.0])

    async def sleep(seconds: float) -> None:
        nonlocal now
        if (lag := next(lags, None)) is None:
            raise asyncio.CancelledError
        now += seconds + lag

    with pytest.raises(asyncio.CancelledError):
        await measure_loop_lag(histogram, LoopClock(lambda: now, sleep))
    counts = {
        bound: registry.get_sample_value("lag_bucket", {"le": bound}) for bound in ("0.05", "0.5", "+Inf")
    }
    assert counts == {"0.05": 2, "0.5": 3, "+Inf": 4}
    assert registry.get_sample_value("lag_sum") == pytest.approx(3.21)
    assert now == pytest.approx(4 * INTERVAL + 3.21)
