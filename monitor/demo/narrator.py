"""Tells the demo's story in the terminal: begins each scene, and waits until Headroom has seen it.

A scene begins at its time, but not before Headroom has seen the previous scene. So the order is the same on a
busy machine, where the story takes longer.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from monitor.demo.receiver import DemoReceiver
from monitor.demo.scenes import SCENES, Scene
from monitor.demo.sightings import SIGHTINGS, Sighting
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.rows import Row, row_of
from monitor.lib.schedule import LoopClock

CHECK_INTERVAL = 0.25  # seconds between two checks whether Headroom has seen a scene
LIMIT_READ_INTERVAL = 5.0  # seconds between two readings of a limit that is about to be raised
SERVICE, SIGNAL = "kinesis", "stream_write_bytes"
INDENT = " " * 9
ALERT_END = "CloudWatch counts by minutes of the clock: an alert ends after a whole minute within the limit."


@dataclass
class Narrator:
    """Tells the story of a stream. begin: begins a scene in the simulated AWS.

    read_limit: lets Headroom read the limit of a series soon, not only at the next inventory, so that the
    story is short. started: the start of the story, in seconds of `clock`. seen: by scene, the seconds from
    the start of the story until Headroom had seen it.
    """

    fleet: Fleet
    stream: str
    receiver: DemoReceiver
    begin: Callable[[Scene], Awaitable[None]]
    read_limit: Callable[[Key], None]
    out: TextIO
    clock: LoopClock
    started: float
    seen: dict[Scene, float] = field(default_factory=dict)
    _first_limit: float = field(default=0.0, init=False)

    async def tell(self) -> None:
        """Say when the story starts, and tell all scenes in order."""
        self.out.write(f"{self._start_text()}\n\n")
        self.out.flush()
        for scene, settings in SCENES.items():
            await self.clock.sleep(max(0.0, settings.after - self._elapsed()))
            if settings.changes_aws:  # it is announced first; what Headroom does, only when it was seen
                await self._begin(scene)
                self._say(settings.text)
            description = await self._wait_until_seen(scene)
            if not settings.changes_aws:
                self._say(settings.text)
            for line in description.splitlines():
                self.out.write(f"{INDENT}{line}\n")
            self.out.flush()
        self._say("That is the story. The rest goes on until Ctrl-C.")

    def _start_text(self) -> str:
        start = datetime.fromtimestamp(self.started, UTC).strftime("%H:%M:%S")
        wait = math.ceil(-self._elapsed())
        when = f"starts at {start} UTC, in {wait} s." if wait > 0 else f"started at {start} UTC."
        return f"The story {when}\n{ALERT_END}"

    async def _begin(self, scene: Scene) -> None:
        """Begin a scene, once the stream is in the fleet."""
        while not (row := self._row()):
            await self.clock.sleep(CHECK_INTERVAL)
        self._first_limit = row.limit or self._first_limit
        await self.begin(scene)

    async def _wait_until_seen(self, scene: Scene) -> str:
        """Wait until Headroom has seen a scene, and return the description of the sighting."""
        limit_read_at = -math.inf
        while True:
            row = self._row()
            if scene is Scene.RAISED and row and self._elapsed() - limit_read_at >= LIMIT_READ_INTERVAL:
                limit_read_at = self._elapsed()
                self.read_limit(row.key)
            description = SIGHTINGS[scene](Sighting(row, self._first_limit, self.receiver)) if row else ""
            if description:
                self.seen[scene] = self._elapsed()
                return description
            await self.clock.sleep(CHECK_INTERVAL)

    def _row(self) -> Row | None:
        story_series = SERVICE, SIGNAL, self.stream
        keys = (key for key in self.fleet.series if (key.service, key.signal, key.resource) == story_series)
        return next((row_of(self.fleet, self.fleet.series[key]) for key in keys), None)

    def _elapsed(self) -> float:
        return self.clock.now() - self.started

    def _say(self, text: str) -> None:
        self.out.write(f"{f'+{self._elapsed():.0f} s':>7}  {text}\n")
        self.out.flush()
