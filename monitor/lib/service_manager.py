"""Reports the state of this process to the service manager that started it: systemd, for Type=notify.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

log = logging.getLogger(__name__)

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"
ADDRESS, WATCHDOG_USEC, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class ServiceManager(NamedTuple):
    """A service manager that waits for notifications from this process.

    address: the address of its datagram socket. alive_interval: seconds between two messages that say
    that the event loop still runs: half of the manager's timeout; None if it has no timeout.
    """

    address: str
    alive_interval: float | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the service manager that an environment names, or None."""
        name = environ.get(ADDRESS, "")
        if not name.startswith(("/", "@")):
            return None
        timeout, watched_pid = environ.get(WATCHDOG_USEC, ""), environ.get(WATCHDOG_PID, str(os.getpid()))
        is_watched = timeout.isdecimal() and int(timeout) > 0 and watched_pid == str(os.getpid())
        address = "\0" + name[1:] if name.startswith("@") else name
        return cls(address, int(timeout) / 1e6 / 2 if is_watched else None)

    def notify(self, *messages: str) -> None:
        """Send messages, such as READY. A failure is only logged: the process does not depend on it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.sendto("\n".join(messages).encode(), self.address)
        except OSError as error:
            log.warning("the service manager cannot be notified of %s: %s", messages[0], error)


@asynccontextmanager
async def state_notifications(
    manager: ServiceManager | None, status: str, stopping: asyncio.Event
) -> AsyncIterator[None]:
    """Notify the service manager, if any, when the process is ready, while it is alive, and when it stops.

    status: a sentence that `systemctl status` shows. stopping: set when the process begins to stop.
    """
    if manager is None:
        yield
        return
    manager.notify(READY, f"STATUS={status}")
    async with asyncio.TaskGroup() as notifications:
        tasks = [
            notifications.create_task(_notify_stopping(manager, stopping)),
            notifications.create_task(_notify_alive(manager)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _notify_stopping(manager: ServiceManager, stopping: asyncio.Event) -> None:
    await stopping.wait()
    manager.notify(STOPPING)


async def _notify_alive(manager: ServiceManager) -> None:
    while manager.alive_interval:
        manager.notify(ALIVE)
        await asyncio.sleep(manager.alive_interval)
