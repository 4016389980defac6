"""Finds out whether a region is enabled in an account.

A region that is not enabled rejects the account's credentials with the error for unknown credentials. STS
tells the two cases apart: GetCallerIdentity needs no permission and no policy can deny it. If it accepts the
credentials in another region and rejects them in this region, they are valid, and this region is not enabled.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from monitor.lib.errors import HeadroomError

CHECK_INTERVAL = 60.0  # minimum seconds between two checks of a region, until it is found disabled

# Returns whether the STS of a region accepts credentials; None if it did not answer.
Accepts = Callable[[str, ReadOnlyCredentials], Awaitable[bool | None]]


class RegionDisabledError(HeadroomError, BotoCoreError):
    """A region is not enabled in an account, so that nothing in it can be read."""

    fmt = "{region} is not enabled in the account: it is not read"


class RegionCheck:
    """Checks whether the region of a cell is enabled.

    others: regions of the same partition to compare with, the region most likely to answer first.
    disabled: an event that is set while the region is known not to be enabled.
    """

    def __init__(
        self, region: str, others: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.region, self._clock = region, clock
        self._others = [other for other in dict.fromkeys(others) if other != region]
        self.disabled = asyncio.Event()
        self._lock, self._checked_at = asyncio.Lock(), -math.inf

    async def is_disabled(self, credentials: ReadOnlyCredentials, accepts: Accepts) -> bool:
        """Return whether the region rejected these credentials because it is not enabled.

        The region is checked at most once in CHECK_INTERVAL, however many calls were rejected.
        """
        async with self._lock:
            if not self.disabled.is_set() and self._clock() - self._checked_at >= CHECK_INTERVAL:
                self._checked_at = self._clock()
                if await self._only_this_region_rejects(credentials, accepts):
                    self.disabled.set()
            return self.disabled.is_set()

    async def _only_this_region_rejects(self, credentials: ReadOnlyCredentials, accepts: Accepts) -> bool:
        if not self._others or await accepts(self.region, credentials) is not False:
            return False
        for region in self._others:
            if (accepted := await accepts(region, credentials)) is not None:
                return accepted
        return False

    async def is_enabled(self, credentials: ReadOnlyCredentials, accepts: Accepts) -> bool:
        """Ask STS again, and return whether the region is enabled."""
        if await accepts(self.region, credentials):
            self.disabled.clear()
        return not self.disabled.is_set()
