"""The use of a service in a cell: the scans of an inventory find out whether it has any resource."""

import asyncio


class ServiceUse:
    """The use of a service: known as soon as one scan finds a resource, or the lists of all scans end.

    scans: the number of scans of the service. in_use: the service has a resource, or may have one.
    """

    def __init__(self, scans: int) -> None:
        self._unfinished, self._known = scans, asyncio.Event()
        self.in_use = False

    def record_resource(self) -> None:
        """Record that the service has a resource, or may have one."""
        self.in_use = True
        self._known.set()

    def end_lists(self) -> None:
        """Record that one more scan has listed all of its resources."""
        self._unfinished -= 1
        if not self._unfinished:
            self._known.set()

    async def wait(self) -> bool:
        """Wait until the use is known. Return whether the service has a resource, or may have one."""
        await self._known.wait()
        return self.in_use
