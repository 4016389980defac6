"""Closeups of the series on the screen, one after the other: for the band, the sparkline and the age."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from monitor.top.closeup import Closeup
from monitor.top.server import NoAnswer, Server

FRESH = 60.0  # seconds that a closeup serves: samples come once a minute


class Closeups:
    """The closeups by series. changed: called with all of them after each."""

    def __init__(self, server: Server, changed: Callable[[Mapping[str, Closeup]], None]) -> None:
        self._server, self._changed = server, changed
        self._known: dict[str, Closeup] = {}
        self._asked: dict[str, float] = {}
        self._wanted: Collection[str] = ()
        self._moved = asyncio.Event()

    def want(self, identities: Collection[str]) -> None:
        """Look at these from now on."""
        self._wanted = identities
        self._moved.set()

    def keep(self, identities: Collection[str]) -> Mapping[str, Closeup]:
        """Forget all others; gives what is known of these."""
        for known in (self._known, self._asked):
            for gone in known.keys() - set(identities):
                del known[gone]
        return dict(self._known)

    async def run(self) -> None:
        """Look at what is wanted and was not looked at a moment ago, until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            while identity := self._next():
                self._asked[identity] = time.monotonic()
                try:
                    closeup = Closeup(await self._server.series(identity), time.time())
                except NoAnswer:  # the list is asked for as well, and says so
                    break
                self._known[identity] = closeup
                self._changed(dict(self._known))

    def _next(self) -> str | None:
        old = time.monotonic() - FRESH
        return next((one for one in self._wanted if self._asked.get(one, old) <= old), None)
