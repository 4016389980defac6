"""Rate limits that hold from the first second on, and that follow what AWS throttles."""

import asyncio

from monitor.aws.call_rate import CallRate


class RateLimiter:
    """Admits units evenly spaced, at a rate per second that falls while AWS throttles: see `CallRate`.

    Unused units are not saved up, unlike in a token bucket, which admits twice its rate in the first second:
    AWS would throttle the account's other tools. Who waits is admitted at the rate of that time.
    """

    def __init__(self, rate: float) -> None:
        self.rate = CallRate(rate)
        self._next = 0.0  # when the next unit is admitted, by the event loop's clock
        self._waiting = asyncio.Lock()  # one waits for the time, the others for their turn

    async def acquire(self, units: float = 1.0) -> None:
        """Wait until these units are admitted."""
        clock = asyncio.get_running_loop().time
        async with self._waiting:
            if (wait := self._next - clock()) > 0:
                await asyncio.sleep(wait)
            self._next = max(clock(), self._next) + units / self.rate.present
