"""Rate limits that hold from the first second on, and that fall when AWS throttles calls."""

import asyncio

from monitor.aws.call_rate import CallRate

GROUP_INTERVAL = 0.25  # seconds; all units that the rate allows in this time are admitted together
GROUP_SPAN = 0.01  # seconds in which the event loop resumes all callers of a group


class RateLimiter:
    """Admits units (calls, or points of metrics) at a rate per second that falls while AWS throttles calls.

    Waiting callers are admitted in groups, one every quarter of a second: to wake the process for each call
    would take two to three times the CPU time. No second has more units than the rate. A token bucket would
    save up unused units, and admit twice its rate in the first second, so that AWS would throttle the
    account's other tools; this limiter saves up no units. A rate that changes (see `CallRate`) holds for
    callers that wait already, too.
    """

    def __init__(self, rate: float) -> None:
        self.rate = CallRate(rate)
        self._next_start = 0.0  # when the next group is admitted, by the event loop's clock
        self._group_start = self._group_units = 0.0  # the time and the units of the newest group
        self._lock = asyncio.Lock()  # held by the caller that waits for the next group

    async def acquire(self, units: float = 1.0) -> None:
        """Wait until these units are admitted."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            is_group_open = clock() <= self._group_start + GROUP_SPAN
            if not is_group_open or self._group_units + units > self.rate.present * GROUP_INTERVAL:
                if (wait := self._next_start - clock()) > 0:
                    await asyncio.sleep(wait)
                self._next_start = self._group_start = max(clock(), self._next_start)
                self._group_units = 0.0
            self._group_units += units
            self._next_start += units / self.rate.present
