"""Rate limits that hold from the first second on."""

import asyncio


class RateLimiter:
    """Admits `rate` units per second, evenly spaced.

    Unused units are not saved up, unlike in a token bucket, which admits twice its rate in the first second:
    AWS would throttle the account's other tools.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = 0.0  # when the next unit is admitted, by the event loop's clock

    async def acquire(self, units: float = 1.0) -> None:
        """Wait until these units are admitted."""
        now = asyncio.get_running_loop().time()
        admitted = max(now, self._next)
        self._next = admitted + units / self._rate
        if admitted > now:
            await asyncio.sleep(admitted - now)
