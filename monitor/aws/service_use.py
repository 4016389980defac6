"""Tells whether a service is in use in a cell: the scans of an inventory find out if it has any resource."""

import asyncio


class ServiceUse:
    """Tells whether a service is in use, once one scan finds a resource, or all scans have listed theirs.

    scans: the number of scans of the service. in_use: the service has a resource, or may have one.
    """

    def __init__(self, scans: int) -> None:
        self._unfinished_scans, self._known = scans, asyncio.Event()
        self.in_use = False

    def record_resource(self) -> None:
        """Record that the service has a resource, or may have one."""
        self.in_use = True
        self._known.set()

    def record_listed(self) -> None:
        """Record that one more scan has listed all of its resources."""
        self._unfinished_scans -= 1
        if not self._unfinished_scans:
            self._known.set()

    async def wait(self) -> bool:
        """Wait until it is known whether the service is in use, and return `in_use`."""
        await self._known.wait()
        return self.in_use
