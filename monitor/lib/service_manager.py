"""Tells the service manager that started the process how it is: systemd, for units of Type=notify.

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
    """A service manager that waits for news of the process.

    address: of its datagram socket. alive_interval: seconds after which it is told again that the event loop
    runs, half of what it waits; None when it does not ask.
    """

    address: str
    alive_interval: float | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the service manager that an environment names, or None."""
        name = environ.get(ADDRESS, "")
        if not name.startswith(("/", "@")):
            return None
        limit, asked = environ.get(WATCHDOG_USEC, ""), environ.get(WATCHDOG_PID, str(os.getpid()))
        is_watched = limit.isdecimal() and int(limit) > 0 and asked == str(os.getpid())
        address = "\0" + name[1:] if name.startswith("@") else name
        return cls(address, int(limit) / 1e6 / 2 if is_watched else None)

    def tell(self, *news: str) -> None:
        """Send news, such as READY. What cannot be sent is logged: the process does not depend on it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
                own.setblocking(False)
                own.sendto("\n".join(news).encode(), self.address)
        except OSError as error:
            log.warning("the service manager cannot be told %s: %s", news[0], error)


@asynccontextmanager
async def told_ready(
    manager: ServiceManager | None, status: str, stopping: asyncio.Event
) -> AsyncIterator[None]:
    """Tell the service manager, if any, that the process is ready, that it lives, and that it stops.

    status: a sentence that `systemctl status` shows. stopping: is set when the process begins to stop.
    """
    if manager is None:
        yield
        return
    manager.tell(READY, f"STATUS={status}")
    async with asyncio.TaskGroup() as telling:
        tasks = [
            telling.create_task(_tell_stopping(manager, stopping)),
            telling.create_task(_tell_alive(manager)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _tell_stopping(manager: ServiceManager, stopping: asyncio.Event) -> None:
    await stopping.wait()
    manager.tell(STOPPING)


async def _tell_alive(manager: ServiceManager) -> None:
    while manager.alive_interval:
        manager.tell(ALIVE)
        await asyncio.sleep(manager.alive_interval)
