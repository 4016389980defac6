"""Tells the story of the demo in the terminal: has each scene begin, and waits until Headroom has seen it.

A scene comes at its time, and never before the one before it was seen: on a busy machine the story is told
later, and in order.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TextIO

from monitor.demo.receiver import DemoReceiver
from monitor.demo.scenes import SCENES, Scene
from monitor.demo.sightings import SIGHTINGS, Sighting
from monitor.fleet.fleet import Fleet
from monitor.fleet.rows import Row, row_of
from monitor.lib.schedule import LoopClock

LOOK_INTERVAL = 0.25  # seconds between two looks at what Headroom has made of a scene
SERVICE, SIGNAL = "kinesis", "stream_write_bytes"
INDENT = " " * 9


@dataclass
class Narrator:
    """Tells the story of a stream. begin: has a scene begin in the simulated AWS.

    clock: of which the seconds are those of `started`, the start of the demo. seen: the seconds from it to
    each scene, once Headroom had seen it.
    """

    fleet: Fleet
    stream: str
    receiver: DemoReceiver
    begin: Callable[[Scene], Awaitable[None]]
    out: TextIO
    clock: LoopClock
    started: float
    seen: dict[Scene, float] = field(default_factory=dict)
    _first_limit: float = field(default=0.0, init=False)

    async def tell(self) -> None:
        """Tell all scenes, one after another."""
        for scene, settings in SCENES.items():
            await self.clock.sleep(max(0.0, settings.after - self._passed()))
            if settings.is_change:
                await self._change(scene)
                self._say(settings.text)
            words = await self._seen(scene)
            if not settings.is_change:
                self._say(settings.text)
            for line in words.splitlines():
                self.out.write(f"{INDENT}{line}\n")
            self.out.flush()
        self._say("That is the story. The rest goes on until Ctrl-C.")

    async def _change(self, scene: Scene) -> None:
        """Have a scene begin, once the stream is known."""
        while not (row := self._row()):
            await self.clock.sleep(LOOK_INTERVAL)
        self._first_limit = row.limit or self._first_limit
        await self.begin(scene)

    async def _seen(self, scene: Scene) -> str:
        """Wait until Headroom has seen a scene, and return what it makes of it."""
        while True:
            row = self._row()
            words = SIGHTINGS[scene](Sighting(row, self._first_limit, self.receiver)) if row else ""
            if words:
                self.seen[scene] = self._passed()
                return words
            await self.clock.sleep(LOOK_INTERVAL)

    def _row(self) -> Row | None:
        wanted = SERVICE, SIGNAL, self.stream
        keys = (key for key in self.fleet.series if (key.service, key.signal, key.resource) == wanted)
        return next((row_of(self.fleet, self.fleet.series[key]) for key in keys), None)

    def _passed(self) -> float:
        return self.clock.now() - self.started

    def _say(self, text: str) -> None:
        self.out.write(f"{f'+{self._passed():.0f} s':>7}  {text}\n")
        self.out.flush()
