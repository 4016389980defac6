"""Rate limits that hold from the first second on, and that follow what AWS throttles."""

import asyncio

from monitor.aws.call_rate import CallRate

GROUP_INTERVAL = 0.25  # seconds whose units are admitted together, if so many wait
GROUP_SPAN = 0.01  # seconds in which the event loop resumes those that wait


class RateLimiter:
    """Admits units at a rate per second that falls while AWS throttles: see `CallRate`.

    Those that wait are admitted in groups of up to a quarter of the rate, each a quarter of a second after
    the one before: a call that wakes the process by itself takes two to three times the CPU time. No second
    has more than the rate. Unused units are not saved up, unlike in a token bucket, which admits twice its
    rate in the first second: AWS would throttle the account's other tools. Who waits is admitted at the rate
    of that time.
    """

    def __init__(self, rate: float) -> None:
        self.rate = CallRate(rate)
        self._next = 0.0  # when the next group is admitted, by the event loop's clock
        self._group_start = self._group_units = 0.0  # of the newest group
        self._waiting = asyncio.Lock()  # one waits for the time, the others for their turn

    async def acquire(self, units: float = 1.0) -> None:
        """Wait until these units are admitted."""
        clock = asyncio.get_running_loop().time
        async with self._waiting:
            joins = clock() <= self._group_start + GROUP_SPAN
            if not joins or self._group_units + units > self.rate.present * GROUP_INTERVAL:
                if (wait := self._next - clock()) > 0:
                    await asyncio.sleep(wait)
                self._next = self._group_start = max(clock(), self._next)
                self._group_units = 0.0
            self._group_units += units
            self._next += units / self.rate.present
