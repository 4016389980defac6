"""The use of a service in a cell: whether it has any resource, which the scans of one inventory find out."""

import asyncio


class ServiceUse:
    """Known as soon as a scan has found a resource, or once all scans have listed and none has.

    scans: how many there are.
    """

    def __init__(self, scans: int) -> None:
        self._listing, self._known = scans, asyncio.Event()
        self.in_use = False

    def found(self) -> None:
        """Record that the service has a resource, or that this cannot be ruled out."""
        self.in_use = True
        self._known.set()

    def end_lists(self) -> None:
        """Record that one more scan has listed all of its resources."""
        self._listing -= 1
        if not self._listing:
            self._known.set()

    async def wait(self) -> bool:
        """Wait until it is known, and return whether the service has a resource, or may have."""
        await self._known.wait()
        return self.in_use
